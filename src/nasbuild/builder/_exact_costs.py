"""Costs that add up exactly, such as MACs and parameters: found in the table, then known of every module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nasbuild.score import Fit
from nasbuild.space import Architecture, Space

_EXACT = 1e-6  # of the deviation of the values, by which exact sums may miss them
_SPARE = 5  # rows beyond what determines the sums, which must agree as well
_SOME = 50  # rows beyond the number of keys that tell what is no sum
_MANY = 200  # keys from which on sums that are clearly none are told beforehand
_FAR = 1e-3  # of the deviation of the values, by which these miss them
_AT_ONCE = 4096  # modules whose keys are counted at a time
_KNOWN = 1e-7  # length of what the table does not determine, at which a module is known

Key = tuple[object, ...]


@dataclass(frozen=True)
class TableSum:
    """A metric that the labelled rows show to be an exact sum, and what every module adds to it.

    Attributes
    ----------
    form
        What is added up: layers at their places, also with the layer before (``pairs``), or with the product of the
        two layers' numbers, across stages as well (``products``).
    place
        Column of each key.
    means
        Mean counts of the keys over the rows for each stage, (keys,).
    basis, weights, level
        What the rows determine, (keys, rank), orthonormal; what each key adds, (keys,); the mean over the rows.
    """

    space: Space
    form: str
    place: Mapping[Key, int]
    means: tuple[np.ndarray, ...]
    basis: np.ndarray
    weights: np.ndarray
    level: float

    @property
    def neighbours(self) -> bool:
        return self.form != "places"

    def vectors(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Numbers of the first and the last layer of modules, which count in products of stages, (modules, rank)."""
        if self.form != "products" or not len(codes):
            return np.zeros((len(codes), 0))
        numbers = _numbers(self.space, stage)
        ends = [[own[code[at, f]] for at in (0, -1) for f, own in numbers] for code in codes]
        return np.array(ends).reshape(len(codes), 2 * len(numbers))

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two stages that follow each other, both ways, what their vectors are multiplied by."""
        found = {}
        if self.form != "products":
            return found
        for u in range(len(self.space.layered) - 1):
            before, after = _numbers(self.space, u), _numbers(self.space, u + 1)
            link = np.zeros((2 * len(before), 2 * len(after)))
            for i, (f, _) in enumerate(before):
                for j, (g, _) in enumerate(after):
                    link[len(before) + i, j] = self.weights[self.place[u, "next", f, g]]
            found[u, u + 1], found[u + 1, u] = link, link.T
        return found

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """What modules of a stage add, (modules,); NaN for those with something that the table doesn't determine.

        The architecture's constant is spread over the stages.
        """
        return self.joint_costs([stage], [codes], np.arange(len(codes))[:, None])

    def joint_costs(
        self, stages: Sequence[int], codes: Sequence[Sequence[np.ndarray]], picks: np.ndarray
    ) -> np.ndarray:
        """What modules of several stages add together, (picks,); NaN where the table doesn't determine it.

        Of stages that are tied no row tells what each adds, only what all of them do. ``picks`` are positions in the
        ``codes`` of each of the stages, (picks, stages).
        """
        parts = [
            self._of_some(stages, codes, picks[start : start + _AT_ONCE])
            for start in range(0, len(picks), _AT_ONCE)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _of_some(
        self, stages: Sequence[int], codes: Sequence[Sequence[np.ndarray]], picks: np.ndarray
    ) -> np.ndarray:
        away = np.zeros((len(picks), len(self.place)))
        unknown = np.zeros(len(picks), dtype=bool)
        for stage, own, some in zip(stages, codes, picks.T, strict=True):
            used, at = np.unique(some, return_inverse=True)
            rows, new = _counts(self.space, [own[i] for i in used.tolist()], stage, self.form, self.place)
            away += (rows - self.means[stage])[at]
            unknown |= new[at]
        # Only what lies in the span of the table's rows is determined.
        lost = np.linalg.norm(away - (away @ self.basis) @ self.basis.T, axis=1)
        known = ~unknown & (lost <= _KNOWN * np.maximum(np.linalg.norm(away, axis=1), 1))
        share = len(stages) / len(self.space.stages)
        return np.where(known, away @ self.weights + self.level * share, np.nan)


@dataclass(frozen=True)
class NotExact:
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
    disproven: bool


def exact_sum(fit: Fit, name: str) -> TableSum | NotExact:
    """What every module adds to a metric of the run's table, if that shows the metric to be an exact sum.

    A metric is an exact sum if it is one of numbers that depend on the depth of a stage and on the choice of a feature of
    a layer at its place, else on the whole layer there and perhaps the layer before it; at least five rows must say so that
    were not needed to find these numbers.
    """
    values = fit.table.columns[name]
    rows = np.flatnonzero(~np.isnan(values))
    stages = fit.space.stages
    codes = [
        [stages[u].encode(fit.table.architectures[i].modules[u]) for i in rows] for u in range(len(stages))
    ]
    told = None
    for form in _FORMS:
        found = _solved(fit.space, codes, values[rows], form)
        if isinstance(found, TableSum):
            return found
        # What is no sum of choices may be one of layers or neighbours; the plain one tells how many rows are lacking.
        told = told or found
    assert told is not None
    return told


_FORMS = ("features", "places", "pairs", "products")


def _solved(
    space: Space, codes: Sequence[Sequence[np.ndarray]], values: np.ndarray, form: str
) -> TableSum | NotExact:
    place, count = _places_of(space, codes, form), len(values)
    if len(place) >= count * 4:
        return NotExact(len(place), count, disproven=False)
    # What is exact is so in any of the rows: some tell quickly what is none.
    some = np.random.default_rng(0).permutation(count)[: len(place) + _SOME]
    if len(some) < count:
        few = [[own[i] for i in some.tolist()] for own in codes]
        found = _fitted(space, few, values[some], form, place)
        if isinstance(found, NotExact):
            return found
    return _fitted(space, codes, values, form, place)


def _places_of(space: Space, codes: Sequence[Sequence[np.ndarray]], form: str) -> dict[Key, int]:
    """A column for every key of some architectures."""
    place: dict[Key, int] = {}
    for u, own in enumerate(codes):
        for code in own:
            for key, _ in _keys(space, u, code, form):
                place.setdefault(key, len(place))
    if form == "products":
        for u in range(len(space.layered) - 1):
            for f, _ in _numbers(space, u):
                for g, _ in _numbers(space, u + 1):
                    place.setdefault((u, "next", f, g), len(place))
    return place


def nearest_sum(space: Space, architectures: Sequence[Architecture], values: np.ndarray) -> TableSum:
    """The sum, products of neighbours included, that is nearest to values that may be no sum."""
    stages = space.stages
    codes = [[stages[u].encode(a.modules[u]) for a in architectures] for u in range(len(stages))]
    found = _fitted(space, codes, values, "products", _places_of(space, codes, "products"), exact=False)
    assert isinstance(found, TableSum)
    return found


def _fitted(
    space: Space,
    codes: Sequence[Sequence[np.ndarray]],
    values: np.ndarray,
    form: str,
    place: Mapping[Key, int],
    *,
    exact: bool = True,
) -> TableSum | NotExact:
    parts = [_counts(space, own, u, form, place)[0] for u, own in enumerate(codes)]
    across = _across(space, codes, place) if form == "products" else np.zeros_like(parts[0])
    means = tuple(part.mean(axis=0) for part in parts)
    whole = sum(parts) - sum(means) + across - across.mean(axis=0)
    if exact and _clearly_none(whole, values):
        return NotExact(len(place), len(values), disproven=True)
    left, sizes, right = np.linalg.svd(whole, full_matrices=False)
    rank = int((sizes > sizes.max(initial=0) * 1e-10).sum())
    if exact and len(values) < rank + 1 + _SPARE:
        return NotExact(rank + 1, len(values), disproven=False)
    level, basis = float(values.mean()), right[:rank].T
    weights = basis @ ((left[:, :rank].T @ (values - level)) / sizes[:rank])
    if exact and np.abs(whole @ weights + level - values).max() > _EXACT * values.std():
        return NotExact(rank + 1, len(values), disproven=True)
    if form == "products":
        # What neighbouring stages do to each other must be determined by itself: it holds for all of them.
        rows = [n for key, n in place.items() if len(key) > 1 and key[1] == "next"]
        if exact and (not rows or np.linalg.norm(basis[rows], axis=1).min() < 1 - _KNOWN):
            return NotExact(rank + 1, len(values), disproven=False)
        level -= float(across.mean(axis=0) @ weights)
    return TableSum(space, form, place, means, basis, weights, level)


def _clearly_none(whole: np.ndarray, values: np.ndarray) -> bool:
    """Whether least squares miss the values by far, in a fraction of the time that an exact answer takes."""
    rows, keys = whole.shape
    if keys < _MANY or rows <= keys:
        return False
    gram = whole.T @ whole
    gram[np.diag_indices(keys)] += 1e-9 * np.trace(gram) / keys
    centred = values - values.mean()
    weights = cho_solve(cho_factor(gram, check_finite=False), whole.T @ centred, check_finite=False)
    return bool(np.abs(whole @ weights - centred).max() > _FAR * values.std())


def _counts(
    space: Space, codes: Sequence[np.ndarray], stage: int, form: str, place: Mapping[Key, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Values of the keys of modules, (modules, keys), and which modules have other keys, (modules,)."""
    found, unknown = np.zeros((len(codes), len(place))), np.zeros(len(codes), dtype=bool)
    for row, code in enumerate(codes):
        for key, value in _keys(space, stage, code, form):
            if key in place:
                found[row, place[key]] += value
            else:
                unknown[row] = True
    return found, unknown


