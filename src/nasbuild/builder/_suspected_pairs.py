"""Pairs of single changes that are suspected not to add up: near each other, with effects whose interaction is uncertain."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from nasbuild.score import TargetFit
from nasbuild.space import Architecture, Layer, Module, Space, choice_key, contains
from nasbuild.table import Part, ReferenceChanges

_MOST = 2_000  # pairs that are looked at
_LISTED = 16
_LEAST = 0.5  # of the largest deviation, that pairs have at least


def suspected_pairs(
    first: TargetFit, changes: ReferenceChanges, limit: float, rng: np.random.Generator
) -> list[Architecture]:
    """The reference with two changes that were measured alone, those whose y' is most uncertain first: at most 16.

    Their deviations are half of the largest or more. Pairs are of the same change in successive stages of one kind, and of two parts of a stage. Those that alone are
    expected to be worse than ``limit`` are left out: what is worth building has none of them, whatever they add together.
    """
    pairs = list(_near_pairs(first, changes))
    if len(pairs) > _MOST:
        pairs = [pairs[i] for i in rng.choice(len(pairs), _MOST, replace=False)]
    if not pairs:
        return []
    value, std = first.scorer.predict(pairs)
    good = np.flatnonzero(first.target.sign * (value - limit) >= 0)
    good = good[std[good] >= _LEAST * std[good].max(initial=0)]
    order = good[np.argsort(-std[good], kind="stable")][:_LISTED]
    return [pairs[i] for i in order.tolist()]


def _near_pairs(first: TargetFit, changes: ReferenceChanges) -> Iterator[Architecture]:
    space, rows = first.scorer.space, first.scorer.architectures
    alone: dict[int, list[tuple[Part, Architecture]]] = {}
    for one, parts in zip(rows, changes.parts, strict=True):
        if len(parts) == 1:
            alone.setdefault(parts[0].stage, []).append((parts[0], one))
    before: dict[str, int] = {}
    for u, stage in enumerate(space.stages):
        kind = re.sub(r"\d+", "#", stage.name)
        for n, (part, one) in enumerate(alone.get(u, ())):
            for other, second in alone[u][n + 1 :]:
                if other != part:
                    module = _merged(changes.reference.modules[u], one.modules[u], second.modules[u])
                    both = None if module is None else one.replace(u, module)
                    if both is not None and contains(space, both):
                        yield both
            for other, second in alone.get(before.get(kind, -1), ()):
                same = (part.layer, part.feature) == (other.layer, other.feature)
                if same and _choice(part, one, space) == _choice(other, second, space):
                    yield one.replace(other.stage, second.modules[other.stage])
        before[kind] = u


def _choice(part: Part, one: Architecture, space: Space) -> object:
    module = one.modules[part.stage]
    if part.layer is None or part.feature is None:
        return len(module)
    names = [feature.name for feature in space.stages[part.stage].features]
    return choice_key(module[part.layer][names.index(part.feature)])


def _merged(reference: Module, one: Module, other: Module) -> Module | None:
    """A module with the changes of both; None where their depths differ."""
    if not len(reference) == len(one) == len(other):
        return None
    return tuple(_layer(*layers) for layers in zip(reference, one, other, strict=True))


def _layer(reference: Layer, one: Layer, other: Layer) -> Layer:
    return tuple(b if b != a else c for a, b, c in zip(reference, one, other, strict=True))
