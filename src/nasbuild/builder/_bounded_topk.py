"""The k best sums of one module per stage under bounds on other sums, without enumerating the space.

This is a multiple-choice knapsack problem with several constraints. Sums that are proven to be the best
are exact; how many are proven is returned as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nasbuild.builder._dual_prices import price_bounds
from nasbuild.builder._integer_program import integer_program
from nasbuild.builder._knapsack_problem import TOLERANCE, Problem
from nasbuild.builder._swapped_picks import swapped_picks

_MAX_COMBINATIONS = 30_000_000  # combinations that are enumerated
_MAX_HELD = 2_000_000  # combinations of all stages but one in memory
_FULL_EFFORT_STAGES = 12  # with more stages, both limits shrink in proportion
_CHUNK = 200_000
_MAX_PROGRAMS = 1  # integer programs solved for a problem


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
    best of those enumerated, and of those with one or two stages swapped, follow, unproven.

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
            gap = min(gap, limit - float(np.sort(problem.values(feasible))[-n]) + TOLERANCE * widest)
    found = _diverse(_ordered(problem, feasible), n, apart)
    proven = int((problem.values(found) >= limit - searched).sum())
    return _solve_programs(problem, n, apart, found, proven, limit)


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
        joined, _ = _joined(picks[part], sums[part], counts[part], ranks[last], deficits[last])
        joined = joined[:, np.argsort(order)].astype(np.int64)
        joined = joined[problem.feasible(joined)]
        value = problem.values(joined)
        certain = np.concatenate([certain, joined[value >= limit - gap]])
        feasible = np.concatenate([feasible, joined])
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
    """The proven picks, then more by one integer program each, then the best listed picks and those near the first."""
    picks = list(listed[:proven])
    while len(picks) < min(n, _MAX_PROGRAMS):
        pick = _solve_program(problem, picks, apart)
        if pick is None:
            return TopK(np.stack(picks) if picks else listed[:0], len(picks), limit)
        picks.append(pick)
    proven = len(picks)
    rest = listed
    if len(picks) < n:
        # Few or none may be listed, but there are always neighbours of the best.
        near = swapped_picks(problem, picks[0], 4 * n)
        rest = np.concatenate([listed, near])
        rest = rest[np.argsort(-problem.values(rest), kind="stable")]
    for pick in rest:
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
