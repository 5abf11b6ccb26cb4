"""Detects metrics that are exact sums over the layers, such as MACs, and computes them for any module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nasbuild.score import Fit
from nasbuild.space import Architecture, Space

_TOLERANCE = 1e-6  # largest residual of an exact sum, in standard deviations of the values
_SPARE_ROWS = 5  # rows beyond those that determine the sum, which must agree as well
_QUICK_ROWS = 50  # rows beyond the number of keys, for a quick rejection
_MANY_KEYS = 200  # from this many keys on, least squares reject a sum beforehand
_FAR = 1e-3  # residual of such a rejection, in standard deviations of the values
_CHUNK = 4096  # modules whose keys are counted at a time
_NULL_SPACE = 1e-7  # relative length outside the span of the rows, up to which a module is determined

Key = tuple[object, ...]


@dataclass(frozen=True)
class TableSum:
    """A metric that the table shows to be an exact sum.

    Attributes
    ----------
    form
        Terms of the sum: choices at their places (``features``) or whole layers (``places``); whole
        layers and pairs of successive layers (``pairs``); or whole layers and products of numeric
        features of successive layers, across stages as well (``products``).
    place
        Column of each key; a key identifies a term.
    means
        For each stage, mean values of the keys over the rows, (keys,).
    basis
        Orthonormal basis of the span of the rows, (keys, rank).
    weights
        Contribution of each key, (keys,).
    level
        Mean of the metric over the rows.
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
        """Numeric features of the first and the last layer, the factors between stages, (modules, rank)."""
        if self.form != "products" or not len(codes):
            return np.zeros((len(codes), 0))
        numbers = _numbers(self.space, stage)
        ends = [[own[code[at, f]] for at in (0, -1) for f, own in numbers] for code in codes]
        return np.array(ends).reshape(len(codes), 2 * len(numbers))

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two neighbouring stages, in both orders, the matrix between their factors."""
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
        """Contribution of each module of a stage, (modules,), with an equal share of the constant.

        NaN if the table does not determine it.
        """
        return self.joint_costs([stage], [codes], np.arange(len(codes))[:, None])

    def joint_costs(
        self, stages: Sequence[int], codes: Sequence[Sequence[np.ndarray]], picks: np.ndarray
    ) -> np.ndarray:
        """Joint contribution of modules of several stages, (picks,); NaN if the table does not determine it.

        For tied stages, the rows may determine only the joint contribution, not that of each stage.

        Parameters
        ----------
        picks
            Positions in the ``codes`` of each of the stages, (picks, stages).
        """
        parts = [
            self._joint_chunk(stages, codes, picks[start : start + _CHUNK])
            for start in range(0, len(picks), _CHUNK)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _joint_chunk(
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
        known = ~unknown & (lost <= _NULL_SPACE * np.maximum(np.linalg.norm(away, axis=1), 1))
        share = len(stages) / len(self.space.stages)
        return np.where(known, away @ self.weights + self.level * share, np.nan)


@dataclass(frozen=True)
class NotExact:
    """Why a metric is not known to be an exact sum.

    Attributes
    ----------
    unknowns, rows
        Number of unknowns of a sum over the layers, and number of rows.
    disproven
        Whether the rows show that the metric is no such sum; if not, there are too few rows.
    """

    unknowns: int
    rows: int
    disproven: bool


def exact_sum(fit: Fit, name: str) -> TableSum | NotExact:
    """Tests whether a metric of the fit's table is an exact sum over the layers.

    The forms of `TableSum` are tried from the simplest on. At least five more rows than unknowns must
    agree with the sum.
    """
    values = fit.table.columns[name]
    rows = np.flatnonzero(~np.isnan(values))
    stages = fit.space.stages
    codes = [
        [stages[u].encode(fit.table.architectures[i].modules[u]) for i in rows] for u in range(len(stages))
    ]
    reason = None
    for form in _FORMS:
        found = _solved(fit.space, codes, values[rows], form)
        if isinstance(found, TableSum):
            return found
        # The metric may still be a sum of another form; the simplest one says how many rows are missing.
        reason = reason or found
    assert reason is not None
    return reason


_FORMS = ("features", "places", "pairs", "products")


def _solved(
    space: Space, codes: Sequence[Sequence[np.ndarray]], values: np.ndarray, form: str
) -> TableSum | NotExact:
    place, count = _places_of(space, codes, form), len(values)
    if len(place) >= count * 4:
        return NotExact(len(place), count, disproven=False)
    # An exact sum holds for any subset of rows, so a subset can reject quickly.
    some = np.random.default_rng(0).permutation(count)[: len(place) + _QUICK_ROWS]
    if len(some) < count:
        few = [[own[i] for i in some.tolist()] for own in codes]
        found = _fitted(space, few, values[some], form, place)
        if isinstance(found, NotExact):
            return found
    return _fitted(space, codes, values, form, place)


def _places_of(space: Space, codes: Sequence[Sequence[np.ndarray]], form: str) -> dict[Key, int]:
    """Assigns a column to every key of the architectures."""
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
    """Least-squares fit of a sum with products of neighbours, to values that need not be such a sum."""
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
    if exact and _clearly_no_sum(whole, values):
        return NotExact(len(place), len(values), disproven=True)
    left, sizes, right = np.linalg.svd(whole, full_matrices=False)
    rank = int((sizes > sizes.max(initial=0) * 1e-10).sum())
    if exact and len(values) < rank + 1 + _SPARE_ROWS:
        return NotExact(rank + 1, len(values), disproven=False)
    level, basis = float(values.mean()), right[:rank].T
    weights = basis @ ((left[:, :rank].T @ (values - level)) / sizes[:rank])
    if exact and np.abs(whole @ weights + level - values).max() > _TOLERANCE * values.std():
        return NotExact(rank + 1, len(values), disproven=True)
    if form == "products":
        # Products across stages must be determined on their own, as they occur in every architecture.
        rows = [n for key, n in place.items() if len(key) > 1 and key[1] == "next"]
        if exact and (not rows or np.linalg.norm(basis[rows], axis=1).min() < 1 - _NULL_SPACE):
            return NotExact(rank + 1, len(values), disproven=False)
        level -= float(across.mean(axis=0) @ weights)
    return TableSum(space, form, place, means, basis, weights, level)


def _clearly_no_sum(whole: np.ndarray, values: np.ndarray) -> bool:
    """Whether a fast least-squares fit misses the values by far, which saves the exact decomposition."""
    rows, keys = whole.shape
    if keys < _MANY_KEYS or rows <= keys:
        return False
    gram = whole.T @ whole
    gram[np.diag_indices(keys)] += 1e-9 * np.trace(gram) / keys
    centred = values - values.mean()
    weights = cho_solve(cho_factor(gram, check_finite=False), whole.T @ centred, check_finite=False)
    return bool(np.abs(whole @ weights - centred).max() > _FAR * values.std())


def _counts(
    space: Space, codes: Sequence[np.ndarray], stage: int, form: str, place: Mapping[Key, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Values of the keys of modules, (modules, keys), and whether modules have unknown keys, (modules,)."""
    found, unknown = np.zeros((len(codes), len(place))), np.zeros(len(codes), dtype=bool)
    for row, code in enumerate(codes):
        for key, value in _keys(space, stage, code, form):
            if key in place:
                found[row, place[key]] += value
            else:
                unknown[row] = True
    return found, unknown


