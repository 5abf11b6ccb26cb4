"""The k best sums of one module per stage under bounds on other sums, without enumerating the space.

This is a multiple-choice knapsack problem with several constraints. Sums that are proven to be the best
are exact; how many are proven is returned as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import csr_matrix

_MAX_COMBINATIONS = 30_000_000  # combinations that are enumerated
_MAX_HELD = 2_000_000  # combinations of all stages but one in memory
_FULL_EFFORT_STAGES = 12  # with more stages, both limits shrink in proportion
_CHUNK = 200_000
_MAX_PROGRAMS = 1  # integer programs solved for a problem
_MAX_CUTS = 200  # cutting planes in the search for dual prices
_MAX_PRICE = 1e7  # at this price, nothing satisfies the bounds
_TOLERANCE = 1e-9  # relative to a bound's scale, allowed for rounding


@dataclass(frozen=True)
class Problem:
    """A multiple-choice knapsack: one module per stage, scores to maximise, costs with upper bounds.

    Attributes
    ----------
    scores
        For each stage, (modules,).
    costs
        For each stage, (modules, bounds).
    bounds
        Upper limit of each summed cost, (bounds,).
    """

    scores: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    bounds: np.ndarray

    effort: ClassVar[float] = 1.0
    """Factor on the number of combinations that are enumerated: smaller if evaluating one takes longer."""

    @property
    def stages(self) -> int:
        return len(self.scores)

    def of_bounds(self, kept: np.ndarray) -> Self:
        """The problem with only the bounds ``kept``."""
        if len(kept) == len(self.bounds):
            return self
        return replace(self, costs=tuple(c[:, kept] for c in self.costs), bounds=self.bounds[kept])

    def feasible(self, picks: np.ndarray) -> np.ndarray:
        """Whether picks (picks, stages) are within all bounds, (picks,) bool."""
        total = sum(cost[picks[:, u]] for u, cost in enumerate(self.costs))
        return np.all(total <= self.bounds + rounding_slack(self), axis=1)

    def values(self, picks: np.ndarray) -> np.ndarray:
        """Summed scores of picks (picks, stages), (picks,)."""
        return np.sum([score[picks[:, u]] for u, score in enumerate(self.scores)], axis=0)

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]:
        """Score and costs of the pick that maximises the score minus the priced costs."""
        picks = [int(np.argmax(s - c @ prices)) for s, c in zip(self.scores, self.costs, strict=True)]
        score = sum(float(s[p]) for s, p in zip(self.scores, picks, strict=True))
        return score, np.sum([c[p] for c, p in zip(self.costs, picks, strict=True)], axis=0)


@dataclass(frozen=True)
class TopK:
    """The best picks found.

    Attributes
    ----------
    picks
        (picks, stages), best first.
    n_proven
        How many of the first picks are proven to be the best.
    upper
        Upper bound on the value of any pick.
    """

    picks: np.ndarray
    n_proven: int
    upper: float = np.inf

    def __len__(self) -> int:
        return len(self.picks)


def bounded_topk(problem: Problem, n: int, apart: int = 1) -> TopK:
    """Returns the ``n`` picks with the largest sums within the bounds, best first.

    Dual prices of the linear relaxation turn the problem into plain sums, whose best is an upper
    bound. A pick whose priced sum is more than a gap below that bound can't beat a feasible pick
    within the gap. So all picks within a gap are enumerated, and the gap is widened until enough of
    them are feasible. If there are too many, an integer program (HiGHS) finds the best pick. The
    best enumerated ones follow, unproven.

    Parameters
    ----------
    apart
        Number of stages in which each pick must differ from every earlier one, at least.

    Returns
    -------
    Fewer than ``n`` picks if no more are feasible; no pick proves that nothing is. Equal sums come in
    lexicographic order.
    """
    nothing = np.empty((0, problem.stages), dtype=np.int64)
    bound = price_bounds(problem)
    if bound is None:
        return TopK(nothing, 0, -np.inf)
    problem, limit, deficits = bound
    widest = float(sum(d.max() for d in deficits))
    gap, feasible, searched = max(widest * 1e-4, 1e-12), nothing, 0.0
    while (listed := enumerate_gap(problem, deficits, gap, n if apart <= 1 else None, limit)) is not None:
        feasible, certain = listed
        found = _diverse(_ordered(problem, certain if gap < widest else feasible), n, apart)
        if len(found) >= n or gap >= widest:
            return TopK(found, len(found), limit)
        searched, gap = gap, 1.5 * gap
        if apart <= 1 and len(feasible) >= n:
            # Enough are feasible: the gap of the n-th best of them suffices.
            gap = min(gap, limit - float(np.sort(problem.values(feasible))[-n]) + _TOLERANCE * widest)
    found = _diverse(_ordered(problem, feasible), n, apart)
    proven = int((problem.values(found) >= limit - searched).sum())
    return _solve_programs(problem, n, apart, found, proven, limit)


def price_bounds(problem: Problem) -> tuple[Problem, float, list[np.ndarray]] | None:
    """Solves the dual of the linear relaxation.

    Returns
    -------
    The problem without bounds that always hold; an upper bound on the value of any pick; and for each
    stage the deficit of every module's priced score from the stage's best, (modules,). None if the
    relaxation shows that nothing is within the bounds.
    """
    if not all(len(score) for score in problem.scores):
        return None
    # A bound far outside the range always or never holds. Its size must not spoil the scale of the others.
    low, high = (sum(f(c, axis=0) for c in problem.costs) for f in (np.min, np.max))
    most = problem.bounds + rounding_slack(problem)
    if (low > most).any():
        return None
    problem = problem.of_bounds(np.flatnonzero(high > most))
    prices = dual_prices(problem)
    if prices is None:
        return None
    paid = [s - c @ prices for s, c in zip(problem.scores, problem.costs, strict=True)]
    limit = sum(p.max() for p in paid) + float(prices @ problem.bounds)
    return problem, float(limit), [p.max() - p for p in paid]


def rounding_slack(problem: Problem | PricedProblem) -> np.ndarray:
    """Tolerance of each bound for rounding of sums, (bounds,)."""
    scale = np.where(np.isfinite(problem.bounds), np.abs(problem.bounds), 0) + sum(
        np.abs(c).max(axis=0) for c in problem.costs
    )
    return _TOLERANCE * scale


def _ordered(problem: Problem, picks: np.ndarray) -> np.ndarray:
    value = problem.values(picks)
    keys = (*(picks[:, u] for u in reversed(range(problem.stages))), -value)
    return picks[np.lexsort(keys)]


def _diverse(picks: np.ndarray, n: int, apart: int) -> np.ndarray:
    """The first ``n`` picks that differ from all earlier ones in at least ``apart`` stages."""
    if apart <= 1:
        return picks[:n]
    kept: list[np.ndarray] = []
    for pick in picks:
        if len(kept) == n:
            break
        if not kept or ((np.stack(kept) != pick).sum(axis=1) >= apart).all():
            kept.append(pick)
    return np.stack(kept) if kept else picks[:0]


class PricedProblem(Protocol):
    """A problem that `dual_prices` can price: one option per slot, or one part per stage."""

    @property
    def bounds(self) -> np.ndarray: ...

    @property
    def scores(self) -> tuple[np.ndarray, ...]: ...

    @property
    def costs(self) -> tuple[np.ndarray, ...]: ...

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]: ...


def dual_prices(problem: PricedProblem) -> np.ndarray | None:
    """Dual prices of the bounds by cutting planes (Kelley, 1960), (bounds,).

    None if the relaxation has no solution.
    """
    count = len(problem.bounds)
    if not count:
        return np.zeros(0)
    # Scaling each cost by its spread makes all prices of one size.
    unit = np.array([sum(np.ptp(c[:, k]) for c in problem.costs) or 1.0 for k in range(count)])
    worth = sum(np.ptp(s) for s in problem.scores) or 1.0
    scale = worth / unit
    bounds = (problem.bounds + rounding_slack(problem)) * scale
    least = sum(float(s.min()) for s in problem.scores)
    rows: list[np.ndarray] = []
    heights: list[float] = []
    prices, best, lowest = np.zeros(count), np.zeros(count), np.inf
    for _ in range(_MAX_CUTS):
        score, spent = problem.best_at(prices * scale)
        left = bounds - spent * scale
        height = score + float(left @ prices)
        if height < lowest:
            best, lowest = prices, height
        if lowest < least - 1e-9 * worth:
            return None
        rows.append(np.append(left, -1.0))
        heights.append(-score)
        step: Any = linprog(
            np.append(np.zeros(count), 1.0),
            A_ub=np.stack(rows),
            b_ub=heights,
            bounds=[(0, _MAX_PRICE)] * count + [(None, None)],
        )
        if step.x is None or step.fun >= lowest - 1e-9 * worth:
            break
        prices = step.x[:-1]
    return best * scale


def enumerate_gap(
    problem: Problem, deficits: Sequence[np.ndarray], gap: float, n: int | None, limit: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Enumerates the picks whose deficits sum to at most ``gap``.

    Returns
    -------
    The feasible picks, at least the ``n`` best of them (all if None); and those of them whose value is
    within ``gap`` of ``limit``, which no other pick exceeds. None if there are too many to enumerate.
    """
    gap *= 1 + 1e-12
    fewer = min(1.0, _FULL_EFFORT_STAGES / len(deficits))
    most, held = int(_MAX_COMBINATIONS * fewer * problem.effort), int(_MAX_HELD * fewer)
    order = sorted(range(len(deficits)), key=lambda u: int((deficits[u] <= gap).sum()))
    ranks = {u: np.argsort(deficits[u], kind="stable")[: int((deficits[u] <= gap).sum())] for u in order}
    picks, sums = np.zeros((1, 0), dtype=np.int32), np.zeros(1)
    for u in order[:-1]:
        counts = np.searchsorted(deficits[u][ranks[u]], gap - sums, side="right")
        if counts.sum() > held:
            return None
        picks, sums = _joined(picks, sums, counts, ranks[u], deficits[u])
    last = order[-1]
    counts = np.searchsorted(deficits[last][ranks[last]], gap - sums, side="right")
    ends = np.cumsum(counts)
    if ends[-1] > most:
        return None
    feasible = certain = np.empty((0, len(deficits)), dtype=np.int64)
    starts = np.searchsorted(ends, np.arange(0, ends[-1], _CHUNK), side="right")
    for start, stop in pairwise([*np.unique(starts), len(counts)]):
        part = slice(start, stop)
        some, _ = _joined(picks[part], sums[part], counts[part], ranks[last], deficits[last])
        some = some[:, np.argsort(order)].astype(np.int64)
        some = some[problem.feasible(some)]
        value = problem.values(some)
        certain = np.concatenate([certain, some[value >= limit - gap]])
        feasible = np.concatenate([feasible, some])
        if n is None and len(feasible) > held:
            return None
        if n is not None and len(feasible) > 4 * max(n, _CHUNK):
            best = np.argpartition(-problem.values(feasible), n)[:n]
            feasible = feasible[best]
    return feasible, certain


