"""The front of summed scores within bounds: as a whole, or by the ε-constraint method."""

from __future__ import annotations

import numpy as np

from nasbuild.builder._additive_front import additive_front
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._knapsack_problem import Problem

_PICKS_PER_LEVEL = 2


def sobol(dimensions: int, count: int) -> np.ndarray:
    """The first points of the Sobol sequence, (count, dimensions)."""
    from scipy.stats import qmc  # takes half a second to import, and only serves more than two targets

    return qmc.Sobol(dimensions, scramble=False).random(1 << (count - 1).bit_length())[:count]


def additive_front_picks(
    worth: tuple[np.ndarray, ...], problem: Problem, levels: int, *, whole: bool
) -> np.ndarray:
    """Returns picks along the front of summed values within a problem's bounds.

    Parameters
    ----------
    worth
        For each stage, (modules, targets); larger is better.
    problem
        Supplies costs and bounds.
    levels
        ε-levels per target, if the front is not enumerated.
    whole
        Whether to enumerate the whole front if targets and bounds are at most three.

    Returns
    -------
    (picks, stages); no picks if nothing is within the bounds.
    """
    picks = _listed(worth, problem) if whole else None
    return _sweep(worth, problem, levels) if picks is None else picks


def _listed(worth: tuple[np.ndarray, ...], problem: Problem) -> np.ndarray | None:
    """The front of sums within the bounds; None if it can't be enumerated, or nothing of it is within.

    Each bounded cost counts as one more sum to minimise, so no feasible non-dominated pick is lost.
    """
    picks = additive_front([np.column_stack([w, -c]) for w, c in zip(worth, problem.costs, strict=True)])
    if picks is None:
        return None
    picks = picks[problem.feasible(picks)]
    return picks if len(picks) else None


def _sweep(worth: tuple[np.ndarray, ...], within: Problem, levels: int) -> np.ndarray:
    """Picks along the front by the ε-constraint method, (picks, stages); none if nothing is feasible."""
    targets = worth[0].shape[1]

    def best(first: int, least: dict[int, float], count: int) -> np.ndarray:
        held = list(least)
        problem = Problem(
            tuple(w[:, first] for w in worth),
            tuple(np.column_stack([c, -w[:, held]]) for c, w in zip(within.costs, worth, strict=True)),
            np.concatenate([within.bounds, [-least[t] for t in held]]),
        )
        return bounded_topk(problem, count).picks

    ends = [best(t, {}, 1) for t in range(targets)]
    if not all(len(end) for end in ends):
        return np.empty((0, len(worth)), dtype=np.int64)
    reached = np.array([sum(w[end[0, u]] for u, w in enumerate(worth)) for end in ends])
    low, high = reached.min(axis=0), reached.max(axis=0)
    found = [*ends]
    for t in range(targets):
        others = [o for o in range(targets) if o != t]
        for level in _levels(len(others), levels):
            least = {o: float(low[o] + x * (high[o] - low[o])) for o, x in zip(others, level, strict=True)}
            found.append(best(t, least, _PICKS_PER_LEVEL))
    return np.unique(np.concatenate(found), axis=0)


def _levels(others: int, count: int) -> np.ndarray:
    """Evenly spread points in the unit cube, (count, others)."""
    if others == 1:
        return np.linspace(0, 1, count)[:, None]
    return sobol(others, count)
