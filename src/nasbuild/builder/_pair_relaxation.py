"""Sums over slots that stand in for what pairs of slots add: the most of it, its mean, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nasbuild.builder._bounded_topk import Problem
from nasbuild.builder._pair_tables import PairTables
from nasbuild.builder._pairwise_prediction import PairwisePrediction

CELLS = 4_000_000  # of tables of pairs of slots, at most


@dataclass(frozen=True)
class Relaxed(Problem):
    """Sums that are at least what `PairwisePrediction` says of any pick, and costs that are at most what it says.

    `values` and `feasible` tell the truth, so what is found by the sums is judged rightly.
    """

    truth: PairwisePrediction
    sign: int

    effort: ClassVar[float] = 0.02

    def feasible(self, picks: np.ndarray) -> np.ndarray:
        return self.truth.affordable(picks) & self.truth.within(self.truth.values(picks))

    def values(self, picks: np.ndarray) -> np.ndarray:
        return self.sign * self.truth.values(picks)[:, 0]


def has_no_pairs(predicted: PairwisePrediction) -> bool:
    """Whether all scores and costs are sums over the slots alone."""
    pairs = [*predicted.pairs, *(pair for pair in predicted.cost_pairs if pair is not None)]
    return all(isinstance(pair, PairTables) and pair.empty for pair in pairs)


def slot_problem(predicted: PairwisePrediction, sign: int, *, mean: bool = False) -> Problem:
    """The sums over slots: all there is where `has_no_pairs`; else pairs count with their means over all options if ``mean``."""
    scores, costs, most = sums_of_slots(predicted, sign, "mean" if mean else "none")
    return Problem(scores, costs, most)


def mean_shares(pair: object, predicted: PairwisePrediction) -> list[np.ndarray]:
    """What pairs add to each option of each slot in the mean over all options, (options,)."""
    found = _shares(pair, 1, "mean")
    return found or [np.zeros(len(own)) for own in predicted.scores]


def relaxed_problem(predicted: PairwisePrediction, sign: int) -> Relaxed | None:
    """Sums that no pick exceeds; None where the tables of pairs are too large to go through."""
    found = sums_of_slots(predicted, sign, "most")
    return None if found is None else Relaxed(found[0], found[1], found[2], predicted, sign)


def sums_of_slots(predicted: PairwisePrediction, sign: int, pairs: str) -> Any:
    """Scores, costs and bounds of the slots; pairs count at most (for costs at least), on average, or not at all."""
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
        for own, extra in zip(costs, more, strict=False):
            own[:, k] -= extra
    most = [*predicted.upper]
    for t, s, limit in predicted.on_targets:
        more = _shares(predicted.pairs[t], -s, pairs)
        if more is None:
            return None
        own = [s * scores_of[:, t] for scores_of in predicted.scores]
        own = [o - extra for o, extra in zip(own, more, strict=True)] if more else own
        costs = [np.column_stack([c, o]) for c, o in zip(costs, own, strict=True)]
        most.append(limit)
    return tuple(scores), tuple(costs), np.array(most, dtype=np.float64)


def _shares(pair: object, sign: int, how: str) -> list[np.ndarray] | None:
    """What pairs add to each option of each slot, (options,): half of the most that each pair could, or their means.

    Empty where nothing is added; None where it can't be told.
    """
    if how == "none" or not isinstance(pair, PairTables) or pair.empty:
        return [] if how != "most" or isinstance(pair, PairTables) else None
    tables = pair.as_tables(CELLS)
    if tables is None:
        return None if how == "most" else []
    return split_pairs(tables, pair.sizes, sign, most=how == "most")


def split_pairs(
    tables: Mapping[tuple[int, int], np.ndarray], sizes: tuple[int, ...], sign: int, *, most: bool
) -> list[np.ndarray]:
    shares = [np.zeros(size) for size in sizes]
    for (s, t), table in tables.items():
        own = sign * table
        # What an option adds in the mean belongs to it alone; the rest is small.
        rows, columns, mean = own.mean(axis=1), own.mean(axis=0), own.mean()
        shares[s] += rows - mean / 2
        shares[t] += columns - mean / 2
        if most:
            rest = own - rows[:, None] - columns[None] + mean
            shares[s] += rest.max(axis=1) / 2
            shares[t] += rest.max(axis=0) / 2
    return shares