def _joined(
    picks: np.ndarray, sums: np.ndarray, counts: np.ndarray, ranks: np.ndarray, deficits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Extends every pick by each of the first ``counts`` modules of one more stage."""
    rows = np.repeat(np.arange(len(sums)), counts)
    which = ranks[np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)]
    return np.column_stack([picks[rows], which.astype(np.int32)]), sums[rows] + deficits[which]


def _solve_programs(
    problem: Problem, n: int, apart: int, listed: np.ndarray, proven: int, limit: float = np.inf
) -> TopK:
    """The proven picks, then more by one integer program each, then the rest of the listed picks."""
    picks = list(listed[:proven])
    while len(picks) < min(n, _MAX_PROGRAMS):
        pick = _solve_program(problem, picks, apart)
        if pick is None:
            return TopK(np.stack(picks) if picks else listed[:0], len(picks), limit)
        picks.append(pick)
    proven = len(picks)
    for pick in listed:
        if len(picks) < n and all((pick != other).sum() >= max(apart, 1) for other in picks):
            picks.append(pick)
    return TopK(np.stack(picks), proven, limit)


def _solve_program(problem: Problem, before: Sequence[np.ndarray], apart: int) -> np.ndarray | None:
    """The best pick that differs from all earlier ones in at least ``apart`` stages; None if none exists."""
    found = integer_program(problem, before, apart)
    if found.x is None:
        return None
    starts = np.cumsum([0, *(len(s) for s in problem.scores)])
    return np.array([int(np.argmax(found.x[a:b])) for a, b in pairwise(starts)])


def integer_program(
    problem: Problem, before: Sequence[np.ndarray], apart: int, nodes: int | None = None
) -> Any:
    """Solves the problem as an integer program with HiGHS, to be minimised; stops after ``nodes`` nodes."""
    sizes = [len(s) for s in problem.scores]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    stage = np.repeat(np.arange(problem.stages), sizes)
    one = csr_matrix((np.ones(starts[-1]), (stage, np.arange(starts[-1]))))
    constraints = [LinearConstraint(one, 1, 1)]
    if len(problem.bounds):
        constraints.append(
            LinearConstraint(
                np.concatenate(problem.costs).T, ub=(problem.bounds + rounding_slack(problem)).tolist()
            )
        )
    if before:
        columns = np.concatenate([pick + starts[:-1] for pick in before])
        rows = np.repeat(np.arange(len(before)), problem.stages)
        cuts = csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(len(before), starts[-1]))
        constraints.append(LinearConstraint(cuts, -np.inf, problem.stages - max(apart, 1)))
    return milp(
        -np.concatenate(problem.scores),
        constraints=constraints,
        integrality=np.ones(starts[-1]),
        bounds=(0, 1),
        options={"mip_rel_gap": 0.0, **({} if nodes is None else {"node_limit": nodes})},
    )
