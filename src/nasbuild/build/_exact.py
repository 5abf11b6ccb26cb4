"""Costs that add up exactly, such as MACs and parameters: found in the table, then known of every module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score import Run
from nasbuild.space import Space

_EXACT = 1e-6  # of the deviation of the values, by which exact sums may miss them
_SPARE = 5  # rows beyond what determines the sums, which must agree as well
_SOME = 50  # rows beyond the number of keys that tell what is no sum
_AT_ONCE = 4096  # modules whose keys are counted at a time
_KNOWN = 1e-7  # length of what the table does not determine, at which a module is known

Key = tuple[object, ...]


@dataclass(frozen=True)
class TableSum:
    """A metric that the labelled rows show to be an exact sum, and what every module adds to it.

    Attributes
    ----------
    neighbours
        Whether a layer counts together with the one before it.
    place
        Column of each key.
    means
        Mean counts of the keys over the rows for each stage, (keys,).
    basis, weights, level
        What the rows determine, (keys, rank), orthonormal; what each key adds, (keys,); the mean over the rows.
    """

    space: Space
    neighbours: bool
    place: Mapping[Key, int]
    means: tuple[np.ndarray, ...]
    basis: np.ndarray
    weights: np.ndarray
    level: float

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """What modules of a stage add, (modules,); NaN for those with something that the table doesn't determine.

        The architecture's constant is spread over the stages.
        """
        parts = [
            self._of_some(stage, codes[start : start + _AT_ONCE]) for start in range(0, len(codes), _AT_ONCE)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _of_some(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        rows, unknown = _counts(codes, stage, self.neighbours, self.place)
        away = rows - self.means[stage]
        # Only what lies in the span of the table's rows is determined.
        lost = np.linalg.norm(away - (away @ self.basis) @ self.basis.T, axis=1)
        known = ~unknown & (lost <= _KNOWN * np.maximum(np.linalg.norm(away, axis=1), 1))
        return np.where(known, away @ self.weights + self.level / len(self.space.stages), np.nan)


@dataclass(frozen=True)
class Unproven:
    """Why a metric is not known to be an exact sum.

    Attributes
    ----------
    unknowns, rows
        How many numbers a sum over the layers would have, and how many rows there are.
    told
        Whether the rows are enough to tell that it is none.
    """

    unknowns: int
    rows: int
    told: bool


def exact_sum(run: Run, name: str) -> TableSum | Unproven:
    """What every module adds to a metric of the run's table, if that shows the metric to be an exact sum.

    A metric is an exact sum if it is one of numbers that depend on a layer, its place in its stage
    and perhaps the layer before it, and on the depth of the stage; at least five rows must say so that
    were not needed to find these numbers.
    """
    values = run.table.columns[name]
    rows = np.flatnonzero(~np.isnan(values))
    stages = run.space.stages
    codes = [
        [stages[u].encode(run.table.architectures[i].modules[u]) for i in rows] for u in range(len(stages))
    ]
    told = None
    for neighbours in (False, True):
        found = _solved(run.space, codes, values[rows], neighbours)
        if isinstance(found, TableSum):
            return found
        # What is no sum of layers may be one of neighbours; the plain one tells how many rows are lacking.
        told = told or found
    assert told is not None
    return told


def _solved(
    space: Space, codes: Sequence[Sequence[np.ndarray]], values: np.ndarray, neighbours: bool
) -> TableSum | Unproven:
    keys_of = _pairs if neighbours else _places
    place: dict[Key, int] = {}
    for u, own in enumerate(codes):
        for code in own:
            for key in keys_of(u, code):
                place.setdefault(key, len(place))
    count = len(values)
    if len(place) >= count * 4:
        return Unproven(len(place), count, told=False)
    # What is exact is so in any of the rows: some tell quickly what is none.
    some = np.random.default_rng(0).permutation(count)[: len(place) + _SOME]
    if len(some) < count:
        found = _fitted(
            space, [[own[i] for i in some.tolist()] for own in codes], values[some], neighbours, place
        )
        if isinstance(found, Unproven):
            return found
    return _fitted(space, codes, values, neighbours, place)


def _fitted(
    space: Space,
    codes: Sequence[Sequence[np.ndarray]],
    values: np.ndarray,
    neighbours: bool,
    place: Mapping[Key, int],
) -> TableSum | Unproven:
    parts = [_counts(own, u, neighbours, place)[0] for u, own in enumerate(codes)]
    means = tuple(part.mean(axis=0) for part in parts)
    whole = sum(parts) - sum(means)
    left, sizes, right = np.linalg.svd(whole, full_matrices=False)
    rank = int((sizes > sizes.max(initial=0) * 1e-10).sum())
    if len(values) < rank + 1 + _SPARE:
        return Unproven(rank + 1, len(values), told=False)
    level, basis = float(values.mean()), right[:rank].T
    weights = basis @ ((left[:, :rank].T @ (values - level)) / sizes[:rank])
    if np.abs(whole @ weights + level - values).max() > _EXACT * values.std():
        return Unproven(rank + 1, len(values), told=True)
    return TableSum(space, neighbours, place, means, basis, weights, level)


def _counts(
    codes: Sequence[np.ndarray], stage: int, neighbours: bool, place: Mapping[Key, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the keys of modules, (modules, keys), and which modules have other keys, (modules,)."""
    found, unknown = np.zeros((len(codes), len(place))), np.zeros(len(codes), dtype=bool)
    for row, code in enumerate(codes):
        for key in (_pairs if neighbours else _places)(stage, code):
            if key in place:
                found[row, place[key]] += 1
            else:
                unknown[row] = True
    return found, unknown


def _places(stage: int, code: np.ndarray) -> Iterator[Key]:
    """The depth, and every layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        yield stage, place, tuple(layer)


def _pairs(stage: int, code: np.ndarray) -> Iterator[Key]:
    """The same, and every layer with the one before it."""
    yield from _places(stage, code)
    layers = [tuple(layer) for layer in code.tolist()]
    for place in range(1, len(layers)):
        yield stage, place, layers[place - 1], layers[place]
