"""Designs around a reference: architectures with a number of changes, which are spread evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import contains
from nasbuild.space._design_levels import Coverage, Levels, Position, codes_of
from nasbuild.space._space import Architecture, Space

_TRIES = 50


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
    levels = Levels(space)
    codes = codes_of(space, reference)
    own = levels.of(codes)
    places = sum(1 for slot in own if len(_others(space, own, levels, slot)))
    if not 1 <= least <= most or most > places:
        raise SpaceError(
            f"{least}..{most} is no number of changes", where="changes", allowed=f"1 to {places}"
        )
    coverage = Coverage(levels)
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


def _others(space: Space, own: dict[Position, int], levels: Levels, slot: Position) -> list[int]:
    """The levels that a slot of the reference can change to."""
    u, layer, p = slot
    start, stage = levels.start[slot], space.stages[u]
    allowed = range(levels.size[slot]) if p < 0 else stage.allowed(None if layer < 0 else layer, p).tolist()
    return [start + choice for choice in allowed if start + choice != own[slot]]


def _changed(
    space: Space, coverage: Coverage, own: dict[Position, int], count: int, rng: np.random.Generator
) -> dict[Position, int]:
    """The changed slots with their levels, added one by one, each worth most beside those before it."""
    levels = coverage.levels
    slot_of = {level: slot for slot in own for level in _others(space, own, levels, slot)}
    changed: dict[Position, int] = {}
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
    space: Space, codes: Sequence[np.ndarray], changed: dict[Position, int], levels: Levels
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
