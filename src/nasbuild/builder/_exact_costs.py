"""Detects metrics that are exact sums over the layers, such as MACs, and computes them for any module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nasbuild.builder._sum_keys import (
    Key,
    assign_columns,
    count_keys,
    distinct_codes,
    products_across_stages,
    scaled_numbers,
)
from nasbuild.score import Fit
from nasbuild.space import Architecture, Space

_TOLERANCE = 1e-6  # largest residual of an exact sum, in standard deviations of the values
_SPARE_ROWS = 5  # rows beyond those that determine the sum, which must agree as well
_QUICK_ROWS = 50  # rows beyond the number of keys, for a quick rejection
_MANY_KEYS = 200  # from this many keys on, least squares reject a sum beforehand
_FAR = 1e-3  # residual of such a rejection, in standard deviations of the values
_CHUNK = 4096  # modules whose keys are counted at a time
_NULL_SPACE = 1e-7  # relative length outside the span of the rows, up to which a module is determined


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
        numbers = scaled_numbers(self.space, stage)
        ends = [[values[code[at, f]] for at in (0, -1) for f, values in numbers] for code in codes]
        return np.array(ends).reshape(len(codes), 2 * len(numbers))

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two neighbouring stages, in both orders, the matrix between their factors."""
        found = {}
        if self.form != "products":
            return found
        for u in range(len(self.space.layered) - 1):
            before, after = scaled_numbers(self.space, u), scaled_numbers(self.space, u + 1)
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
        for stage, stage_codes, stage_picks in zip(stages, codes, picks.T, strict=True):
            used, at = np.unique(stage_picks, return_inverse=True)
            chosen = [stage_codes[i] for i in used.tolist()]
            rows, new = count_keys(self.space, chosen, stage, self.form, self.place)
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
    for form in _distinct_forms(fit.space):
        found = _solved(fit.space, codes, values[rows], form)
        if isinstance(found, TableSum):
            return found
        # The metric may still be a sum of another form; the simplest one says how many rows are missing.
        reason = reason or found
    assert reason is not None
    return reason


def _distinct_forms(space: Space) -> list[str]:
    """The forms of `TableSum` from the simplest on, without those that say the same in this space."""
    found = ["features"]
    if any(len(stage.features) > 1 for stage in space.stages):
        found.append("places")
    if space.max_depth > 1:
        found.append("pairs")
    if any(scaled_numbers(space, u) for u in range(len(space.layered))):
        found.append("products")
    return found


def _solved(
    space: Space, codes: Sequence[Sequence[np.ndarray]], values: np.ndarray, form: str
) -> TableSum | NotExact:
    place, count = assign_columns(space, codes, form), len(values)
    if len(place) >= count * 4:
        return NotExact(len(place), count, disproven=False)
    # An exact sum holds for any subset of rows, so a subset can reject quickly.
    subset = np.random.default_rng(0).permutation(count)[: len(place) + _QUICK_ROWS]
    if len(subset) < count:
        subset_codes = [[stage_codes[i] for i in subset.tolist()] for stage_codes in codes]
        found = _fitted(space, subset_codes, values[subset], form, place)
        if isinstance(found, NotExact):
            return found
    return _fitted(space, codes, values, form, place)


def nearest_sum(space: Space, architectures: Sequence[Architecture], values: np.ndarray) -> TableSum:
    """Least-squares fit of a sum with products of neighbours, to values that need not be such a sum."""
    stages = space.stages
    codes = [[stages[u].encode(a.modules[u]) for a in architectures] for u in range(len(stages))]
    found = _fitted(space, codes, values, "products", assign_columns(space, codes, "products"), exact=False)
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
    whole, means = np.zeros((len(values), len(place))), []
    for u, stage_codes in enumerate(codes):
        distinct, of_row = distinct_codes(stage_codes)
        counts = count_keys(space, distinct, u, form, place)[0]
        means.append(np.bincount(of_row, minlength=len(distinct)) @ counts / len(values))
        # Most keys are of other stages.
        own = np.flatnonzero(counts.any(axis=0))
        whole[:, own] += (counts[:, own] - means[u][own])[of_row]
    across = products_across_stages(space, codes, place) if form == "products" else np.zeros((1, len(place)))
    whole += across - across.mean(axis=0)
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
    return TableSum(space, form, place, tuple(means), basis, weights, level)


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
