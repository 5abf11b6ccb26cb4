"""Dual prices of bounds, by the linear relaxation of a knapsack problem."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linprog

from nasbuild.builder._knapsack_problem import PricedProblem, Problem, rounding_slack

_MAX_CUTS = 200  # cutting planes in the search for dual prices
_MAX_PRICE = 1e7  # at this price, nothing satisfies the bounds


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
        prices, floor = _lowest_point(np.stack(rows), np.array(heights))
        if floor >= lowest - 1e-9 * worth:
            break
    return best * scale


def _lowest_point(rows: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, float]:
    """Prices at which the highest of all cutting planes is lowest, and its height, infinite if unknown."""
    count = rows.shape[1] - 1
    if count <= 2:
        return _lowest_crossing(rows[:, :-1], -heights)
    found: Any = linprog(
        np.append(np.zeros(count), 1.0),
        A_ub=rows,
        b_ub=heights,
        bounds=[(0, _MAX_PRICE)] * count + [(None, None)],
    )
    return (np.zeros(count), np.inf) if found.x is None else (found.x[:-1], float(found.fun))


def _lowest_crossing(slopes: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, float]:
    """The same for one or two bounds, thirty times as fast as `linprog`, which checks its arguments at length.

    The last plane lies above the previous lowest point, so the lowest point is now on it: where it meets two others,
    or the ends of prices.
    """
    planes = np.zeros((len(levels), 3))
    planes[:, : slopes.shape[1]], planes[:, 2] = slopes, levels
    ends = [[1, 0, 0], [1, 0, -_MAX_PRICE], [0, 1, 0], [0, 1, -_MAX_PRICE]]
    # Lines a x + b y + c = 0 of prices x and y.
    lines = np.concatenate([planes[:-1] - planes[-1], ends])
    one, other = np.triu_indices(len(lines), 1)
    crossings = np.cross(lines[one], lines[other])
    crossings = crossings[crossings[:, 2] != 0]  # the others are parallel
    points = np.clip(crossings[:, :2] / crossings[:, 2:], 0, _MAX_PRICE)
    tops = (points @ planes[:, :2].T + levels).max(axis=1)
    lowest = int(np.argmin(tops))
    return points[lowest, : slopes.shape[1]], float(tops[lowest])