def _across(space: Space, codes: Sequence[Sequence[np.ndarray]], place: Mapping[Key, int]) -> np.ndarray:
    """Products of the numbers of the last layer of a stage and the first of the next one, (architectures, keys)."""
    found = np.zeros((len(codes[0]), len(place)))
    for u in range(len(space.layered) - 1):
        for f, before in _numbers(space, u):
            for g, after in _numbers(space, u + 1):
                own = [before[a[-1, f]] * after[b[0, g]] for a, b in zip(codes[u], codes[u + 1], strict=True)]
                found[:, place[u, "next", f, g]] = own
    return found


def _numbers(space: Space, stage: int) -> list[tuple[int, np.ndarray]]:
    """Features of a stage whose choices are numbers, and these, of the size of 1."""
    found = []
    for f, feature in enumerate(space.stages[stage].features):
        values = feature.numbers
        if values is not None and len(values) > 1:
            found.append((f, values / (np.abs(values).max() or 1.0)))
    return found


def _keys(space: Space, stage: int, code: np.ndarray, form: str) -> Iterator[tuple[Key, float]]:
    """The depth, and every choice or every layer at its place; with the layer before it where the form says so."""
    for key in _choices(stage, code) if form == "features" else _places(stage, code):
        yield key, 1.0
    if form == "pairs":
        for key in _pairs(stage, code):
            yield key, 1.0
    if form == "products" and not space.stages[stage].is_globals:
        numbers = _numbers(space, stage)
        for place in range(1, len(code)):
            for f, before in numbers:
                for g, after in numbers:
                    yield (
                        (stage, place, "times", f, g),
                        float(before[code[place - 1, f]] * after[code[place, g]]),
                    )


def _choices(stage: int, code: np.ndarray) -> Iterator[Key]:
    """The depth, and every choice of every layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        for feature, choice in enumerate(layer):
            yield stage, place, feature, choice


def _places(stage: int, code: np.ndarray) -> Iterator[Key]:
    """The depth, and every layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        yield stage, place, tuple(layer)


def _pairs(stage: int, code: np.ndarray) -> Iterator[Key]:
    """Every layer with the one before it."""
    layers = [tuple(layer) for layer in code.tolist()]
    for place in range(1, len(layers)):
        yield stage, place, layers[place - 1], layers[place]
