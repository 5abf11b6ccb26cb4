"""The k best picks of sums with pair terms under bounds: local search, checked against a relaxation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nasbuild.builder._beam_search import LISTED, beam_search, best_predicted_picks
from nasbuild.builder._bounded_topk import TopK, bounded_topk, enumerate_gap
from nasbuild.builder._chain_dp import Chain
from nasbuild.builder._chain_relaxation import as_chain
from nasbuild.builder._dual_prices import price_bounds
from nasbuild.builder._integer_program import integer_program
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._pair_relaxation import has_no_pairs, relaxed_problem, slot_problem
from nasbuild.builder._pairwise_prediction import PairwisePrediction

_STARTS = 60  # best picks of plain sums from which the search starts
_MAX_ROUNDS = 8  # linearisations around the best pick
_PICKS_PER_ROUND = 20
_WIDTH = 80  # width of the beam
_MAX_NODES = 2_000  # of an integer program that only supplies an upper bound


def topk_with_pairs(
    predicted: PairwisePrediction, sign: int, n: int, apart: int = 1, floor: float = -np.inf
) -> TopK:
    """Returns the ``n`` best picks by the first target within all bounds, with an upper bound.

    Without pair terms, `bounded_topk` solves the problem. With pair terms, `relaxed_problem` gives an
    upper bound. A beam search starts from the best picks of sums with mean pairs, and of sums linearised
    at the best pick found. The result is proven to be the best if all picks within the gap of the
    relaxation have been enumerated. If costs couple neighbouring slots, a chain takes the place of the
    relaxation (`Chain`).

    Parameters
    ----------
    floor
        Picks that are not better than this need not be found.
    """
    if has_no_pairs(predicted):
        return bounded_topk(slot_problem(predicted, sign), n, apart)
    chain = as_chain(predicted, sign)
    if chain is not None:
        found = _along(predicted, sign, n, apart, chain)
    else:
        found = _by_sums(predicted, sign, n, apart, floor)
    if found.n_proven < n and apart <= 1 and found.upper > floor and _count(predicted) <= LISTED:
        nothing = np.empty((0, len(predicted.scores)), dtype=np.int64)
        every = best_predicted_picks(predicted, sign, nothing, n)[0]
        every = every[_allowed(predicted, every)]
        best = sign * predicted.values(every[:1])[0, 0] if len(every) else -np.inf
        return TopK(every, len(every), float(best))
    return found


def _count(predicted: PairwisePrediction) -> int:
    return math.prod(len(own) for own in predicted.scores)


def _by_sums(predicted: PairwisePrediction, sign: int, n: int, apart: int, floor: float) -> TopK:
    """`topk_with_pairs` by the relaxation to sums over slots."""
    nothing = np.empty((0, len(predicted.scores)), dtype=np.int64)
    relaxed = relaxed_problem(predicted, sign)
    bound = price_bounds(relaxed) if relaxed is not None else None
    if relaxed is not None and (bound is None or bound[1] <= floor):
        return TopK(nothing, 0, -np.inf if bound is None else bound[1])
    starts = _starts(predicted, sign, n)
    picks = beam_search(predicted, sign, starts, max(n, _WIDTH)) if len(starts) else starts
    picks = picks[_allowed(predicted, picks)]
    picks = _around(predicted, sign, picks, max(n, _WIDTH))
    if bound is None:
        return TopK(_distinct(picks, n, apart), 0, np.inf)
    restrict_fit, limit, deficits = bound
    values = sign * predicted.values(picks)[:, 0] if len(picks) else np.zeros(0)
    for count in (n, 1) if apart <= 1 else (1,):
        if len(values) >= count:
            gap = limit - values[count - 1] + 1e-12 * abs(limit)
            listed = enumerate_gap(restrict_fit, deficits, max(gap, 0.0), count, limit)
            if listed is not None:
                both = np.unique(np.concatenate([listed[1], picks]), axis=0)
                value = sign * predicted.values(both)[:, 0]
                both = _distinct(both[np.argsort(-value, kind="stable")], n, apart)
                return TopK(both, min(count, len(both)), float(value.max()) if count else limit)
    limit = min(limit, _program_limit(restrict_fit))
    return TopK(_distinct(picks, n, apart), 0, max(limit, float(values.max(initial=-np.inf))))


def _along(predicted: PairwisePrediction, sign: int, n: int, apart: int, chain: Chain) -> TopK:
    """`topk_with_pairs` by dynamic programming along a chain of slots, if costs couple neighbours."""
    nothing = np.empty((0, len(predicted.scores)), dtype=np.int64)
    prices = chain.prices
    if prices is None:
        return TopK(nothing, 0, -np.inf)
    limit = chain.upper_bound(prices)

    def ordered(some: np.ndarray) -> np.ndarray:
        some = np.unique(some[_allowed(predicted, some)], axis=0)
        return some[np.argsort(-sign * predicted.values(some)[:, 0], kind="stable")]

    near = chain.widen_gap(prices, 20 * max(n, _WIDTH))
    picks = ordered(np.concatenate([chain.paths_at_higher_prices(prices), nothing if near is None else near]))
    if len(picks):
        picks = ordered(np.concatenate([picks, beam_search(predicted, sign, picks, max(n, _WIDTH))]))
        picks = _around(predicted, sign, picks, max(n, _WIDTH))
    values = sign * predicted.values(picks)[:, 0] if len(picks) else np.zeros(0)
    for count in (n, 1) if apart <= 1 else (1,):
        if len(values) >= count:
            gap = max(limit - float(values[count - 1]), 0.0) + 1e-12 * abs(limit)
            listed = chain.enumerate_gap(prices, gap)
            if listed is not None:
                both = ordered(np.concatenate([listed, picks]))
                best = float(sign * predicted.values(both[:1])[0, 0])
                return TopK(_distinct(both, n, apart), min(count, len(both)), best)
    if not len(values):
        # If even the widest gap contains nothing, nothing is within the bounds.
        listed = chain.enumerate_gap(prices, np.inf)
        if listed is not None:
            both = ordered(listed)
            return TopK(_distinct(both, n, apart), len(both) if apart <= 1 else min(1, len(both)), limit)
    return TopK(_distinct(picks, n, apart), 0, limit)


def _allowed(predicted: PairwisePrediction, picks: np.ndarray) -> np.ndarray:
    return predicted.affordable(picks) & predicted.within(predicted.values(picks))


def _distinct(picks: np.ndarray, n: int, apart: int) -> np.ndarray:
    if apart <= 1:
        return picks[:n]
    kept: list[np.ndarray] = []
    for pick in picks:
        if len(kept) < n and all((pick != other).sum() >= apart for other in kept):
            kept.append(pick)
    return np.stack(kept) if kept else picks[:0]


def _starts(predicted: PairwisePrediction, sign: int, n: int) -> np.ndarray:
    """The best picks of sums with mean pairs; if none is within the bounds, the cheapest ones."""
    problem = slot_problem(predicted, sign, mean=True)
    found = bounded_topk(problem, max(n, _STARTS)).picks
    if len(found):
        return found
    unit = [sum(float(np.ptp(c[:, k])) for c in problem.costs) or 1.0 for k in range(len(problem.bounds))]
    least = tuple(-(c / unit).sum(axis=1) for c in problem.costs)
    none = tuple(np.zeros((len(c), 0)) for c in problem.costs)
    return bounded_topk(Problem(least, none, np.zeros(0)), _PICKS_PER_ROUND).picks


def _around(predicted: PairwisePrediction, sign: int, picks: np.ndarray, width: int) -> np.ndarray:
    """Improves picks by solving sums that are linearised at the best pick, until it stays the same."""
    seen: set[tuple[int, ...]] = set()
    for _ in range(_MAX_ROUNDS):
        if not len(picks) or tuple(picks[0].tolist()) in seen:
            break
        seen.add(tuple(picks[0].tolist()))
        found = bounded_topk(_linearised_at(predicted, sign, picks[0]), _PICKS_PER_ROUND).picks
        found = found[_allowed(predicted, found)]
        if len(found):
            both = np.concatenate([picks, found])
            value = sign * predicted.values(found)[:, 0]
            better = value.max() > sign * predicted.values(picks[:1])[0, 0]
            picks = beam_search(predicted, sign, both, width) if better else both
            picks = picks[_allowed(predicted, picks)]
            picks = np.unique(picks, axis=0)
            picks = picks[np.argsort(-sign * predicted.values(picks)[:, 0], kind="stable")][:width]
    return picks


def _linearised_at(predicted: PairwisePrediction, sign: int, pick: np.ndarray) -> Problem:
    """The problem of sums over slots that is exact at a pick and at every swap of one of its options."""
    centre = pick[None]
    values, spent = predicted.values(centre)[0], predicted.costs_of(centre)[0]
    scores, costs = [], []
    for slot in range(len(pick)):
        swapped = predicted.swaps(centre, slot)[0] - values
        own = predicted.swap_costs(centre, slot)[0] - spent
        scores.append(sign * swapped[:, 0])
        costs.append(np.column_stack([own, *(s * swapped[:, t] for t, s, _ in predicted.on_targets)]))
    most = [*(predicted.upper - spent), *(m - s * values[t] for t, s, m in predicted.on_targets)]
    return Problem(tuple(scores), tuple(costs), np.array(most, dtype=np.float64))


def _program_limit(problem: Problem) -> float:
    """An upper bound on the value of any pick, from an integer program with a node limit."""
    found: Any = integer_program(problem, [], 1, nodes=_MAX_NODES)
    bound = getattr(found, "mip_dual_bound", None)
    return np.inf if bound is None else -float(bound)
