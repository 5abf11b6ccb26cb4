"""Designs: architectures in which every choice and every depth occurs as evenly as possible, pairs included.

The method is that of AETG (Cohen, Dalal, Fredman, Patton, "The AETG system", IEEE Transactions on Software
Engineering 1997): rows are added one by one, and each sets its slots in random order to the choice that covers
most pairs that earlier rows lack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import contains
from nasbuild.space._count import count_architectures
from nasbuild.space._sample import random_architecture, sample, sample_codes
from nasbuild.space._space import Architecture, Space

Slot = tuple[int, int, int]
"""Stage, layer (-1 for a shared feature), feature; the depth of a stage is (stage, -1, -1)."""

_MOST_LEVELS = 6_000
_RESTARTS = 2
_PASSES = 2
_AGAIN = 0.1  # what a pair is worth the next time
_RARE = 0.4  # weight of rare levels against that of pairs
_CANDIDATES = 48
_LISTED = 64
_TRIES = 50


class _Levels:
    """The levels of all slots, numbered: choices at their places, and depths."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.start: dict[Slot, int] = {}
        self.size: dict[Slot, int] = {}
        total = 0
        for u, stage in enumerate(space.stages):
            slots: list[tuple[Slot, int]] = [((u, -1, -1), len(stage.depths))]
            for p, feature in enumerate(stage.features):
                layers = [-1] if feature.name in stage.shared else range(max(stage.depths))
                slots += [((u, layer, p), len(feature.choices)) for layer in layers]
            for slot, size in slots:
                self.start[slot], self.size[slot] = total, size
                total += size
        self.total = total

    def of(self, codes: Sequence[np.ndarray]) -> dict[Slot, int]:
        """The level of each slot that an architecture has."""
        found: dict[Slot, int] = {}
        for u, (stage, code) in enumerate(zip(self.space.stages, codes, strict=True)):
            found[u, -1, -1] = self.start[u, -1, -1] + stage.depths.index(len(code))
            for p, feature in enumerate(stage.features):
                layers = [-1] if feature.name in stage.shared else range(len(code))
                for layer in layers:
                    found[u, layer, p] = self.start[u, layer, p] + int(code[max(layer, 0), p])
        return found


class _Coverage:
    """How often each level and each pair of levels occurs."""

    def __init__(self, levels: _Levels) -> None:
        self.levels = levels
        self._sizes = np.zeros(levels.total)
        for slot, start in levels.start.items():
            self._sizes[start : start + levels.size[slot]] = levels.size[slot]
        self._singles = np.zeros(levels.total)
        # What a pair is worth: less for each time that it occurred. For very many levels, pairs are not looked at.
        self._pairs = np.ones((levels.total,) * 2, dtype=np.float32) if levels.total <= _MOST_LEVELS else None
        self.rare = np.ones(levels.total)

    def add(self, levels: Sequence[int]) -> None:
        """Count the levels of a row."""
        index = np.asarray(levels)
        self._singles[index] += 1
        # A level as frequent as it should be is worth nothing, one that never occurs as much as half the pairs.
        self.rare = 1.0 - self._singles * self._sizes / self._singles.max()
        if self._pairs is not None:
            self._pairs[np.ix_(index, index)] *= _AGAIN

    def new(self, active: Sequence[int]) -> np.ndarray:
        """What pairs of each level with the active ones are worth, (levels,)."""
        if self._pairs is None:
            return np.zeros(self.levels.total)
        return self._pairs[np.asarray(active, dtype=np.int64)].sum(axis=0, dtype=np.float64)

    def worth(self, new: np.ndarray, count: int) -> np.ndarray:
        """What each level would add to ``count`` active ones."""
        return new + max(_RARE * count, 1.0 if self._pairs is None else 0.01) * self.rare


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
    coverage = _Coverage(_Levels(space))
    taken: dict[Architecture, None] = {}
    while len(taken) < n:
        row = _next_row(space, coverage, taken, rng, inside)
        if row is None and total <= 4 * n:
            rest = [a for a in sample(space, int(total), rng) if a not in taken]
            row = next((a for a in rest if inside is None or bool(inside([a])[0])), None)
        if row is None:
            break
        taken[row] = None
        coverage.add(list(coverage.levels.of(_codes(space, row)).values()))
    return list(taken)


def _codes(space: Space, architecture: Architecture) -> list[np.ndarray]:
    return [stage.encode(module) for stage, module in zip(space.stages, architecture.modules, strict=True)]


def _next_row(
    space: Space,
    coverage: _Coverage,
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
            for improved in (_improved(space, coverage, _codes(space, one), rng) for one in drawn[:_RESTARTS])
        ]
    for _ in range(_TRIES):
        free = [one for one in dict.fromkeys(candidates) if one not in taken and contains(space, one)]
        if inside is not None and free:
            free = [one for one, may in zip(free, inside(free), strict=True) if may]
        if free:
            return max(free, key=lambda one: _gain(coverage, _codes(space, one)))
        candidates = [random_architecture(space, rng, "depths") for _ in range(_CANDIDATES)]
    return None


def _gain(coverage: _Coverage, codes: Sequence[np.ndarray]) -> float:
    active = list(coverage.levels.of(codes).values())
    return float(coverage.worth(coverage.new(active), len(active))[active].sum())


