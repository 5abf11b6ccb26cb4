"""One module a stage, the largest sums first, under bounds on other sums: exact, without listing the space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import csr_matrix

_MOST = 30_000_000  # combinations that are gone through
_HELD = 2_000_000  # combinations of all stages but one, which are held at a time
_STAGES = 12  # of more stages, as many fewer combinations
_CHUNK = 200_000
_PROGRAMMES = 1  # picks that are worth an integer programme each
_CUTS = 200  # steps of the search for prices
_STEEPEST = 1e7  # price at which no choice satisfies the bounds
_TOLERANCE = 1e-9  # of a bound's scale, by which rounding may exceed it


@dataclass(frozen=True)
class Problem:
    """Scores to add up, costs that are bounded.

    Attributes
    ----------
    scores
        For each stage, (modules,).
    costs, bounds
        For each stage (modules, bounds), and the most that each sum may be, (bounds,).
    """

    scores: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    bounds: np.ndarray

    effort: ClassVar[float] = 1.0
    """Share of the combinations that are gone through elsewhere: fewer where one takes longer."""

    @property
    def stages(self) -> int:
        return len(self.scores)

    def of_bounds(self, kept: np.ndarray) -> Self:
        """With some of the bounds only."""
        if len(kept) == len(self.bounds):
            return self
        return replace(self, costs=tuple(c[:, kept] for c in self.costs), bounds=self.bounds[kept])

    def feasible(self, picks: np.ndarray) -> np.ndarray:
        """Which picks, (picks, stages), stay within all bounds."""
        total = sum(cost[picks[:, u]] for u, cost in enumerate(self.costs))
        return np.all(total <= self.bounds + rounding_slack(self), axis=1)

    def values(self, picks: np.ndarray) -> np.ndarray:
        """Summed scores of picks."""
        return np.sum([score[picks[:, u]] for u, score in enumerate(self.scores)], axis=0)

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]:
        """Score and costs of what is best where costs are paid for, the scores at first."""
        picks = [int(np.argmax(s - c @ prices)) for s, c in zip(self.scores, self.costs, strict=True)]
        score = sum(float(s[p]) for s, p in zip(self.scores, picks, strict=True))
        return score, np.sum([c[p] for c, p in zip(self.costs, picks, strict=True)], axis=0)


@dataclass(frozen=True)
class TopK:
    """Picks, best first, (picks, stages), and how many of the first ones are proven to be the best.

    ``upper`` is a value that no pick exceeds.
    """

    picks: np.ndarray
    n_proven: int
    upper: float = np.inf

    def __len__(self) -> int:
        return len(self.picks)


def bounded_topk(problem: Problem, n: int, apart: int = 1) -> TopK:
    """The ``n`` picks with the largest sums within the bounds.

    Every pick differs from each one before it in at least ``apart`` stages. Fewer come back where
    there are no more; none proves that nothing is feasible. Equal sums come in the order of picks.

    How: prices on the bounds (the dual of the linear relaxation) turn the problem into plain sums,
    whose best is an upper limit on all. A pick whose priced sum is more than a gap below that limit
    can't beat what is feasible within the gap; so all picks within a gap are listed, and the gap is
    widened until enough of them are feasible. Where there is too much to go through, an integer
    programme finds the first one (HiGHS), and the best of what was listed follows, not proven.
    """
    nothing = np.empty((0, problem.stages), dtype=np.int64)
    bound = price_bounds(problem)
    if bound is None:
        return TopK(nothing, 0, -np.inf)
    problem, limit, deficits = bound
    widest = float(sum(d.max() for d in deficits))
    gap, feasible, searched = max(widest * 1e-4, 1e-12), nothing, 0.0
    while (listed := within_gap(problem, deficits, gap, n if apart <= 1 else None, limit)) is not None:
        feasible, sure = listed
        found = _apart(_ordered(problem, sure if gap < widest else feasible), n, apart)
        if len(found) >= n or gap >= widest:
            return TopK(found, len(found), limit)
        searched, gap = gap, 1.5 * gap
        if apart <= 1 and len(feasible) >= n:
            # So many are feasible beyond this gap that no wider one is needed.
            gap = min(gap, limit - float(np.sort(problem.values(feasible))[-n]) + _TOLERANCE * widest)
    found = _apart(_ordered(problem, feasible), n, apart)
    proven = int((problem.values(found) >= limit - searched).sum())
    return _by_programmes(problem, n, apart, found, proven, limit)


def price_bounds(problem: Problem) -> tuple[Problem, float, list[np.ndarray]] | None:
    """The problem without bounds that always hold, what no pick exceeds, and by how much each option's priced score falls short.

    None if nothing is within the bounds, as far as prices tell.
    """
    if not all(len(score) for score in problem.scores):
        return None
    # A bound far away is none, or can't be met: its size must not spoil the scale of the others.
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
    """By how much sums may exceed the bounds, (bounds,): what rounding does to them."""
    scale = np.where(np.isfinite(problem.bounds), np.abs(problem.bounds), 0) + sum(
        np.abs(c).max(axis=0) for c in problem.costs
    )
    return _TOLERANCE * scale


def _ordered(problem: Problem, picks: np.ndarray) -> np.ndarray:
    value = problem.values(picks)
    keys = (*(picks[:, u] for u in reversed(range(problem.stages))), -value)
    return picks[np.lexsort(keys)]


def _apart(picks: np.ndarray, n: int, apart: int) -> np.ndarray:
    """The first ``n``, each of which differs from all before it in enough stages."""
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
    """What prices are found for: one option a slot, or one part a stage, each with its slots."""

    @property
    def bounds(self) -> np.ndarray: ...

    @property
    def scores(self) -> tuple[np.ndarray, ...]: ...

    @property
    def costs(self) -> tuple[np.ndarray, ...]: ...

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]: ...


def dual_prices(problem: PricedProblem) -> np.ndarray | None:
    """Prices of the bounds by cutting planes (Kelley, 1960); None if the relaxation has no solution."""
    count = len(problem.bounds)
    if not count:
        return np.zeros(0)
    # In units of their own spread all prices are of one size.
    unit = np.array([sum(np.ptp(c[:, k]) for c in problem.costs) or 1.0 for k in range(count)])
    worth = sum(np.ptp(s) for s in problem.scores) or 1.0
    scale = worth / unit
    bounds = (problem.bounds + rounding_slack(problem)) * scale
    least = sum(float(s.min()) for s in problem.scores)
    rows: list[np.ndarray] = []
    heights: list[float] = []
    prices, best, lowest = np.zeros(count), np.zeros(count), np.inf
    for _ in range(_CUTS):
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
            bounds=[(0, _STEEPEST)] * count + [(None, None)],
        )
        if step.x is None or step.fun >= lowest - 1e-9 * worth:
            break
        prices = step.x[:-1]
    return best * scale


def within_gap(
    problem: Problem, deficits: Sequence[np.ndarray], gap: float, n: int | None, limit: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Feasible picks whose deficits sum to at most ``gap``; None if there are too many to go through.

    Returns
    -------
    Feasible picks, of which at least the ``n`` best ones (all if None), and those whose value is within the gap: no
    pick elsewhere is better than these.
    """
    gap *= 1 + 1e-12
    fewer = min(1.0, _STAGES / len(deficits))
    most, held = int(_MOST * fewer * problem.effort), int(_HELD * fewer)
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
    feasible = sure = np.empty((0, len(deficits)), dtype=np.int64)
    starts = np.searchsorted(ends, np.arange(0, ends[-1], _CHUNK), side="right")
    for start, stop in pairwise([*np.unique(starts), len(counts)]):
        part = slice(start, stop)
        some, _ = _joined(picks[part], sums[part], counts[part], ranks[last], deficits[last])
        some = some[:, np.argsort(order)].astype(np.int64)
        some = some[problem.feasible(some)]
        value = problem.values(some)
        sure = np.concatenate([sure, some[value >= limit - gap]])
        feasible = np.concatenate([feasible, some])
        if n is None and len(feasible) > held:
            return None
        if n is not None and len(feasible) > 4 * max(n, _CHUNK):
            best = np.argpartition(-problem.values(feasible), n)[:n]
            feasible = feasible[best]
    return feasible, sure


