"""The best architectures by the prediction y', within bounds on it: all of a small space, else by swaps of single modules."""

from __future__ import annotations

import math

import numpy as np

from nasbuild.builder._pairwise_prediction import PairwisePrediction

LISTED = 1_000_000
"""Combinations that are gone through one by one; of more, the best are found by swaps."""
WIDTH = 200
"""Picks that are held at least, where swaps are followed."""
_AT_ONCE = 32  # picks whose swaps are looked at in a round
_CHUNK = 100_000


def best_predicted_picks(
    predicted: PairwisePrediction, sign: int, starts: np.ndarray, n: int
) -> tuple[np.ndarray, bool]:
    """Up to ``n`` picks with the best y' of the first target, best first: those within the bounds on targets, then others.

    Where the modules have more than `LISTED` combinations, a local search: from the starts all swaps of single modules
    are looked at, of everything found the best ``n`` (at least 200) are held, and their swaps looked at in turn, until
    none of them leads to anything better than the last one held. What is beyond bounds on targets comes after
    all that is within, least beyond first: so the search finds its way in.

    Parameters
    ----------
    sign
        1 if y' is to be large, -1 if small.
    starts
        Within the costs, (picks, stages), at least one where the search is needed.

    Returns
    -------
    (picks, stages), all within the costs, and whether they are proven to be the best.
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
    """The best ``width`` of all that swaps of single modules lead to from the starts, as in `best_predicted_picks`."""
    picks = _held(predicted, sign, starts, width)
    seen: set[tuple[int, ...]] = (
        set()
    )  # whose swaps were looked at: no pick twice, though rounding may order it anew
    while todo := [i for i, pick in enumerate(picks.tolist()) if tuple(pick) not in seen][:_AT_ONCE]:
        looked, found = picks[todo], [picks]
        seen |= {tuple(pick) for pick in looked.tolist()}
        # What is no better than the last one held would go at once.
        last = _keys(predicted, sign, predicted.values(picks[-1:]))[:, 0] if len(picks) == width else None
        for u in range(picks.shape[1]):
            keys = _keys(predicted, sign, predicted.swaps(looked, u))
            good = (predicted.spent(looked, u) <= predicted.upper).all(axis=-1)
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
    """By what picks are ordered, the smaller the better, (2, ...): how far beyond the bounds, then y'."""
    return np.stack([predicted.over(values), -sign * values[..., 0]])


def _held(predicted: PairwisePrediction, sign: int, picks: np.ndarray, width: int) -> np.ndarray:
    """The best of some picks, each once, best first; of equal ones, the first by position."""
    picks = np.unique(picks, axis=0)
    over, value = _keys(predicted, sign, predicted.values(picks))
    return picks[np.lexsort((value, over))[:width]]