def _across(space: Space, codes: Sequence[Sequence[np.ndarray]], place: Mapping[Key, int]) -> np.ndarray:
    """Products across stages, of last layers and first layers of the next stage, (architectures, keys)."""
    found = np.zeros((len(codes[0]), len(place)))
    for u in range(len(space.layered) - 1):
        for f, before in _numbers(space, u):
            for g, after in _numbers(space, u + 1):
                own = [
                    before[a[-1, f]] * after[b[0, g]] if len(a) and len(b) else 0.0
                    for a, b in zip(codes[u], codes[u + 1], strict=True)
                ]
                found[:, place[u, "next", f, g]] = own
    return found


def _numbers(space: Space, stage: int) -> list[tuple[int, np.ndarray]]:
    """Positions of a stage's numeric features, and the numbers of their choices scaled to at most 1."""
    found = []
    for f, feature in enumerate(space.stages[stage].features):
        values = feature.numbers
        if values is not None and len(values) > 1:
            # A product with an absent feature adds nothing.
            found.append((f, np.nan_to_num(values / (np.nanmax(np.abs(values)) or 1.0))))
    return found


def _keys(space: Space, stage: int, code: np.ndarray, form: str) -> Iterator[tuple[Key, float]]:
    """Yields the keys of a module and their values, as the form defines them."""
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
    """Yields the depth, and every choice of every layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        for feature, choice in enumerate(layer):
            yield stage, place, feature, choice


def _places(stage: int, code: np.ndarray) -> Iterator[Key]:
    """Yields the depth, and every whole layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        yield stage, place, tuple(layer)


def _pairs(stage: int, code: np.ndarray) -> Iterator[Key]:
    """Yields every layer with the previous one."""
    layers = [tuple(layer) for layer in code.tolist()]
    for place in range(1, len(layers)):
        yield stage, place, layers[place - 1], layers[place]