def _joined(
    picks: np.ndarray, sums: np.ndarray, counts: np.ndarray, ranks: np.ndarray, deficits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every pick with each of its first so many modules of one more stage."""
    rows = np.repeat(np.arange(len(sums)), counts)
    which = ranks[np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)]
    return np.column_stack([picks[rows], which.astype(np.int32)]), sums[rows] + deficits[which]


def _by_programmes(
    problem: Problem, n: int, apart: int, listed: np.ndarray, proven: int, limit: float = np.inf
) -> TopK:
    """What is proven already, some more by an integer programme each, then what else was listed."""
    picks = list(listed[:proven])
    while len(picks) < min(n, _PROGRAMMES):
        pick = _programme(problem, picks, apart)
        if pick is None:
            return TopK(np.stack(picks) if picks else listed[:0], len(picks), limit)
        picks.append(pick)
    proven = len(picks)
    for pick in listed:
        if len(picks) < n and all((pick != other).sum() >= max(apart, 1) for other in picks):
            picks.append(pick)
    return TopK(np.stack(picks), proven, limit)


def _programme(problem: Problem, before: Sequence[np.ndarray], apart: int) -> np.ndarray | None:
    """The best pick that differs from those before it in at least ``apart`` stages."""
    found = programme(problem, before, apart)
    if found.x is None:
        return None
    starts = np.cumsum([0, *(len(s) for s in problem.scores)])
    return np.array([int(np.argmax(found.x[a:b])) for a, b in pairwise(starts)])


def programme(problem: Problem, before: Sequence[np.ndarray], apart: int, nodes: int | None = None) -> Any:
    """What HiGHS makes of it, to be minimised; it ends after so many ``nodes``."""
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