def _improved(
    space: Space, coverage: _Coverage, codes: list[np.ndarray], rng: np.random.Generator
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


def _best_depth(coverage: _Coverage, codes: list[np.ndarray], u: int, rng: np.random.Generator) -> np.ndarray:
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


def _best_listed(
    coverage: _Coverage, codes: list[np.ndarray], u: int, rng: np.random.Generator
) -> np.ndarray:
    stage = coverage.levels.space.stages[u]
    listed = [code for at_depth in stage.codes_by_depth.values() for code in at_depth]
    some = [listed[k] for k in rng.permutation(len(listed))[:_LISTED]]
    return max(some, key=lambda code: _gain(coverage, [*codes[:u], code, *codes[u + 1 :]]))


def pair_coverage(space: Space, architectures: Sequence[Architecture]) -> int:
    """How many pairs of choices or depths at different places occur together in some architecture.

    Examples
    --------
    >>> from nasbuild.space import balanced_sample, pair_coverage, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [2], features: {kernel: [3, 5, 7]}}]}")
    >>> pair_coverage(space, balanced_sample(space, 9))  # nine of kernels, and six with the only depth
    15
    """
    levels = _Levels(space)
    seen: set[tuple[int, int]] = set()
    for architecture in architectures:
        seen.update(combinations(levels.of(_codes(space, architecture)).values(), 2))
    return len(seen)


def changed_sample(
    space: Space,
    reference: Architecture,
    n: int,
    rng: np.random.Generator | int = 0,
    *,
    changes: tuple[int, int] = (2, 12),
) -> list[Architecture]:
    """Different architectures around a reference, with as many changed choices as asked for.

    The numbers of changes occur equally often, and the changes and their pairs as evenly as possible. A change is
    another choice at one place, or another depth of a stage; layers that are added are as the last one of the
    reference.

    Parameters
    ----------
    changes
        The smallest and the largest number of changes.

    Raises
    ------
    SpaceError
        If the space ties or lists its choices, or has too few places or architectures for the changes.

    Examples
    --------
    >>> from nasbuild.space import Architecture, changed_sample, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [4], features: {kernel: [3, 5]}}]}")
    >>> reference = Architecture((((3,),) * 4,))
    >>> found = changed_sample(space, reference, 6, changes=(2, 2))
    >>> {sum(layer == (5,) for layer in a.modules[0]) for a in found}
    {2}
    """
    rng = np.random.default_rng(rng)
    if space.tied or any(stage.modules is not None for stage in space.stages):
        raise SpaceError(
            "ties or lists its modules, so its choices can't be changed one by one",
            where=f"space {space.name}",
            todo="draw without a reference",
        )
    least, most = changes
    levels = _Levels(space)
    codes = _codes(space, reference)
    own = levels.of(codes)
    places = sum(1 for slot in own if len(_others(space, own, levels, slot)))
    if not 1 <= least <= most or most > places:
        raise SpaceError(
            f"{least}..{most} is no number of changes", where="changes", allowed=f"1 to {places}"
        )
    coverage = _Coverage(levels)
    taken: dict[Architecture, None] = {}
    counts = list(range(least, most + 1))
    for number in range(_TRIES * n):
        if len(taken) == n:
            break
        if number % len(counts) == 0:
            rng.shuffle(counts)
        changed = _changed(space, coverage, own, counts[number % len(counts)], rng)
        row = _with_changes(space, codes, changed, levels)
        if row not in taken and row != reference and contains(space, row):
            taken[row] = None
            coverage.add(list(changed.values()))
    if len(taken) < n:
        raise SpaceError(
            f"only {len(taken)} architectures with {least} to {most} changes were found",
            todo="ask for fewer, or for more changes",
        )
    return list(taken)


def _others(space: Space, own: dict[Slot, int], levels: _Levels, slot: Slot) -> list[int]:
    """The levels that a slot of the reference can change to."""
    u, layer, p = slot
    start, stage = levels.start[slot], space.stages[u]
    allowed = range(levels.size[slot]) if p < 0 else stage.allowed(None if layer < 0 else layer, p).tolist()
    return [start + choice for choice in allowed if start + choice != own[slot]]


def _changed(
    space: Space, coverage: _Coverage, own: dict[Slot, int], count: int, rng: np.random.Generator
) -> dict[Slot, int]:
    """The changed slots with their levels, added one by one, each worth most beside those before it."""
    levels = coverage.levels
    slot_of = {level: slot for slot in own for level in _others(space, own, levels, slot)}
    changed: dict[Slot, int] = {}
    while len(changed) < count and slot_of:
        worth = coverage.worth(coverage.new(list(changed.values())), len(changed))
        order = rng.permutation(list(slot_of))
        level = int(order[np.argmax(worth[order])])
        slot = slot_of[level]
        changed[slot] = level
        gone = {slot}
        u = slot[0]
        if slot[2] < 0:
            # Layers that the new depth does not have can't be changed.
            depth = space.stages[u].depths[level - levels.start[slot]]
            gone |= {other for other in own if other[0] == u and other[1] >= depth}
            for other in gone - {slot}:
                changed.pop(other, None)
        slot_of = {one: other for one, other in slot_of.items() if other not in gone}
    return changed


def _with_changes(
    space: Space, codes: Sequence[np.ndarray], changed: dict[Slot, int], levels: _Levels
) -> Architecture:
    modules = []
    for u, (stage, reference) in enumerate(zip(space.stages, codes, strict=True)):
        code = reference.copy()
        depth = changed.get((u, -1, -1))
        for (v, layer, p), level in changed.items():
            if v == u and p >= 0:
                code[slice(None) if layer < 0 else layer, p] = level - levels.start[v, layer, p]
        if depth is not None:
            layers = stage.depths[depth - levels.start[u, -1, -1]]
            added = np.repeat(reference[-1:], max(layers - len(code), 0), axis=0)
            for p, feature in enumerate(stage.features):
                if feature.name in stage.shared and len(added):
                    added[:, p] = code[0, p]
            code = np.concatenate([code[:layers], added])
        modules.append(stage.decode(code))
    return Architecture(tuple(modules))
