"""The best architectures by the prediction y' within bounds: exhaustive in small spaces, else beam search."""

from __future__ import annotations

import math

import numpy as np

from nasbuild.builder._pairwise_prediction import PairwisePrediction

LISTED = 1_000_000
"""Largest number of combinations that are enumerated; larger spaces are searched."""
WIDTH = 200
"""Smallest width of the beam."""
_EXPANDED = 32  # picks whose swaps are evaluated in a round
_CHUNK = 100_000


def best_predicted_picks(
    predicted: PairwisePrediction, sign: int, starts: np.ndarray, n: int
) -> tuple[np.ndarray, bool]:
    """Returns up to ``n`` picks with the best y' of the first target, best first.

    Up to `LISTED` combinations are enumerated. Larger spaces are searched by `beam_search` with a
    beam of ``n``, at least `WIDTH`. Picks that violate bounds on targets come after all others,
    smallest excess first, so that the search can find its way into the bounds.

    Parameters
    ----------
    sign
        1 if y' is maximised, -1 if minimised.
    starts
        Picks within the bounds on costs, (picks, stages); at least one if the space is searched.

    Returns
    -------
    (picks, stages), all within the bounds on costs, and whether they are proven to be the best.
    """
    sizes = tuple(len(scores) for scores in predicted.scores)
    whole = math.prod(sizes) <= LISTED
    if whole:
        return _all(predicted, sign, sizes, n), True
    return beam_search(predicted, sign, starts, max(n, WIDTH))[:n], False


def _all(predicted: PairwisePrediction, sign: int, sizes: tuple[int, ...], n: int) -> np.ndarray:
    best = np.empty((0, len(sizes)), dtype=np.int64)
    for start in range(0, math.prod(sizes), _CHUNK):
        stop = min(start + _CHUNK, math.prod(sizes))
        picks = np.column_stack(np.unravel_index(np.arange(start, stop), sizes))
        best = _held(predicted, sign, np.concatenate([best, picks[predicted.affordable(picks)]]), n)
    return best


def beam_search(predicted: PairwisePrediction, sign: int, starts: np.ndarray, width: int) -> np.ndarray:
    """Follows swaps of single modules from the starts and returns the best ``width`` picks found.

    The best ``width`` picks are held, and all their swaps are evaluated, until no swap improves on
    the last one held. The order is that of `best_predicted_picks`.
    """
    picks = _held(predicted, sign, starts, width)
    # Expanded picks: none is expanded twice, even if rounding changes its place.
    seen: set[tuple[int, ...]] = set()
    while todo := [i for i, pick in enumerate(picks.tolist()) if tuple(pick) not in seen][:_EXPANDED]:
        looked, found = picks[todo], [picks]
        seen |= {tuple(pick) for pick in looked.tolist()}
        # Swaps that are no better than the last pick held would be dropped at once.
        last = _keys(predicted, sign, predicted.values(picks[-1:]))[:, 0] if len(picks) == width else None
        for u in range(picks.shape[1]):
            keys = _keys(predicted, sign, predicted.swaps(looked, u))
            good = (predicted.swap_costs(looked, u) <= predicted.upper).all(axis=-1)
            if last is not None:
                good &= (keys[0] < last[0]) | ((keys[0] == last[0]) & (keys[1] < last[1]))
            row, module = np.nonzero(good)
            best = np.lexsort((keys[1][row, module], keys[0][row, module]))[:width]
            changed = looked[row[best]]
            changed[:, u] = module[best]
            found.append(changed)
        picks = _held(predicted, sign, np.concatenate(found), width)
    return picks


def _keys(predicted: PairwisePrediction, sign: int, values: np.ndarray) -> np.ndarray:
    """Sort keys, (2, ...), smaller is better: excess over the bounds on targets, then y'."""
    return np.stack([predicted.excess(values), -sign * values[..., 0]])


def _held(predicted: PairwisePrediction, sign: int, picks: np.ndarray, width: int) -> np.ndarray:
    """The best ``width`` distinct picks, best first; equal ones in lexicographic order."""
    picks = np.unique(picks, axis=0)
    over, value = _keys(predicted, sign, predicted.values(picks))
    return picks[np.lexsort((value, over))[:width]]
