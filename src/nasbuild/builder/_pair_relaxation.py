"""Replaces pair terms by sums over slots: an upper bound (relaxation), their mean, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._pair_tables import PairTables
from nasbuild.builder._pairwise_prediction import PairwisePrediction

MAX_CELLS = 4_000_000
"""Largest total size of the tables of pairs of slots."""


@dataclass(frozen=True)
class Relaxed(Problem):
    """A relaxation of a `PairwisePrediction`: sums of at least its values, costs of at most its costs.

    `values` and `feasible` use the exact prediction, so picks found by the sums are judged exactly.
    """

    truth: PairwisePrediction
    sign: int

    effort: ClassVar[float] = 0.02

    def feasible(self, picks: np.ndarray) -> np.ndarray:
        return self.truth.affordable(picks) & self.truth.within(self.truth.values(picks))

    def values(self, picks: np.ndarray) -> np.ndarray:
        return self.sign * self.truth.values(picks)[:, 0]


def has_no_pairs(predicted: PairwisePrediction) -> bool:
    """Whether all scores and costs are sums over single slots."""
    pairs = [*predicted.pairs, *(pair for pair in predicted.cost_pairs if pair is not None)]
    return all(isinstance(pair, PairTables) and pair.empty for pair in pairs)


def slot_problem(predicted: PairwisePrediction, sign: int, *, mean: bool = False) -> Problem:
    """The problem of sums over slots; exact if `has_no_pairs`.

    Pair terms are ignored, or with ``mean`` replaced by their mean over all options.
    """
    scores, costs, most = sums_of_slots(predicted, sign, "mean" if mean else "none")
    return Problem(scores, costs, most)


def mean_shares(pair: object, predicted: PairwisePrediction) -> list[np.ndarray]:
    """For each slot, the mean contribution of pair terms to each option, (options,)."""
    found = _shares(pair, 1, "mean")
    return found or [np.zeros(len(own)) for own in predicted.scores]


def relaxed_problem(predicted: PairwisePrediction, sign: int) -> Relaxed | None:
    """The relaxation of a prediction; None if its tables of pairs are too large."""
    found = sums_of_slots(predicted, sign, "most")
    return None if found is None else Relaxed(found[0], found[1], found[2], predicted, sign)


def sums_of_slots(predicted: PairwisePrediction, sign: int, pairs: str) -> Any:
    """Scores, costs and bounds of the slots.

    ``pairs`` is ``"most"`` for the upper bound of pair terms (for costs the lower bound), ``"mean"`` or
    ``"none"``. None if the upper bound can't be computed.
    """
    scores = [sign * own[:, 0] for own in predicted.scores]
    costs = [own.copy() for own in predicted.costs]
    added = _shares(predicted.pairs[0], sign, pairs)
    if added is None:
        return None
    scores = [own + more for own, more in zip(scores, added, strict=True)] if added else scores
    for k, pair in enumerate(predicted.cost_pairs):
        more = _shares(pair, -1, pairs) if pair is not None else []
        if more is None:
            return None
        for slot_costs, extra in zip(costs, more, strict=False):
            slot_costs[:, k] -= extra
    most = [*predicted.upper]
    for t, s, limit in predicted.on_targets:
        more = _shares(predicted.pairs[t], -s, pairs)
        if more is None:
            return None
        columns = [s * scores_of[:, t] for scores_of in predicted.scores]
        columns = [c - extra for c, extra in zip(columns, more, strict=True)] if more else columns
        costs = [np.column_stack([c, column]) for c, column in zip(costs, columns, strict=True)]
        most.append(limit)
    return tuple(scores), tuple(costs), np.array(most, dtype=np.float64)


def _shares(pair: object, sign: int, how: str) -> list[np.ndarray] | None:
    """For each slot, the share of pair terms of each option, (options,): see `split_pairs`.

    Empty if there are none; None if they can't be computed.
    """
    if how == "none" or not isinstance(pair, PairTables) or pair.empty:
        return [] if how != "most" or isinstance(pair, PairTables) else None
    tables = pair.as_tables(MAX_CELLS)
    if tables is None:
        return None if how == "most" else []
    return split_pairs(tables, pair.sizes, sign, most=how == "most")


def split_pairs(
    tables: Mapping[tuple[int, int], np.ndarray], sizes: tuple[int, ...], sign: int, *, most: bool
) -> list[np.ndarray]:
    """Splits pair terms evenly between their slots: their means, or with ``most`` an upper bound."""
    shares = [np.zeros(size) for size in sizes]
    for (s, t), table in tables.items():
        signed = sign * table
        # The mean of an option is its own contribution, and the remainder is small: so the bound is tight.
        rows, columns, mean = signed.mean(axis=1), signed.mean(axis=0), signed.mean()
        shares[s] += rows - mean / 2
        shares[t] += columns - mean / 2
        if most:
            rest = signed - rows[:, None] - columns[None] + mean
            shares[s] += rest.max(axis=1) / 2
            shares[t] += rest.max(axis=0) / 2
    return shares
