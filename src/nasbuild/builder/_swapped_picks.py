"""Picks near a pick: one or two stages swapped, within all bounds."""

from __future__ import annotations

import numpy as np

from nasbuild.builder._knapsack_problem import Problem, rounding_slack

_MOST = 1_500  # swaps that are combined in pairs


def swapped_picks(problem: Problem, pick: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` picks with the largest sums that differ from a feasible pick in one or two stages, best first.

    Of more than 1,500 swaps of one stage, those with the largest score for what they use of the bounds are combined.

    Returns
    -------
    np.ndarray
        (picks, stages); fewer if no more are within the bounds.
    """
    stage = np.concatenate([np.full(len(own) - 1, u) for u, own in enumerate(problem.scores)])
    option = np.concatenate([np.delete(np.arange(len(own)), pick[u]) for u, own in enumerate(problem.scores)])
    gain = np.concatenate([np.delete(own - own[pick[u]], pick[u]) for u, own in enumerate(problem.scores)])
    spent = np.concatenate(
        [np.delete(own - own[pick[u]], pick[u], axis=0) for u, own in enumerate(problem.costs)]
    )
    left = problem.bounds + rounding_slack(problem) - sum(own[pick[u]] for u, own in enumerate(problem.costs))
    if len(gain) > _MOST:
        # Swaps that gain little and spend much can't be in a good pair.
        scale = np.abs(spent).max(axis=0, initial=0)
        worth = gain - np.abs(gain).max() * (spent / np.where(scale > 0, scale, 1)).sum(axis=1)
        kept = np.sort(np.union1d(np.argsort(-worth)[: _MOST // 2], np.argsort(-gain)[: _MOST // 2]))
        stage, option, gain, spent = stage[kept], option[kept], gain[kept], spent[kept]
    alone = np.flatnonzero((spent <= left).all(axis=1))
    first, second = np.triu_indices(len(gain), 1)
    apart = stage[first] != stage[second]
    first, second = first[apart], second[apart]
    both = (spent[first] + spent[second] <= left).all(axis=1)
    first, second = np.append(alone, first[both]), np.append(alone, second[both])
    total = np.append(gain[alone], gain[first[len(alone) :]] + gain[second[len(alone) :]])
    best = np.argsort(-total, kind="stable")[:count]
    found = np.repeat(pick[None], len(best), axis=0)
    rows = np.arange(len(best))
    for own in (first[best], second[best]):
        found[rows, stage[own]] = option[own]
    return found
