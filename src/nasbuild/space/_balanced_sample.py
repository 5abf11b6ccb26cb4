"""Designs: architectures in which every choice and every depth occurs as evenly as possible, pairs included.

The method is that of AETG (Cohen, Dalal, Fredman, Patton, "The AETG system", IEEE Transactions on Software
Engineering 1997): rows are added one by one, and each sets its slots in random order to the choice that covers
most pairs that earlier rows lack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import contains
from nasbuild.space._count import count_architectures
from nasbuild.space._design_levels import Coverage, Levels, codes_of
from nasbuild.space._sample import random_architecture, sample, sample_codes
from nasbuild.space._space import Architecture, Space

_RESTARTS = 2
_PASSES = 2
_CANDIDATES = 48
_LISTED = 64
_TRIES = 50


def balanced_sample(
    space: Space,
    n: int,
    rng: np.random.Generator | int = 0,
    *,
    inside: Callable[[Sequence[Architecture]], np.ndarray] | None = None,
) -> list[Architecture]:
    """Different architectures in which all choices, depths and pairs of them occur as evenly as possible.

    The first rows are those of a smaller sample with the same generator.

    Parameters
    ----------
    rng
        A generator, or the seed of one.
    inside
        Tells which architectures may be taken, (architectures,) bool; all by default. If few may, fewer than
        ``n`` are returned.

    Raises
    ------
    SpaceError
        If the space has fewer than ``n`` architectures.

    Examples
    --------
    >>> from nasbuild.space import balanced_sample, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [2], features: {kernel: [3, 5, 7]}}]}")
    >>> len({a.modules[0] for a in balanced_sample(space, 9)})
    9
    """
    rng = np.random.default_rng(rng)
    total = count_architectures(space)
    if n > total:
        raise SpaceError(f"{n} different architectures were asked for, the space has {total}")
    coverage = Coverage(Levels(space))
    taken: dict[Architecture, None] = {}
    while len(taken) < n:
        row = _next_row(space, coverage, taken, rng, inside)
        if row is None and total <= 4 * n:
            rest = [a for a in sample(space, int(total), rng) if a not in taken]
            row = next((a for a in rest if inside is None or bool(inside([a])[0])), None)
        if row is None:
            break
        taken[row] = None
        coverage.add(list(coverage.levels.of(codes_of(space, row)).values()))
    return list(taken)


def _next_row(
    space: Space,
    coverage: Coverage,
    taken: dict[Architecture, None],
    rng: np.random.Generator,
    inside: Callable[[Sequence[Architecture]], np.ndarray] | None,
) -> Architecture | None:
    """The candidate that adds most: improved slot by slot where slots are free, else the best of many."""
    count = _CANDIDATES if space.tied or inside is not None else _RESTARTS
    drawn = [random_architecture(space, rng, "depths") for _ in range(count)]
    candidates = list(drawn)
    if not space.tied:
        candidates += [
            Architecture(tuple(s.decode(c) for s, c in zip(space.stages, improved, strict=True)))
            for improved in (
                _improved(space, coverage, codes_of(space, one), rng) for one in drawn[:_RESTARTS]
            )
        ]
    for _ in range(_TRIES):
        free = [one for one in dict.fromkeys(candidates) if one not in taken and contains(space, one)]
        if inside is not None and free:
            free = [one for one, may in zip(free, inside(free), strict=True) if may]
        if free:
            return max(free, key=lambda one: _gain(coverage, codes_of(space, one)))
        candidates = [random_architecture(space, rng, "depths") for _ in range(_CANDIDATES)]
    return None


def _gain(coverage: Coverage, codes: Sequence[np.ndarray]) -> float:
    active = list(coverage.levels.of(codes).values())
    return float(coverage.worth(coverage.new(active), len(active))[active].sum())


def _improved(
    space: Space, coverage: Coverage, codes: list[np.ndarray], rng: np.random.Generator
) -> list[np.ndarray]:
    """Each slot in random order set to what is worth most beside the others."""
    for _ in range(_PASSES):
        for u in rng.permutation(len(space.stages)):
            stage = space.stages[u]
            if stage.modules is not None:
                codes[u] = _best_listed(coverage, codes, int(u), rng)
                continue
            codes[u] = _best_depth(coverage, codes, int(u), rng)
            levels = coverage.levels.of(codes)
            slots = [slot for slot in levels if slot[0] == u and slot[2] >= 0]
            new = coverage.new(list(levels.values()))
            for k in rng.permutation(len(slots)):
                slot = slots[k]
                start = coverage.levels.start[slot]
                new -= coverage.new([levels[slot]])
                layer = None if slot[1] < 0 else slot[1]
                allowed = rng.permutation(stage.allowed(layer, slot[2]))
                choice = int(allowed[np.argmax(coverage.worth(new, len(levels))[start + allowed])])
                codes[u][slice(None) if layer is None else layer, slot[2]] = choice
                levels[slot] = start + choice
                new += coverage.new([levels[slot]])
    return codes


def _best_depth(coverage: Coverage, codes: list[np.ndarray], u: int, rng: np.random.Generator) -> np.ndarray:
    """The stage in the depth that is worth most for each of its levels; added layers are random."""
    stage = coverage.levels.space.stages[u]
    if len(stage.depths) == 1:
        return codes[u]
    start = coverage.levels.start[u, -1, -1]
    others = [level for slot, level in coverage.levels.of(codes).items() if slot[0] != u]
    worth = coverage.worth(coverage.new(others), len(others))[start : start + len(stage.depths)]
    order = rng.permutation(len(stage.depths))
    depth = stage.depths[int(order[np.argmax(worth[order])])]
    code = codes[u]
    if depth <= len(code):
        return code[:depth]
    longer = sample_codes(stage, depth, 1, rng)[0]
    longer[: len(code)] = code
    for p, feature in enumerate(stage.features):
        if feature.name in stage.shared and len(code):
            longer[:, p] = code[0, p]
    return longer


def _best_listed(coverage: Coverage, codes: list[np.ndarray], u: int, rng: np.random.Generator) -> np.ndarray:
    stage = coverage.levels.space.stages[u]
    listed = [code for at_depth in stage.codes_by_depth.values() for code in at_depth]
    some = [listed[k] for k in rng.permutation(len(listed))[:_LISTED]]
    return max(some, key=lambda code: _gain(coverage, [*codes[:u], code, *codes[u + 1 :]]))
