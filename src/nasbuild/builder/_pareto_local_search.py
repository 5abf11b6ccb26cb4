"""From some architectures to all that swapping single modules makes of their front, by the prediction y'."""

from __future__ import annotations

import moocore
import numpy as np

from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._subset_selection import farthest_points

_ROUNDS = 100
_AT_ONCE = 32  # picks whose swaps are looked at in a round
_CELLS = 4_000_000  # swaps times targets that are held at a time
_HELD = 600  # picks of a front that go on


def pareto_local_search(predicted: PairwisePrediction, signs: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Picks that no other pick found beats, (picks, stages), by predictions of the first ``signs`` targets.

    Pareto local search (Paquete, Chiarandini & Stützle, 2004): all swaps of a single module are
    looked at for every pick on the front, until none adds to it. Of a front of more than `_HELD`
    picks those that lie furthest apart go on. The bounds hold for all that is added; where some of
    the starts are within them by prediction as well, so is all that comes back.

    Parameters
    ----------
    starts
        Within the costs, (picks, stages), at least one.
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
    at_once = max(1, min(_AT_ONCE, _CELLS // widest))
    for _ in range(_ROUNDS):
        todo = np.flatnonzero(~done)
        if not len(todo):
            break
        todo = rng.permutation(todo)[:at_once]
        done[todo] = True
        looked, found = picks[todo], [(picks, values)]
        for u in range(picks.shape[1]):
            swapped = predicted.swaps(looked, u)
            good = (predicted.spent(looked, u) <= predicted.upper).all(axis=-1)
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
        # A pick may be reached in several ways, and differ by rounding.
        once = np.sort(np.unique(picks, axis=0, return_index=True)[1])
        picks, values, done = picks[once], values[once], done[once]
        kept = _front(values)
        kept = kept[farthest_points(values[kept], _HELD)]
        picks, values, done = picks[kept], values[kept], done[kept]
    return picks


def _front(values: np.ndarray) -> np.ndarray:
    """Positions of rows that no other beats, the first of equal ones."""
    return np.flatnonzero(moocore.is_nondominated(values, maximise=True, keep_weakly=False))


def _beyond(values: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Positions of rows that neither each other nor a front beats or equals."""
    # Rounding makes a pick look better than itself: what adds less than that is no gain.
    least = 1e-9 * np.maximum(np.ptp(front, axis=0), 1e-300)
    both = np.concatenate([front + least, values])
    kept = moocore.is_nondominated(both, maximise=True, keep_weakly=False)
    return np.flatnonzero(kept[len(front) :])
