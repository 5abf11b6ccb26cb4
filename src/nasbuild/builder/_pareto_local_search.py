"""Pareto local search: follows swaps of single modules from some architectures, by the prediction y'."""

from __future__ import annotations

import moocore
import numpy as np

from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._subset_selection import farthest_points

_MAX_ROUNDS = 100
_EXPANDED = 32  # picks whose swaps are evaluated in a round
_MAX_CELLS = 4_000_000  # swaps times targets in memory
_MAX_FRONT = 600  # picks of a front that are kept


def pareto_local_search(predicted: PairwisePrediction, signs: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Improves a front by swaps of single modules (Paquete, Chiarandini & Stützle, 2004).

    All swaps are evaluated for every pick on the front, until none extends it. A front of more than
    600 picks is reduced by farthest-point sampling.

    Parameters
    ----------
    signs
        Signs of the first targets, whose front is sought, (targets,).
    starts
        At least one pick within the bounds on costs, (picks, stages).

    Returns
    -------
    Mutually non-dominated picks within the bounds on costs, (picks, stages). If some of the starts
    are within the bounds on targets by prediction, all returned picks are.
    """
    rng = np.random.default_rng(0)
    count = len(signs)
    picks = np.unique(starts, axis=0)
    values = predicted.values(picks)
    inside = predicted.within(values)
    strict = bool(inside.any())
    if strict:
        picks, values = picks[inside], values[inside]
    values = values[:, :count] * signs
    kept = _front(values)
    picks, values = picks[kept], values[kept]
    done = np.zeros(len(picks), dtype=bool)
    widest = max(len(score) for score in predicted.scores) * len(predicted.pairs)
    at_once = max(1, min(_EXPANDED, _MAX_CELLS // widest))
    for _ in range(_MAX_ROUNDS):
        todo = np.flatnonzero(~done)
        if not len(todo):
            break
        todo = rng.permutation(todo)[:at_once]
        done[todo] = True
        looked, found = picks[todo], [(picks, values)]
        for u in range(picks.shape[1]):
            swapped = predicted.swaps(looked, u)
            good = (predicted.swap_costs(looked, u) <= predicted.upper).all(axis=-1)
            if strict:
                good &= predicted.within(swapped)
            row, module = np.nonzero(good)
            new = swapped[row, module, :count] * signs
            best = _beyond(new, values)
            changed = looked[row[best]]
            changed[:, u] = module[best]
            found.append((changed, new[best]))
        picks, values = (np.concatenate(part) for part in zip(*found, strict=True))
        done = np.concatenate([done, np.zeros(len(picks) - len(done), dtype=bool)])
        # A pick may be reached in several ways, whose values differ by rounding.
        once = np.sort(np.unique(picks, axis=0, return_index=True)[1])
        picks, values, done = picks[once], values[once], done[once]
        kept = _front(values)
        kept = kept[farthest_points(values[kept], _MAX_FRONT)]
        picks, values, done = picks[kept], values[kept], done[kept]
    return picks


def _front(values: np.ndarray) -> np.ndarray:
    """Positions of non-dominated rows; of equal rows the first."""
    return np.flatnonzero(moocore.is_nondominated(values, maximise=True, keep_weakly=False))


def _beyond(values: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Positions of rows not weakly dominated by each other or by a front."""
    # Rounding can make a pick look better than itself: smaller gains do not count.
    least = 1e-9 * np.maximum(np.ptp(front, axis=0), 1e-300)
    both = np.concatenate([front + least, values])
    kept = moocore.is_nondominated(both, maximise=True, keep_weakly=False)
    return np.flatnonzero(kept[len(front) :])
