"""The front of sums of two or three scores, one stage after another."""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np

_MOST_TARGETS = 3  # of more, nearly everything is on the front
_MOST_SUMS = 1 << 18  # that are compared at a time
_CELLS = 1024  # along every target, by which a front that is too long is thinned out at first


def additive_front(worth: Sequence[np.ndarray]) -> np.ndarray | None:
    """Picks, one module of each stage, whose summed worth no other pick's beats; ascending.

    What a pick of the first stages adds to is on the front only if they are: whatever is added, the pick that
    beats it stays ahead. So stages are taken in one at a time, and what is beaten is left out at once. A front that
    would get too long on the way is thinned out evenly; its ends stay.

    Parameters
    ----------
    worth
        Of each stage, (modules, targets), to be maximised.

    Returns
    -------
    (picks, stages), of equal sums one; None for more than three targets.
    """
    targets = worth[0].shape[1]
    if targets > _MOST_TARGETS:
        return None
    sums, picks = np.zeros((1, targets)), np.zeros((1, 0), dtype=np.int64)
    for own in worth:
        modules = _best(own)
        some = _thinned(sums, _MOST_SUMS // len(modules))
        every = (sums[some][:, None] + own[modules][None]).reshape(-1, targets)
        kept = _best(every)
        before, module = np.divmod(kept, len(modules))
        sums, picks = every[kept], np.column_stack([picks[some][before], modules[module]])
    return np.unique(picks, axis=0)


def _best(values: np.ndarray) -> np.ndarray:
    """Rows that no other row beats, of equal ones the first, ascending."""
    return np.flatnonzero(moocore.is_nondominated(values, maximise=True, keep_weakly=False))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    """Up to ``most`` rows that are spread over all, ascending: the best of each cell of a grid, and the ends.

    However small ``most`` is, the ends stay.
    """
    if len(values) <= most:
        return np.arange(len(values))
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    scaled = (values - low) / np.where(span > 0, span, 1)
    order = np.argsort(-scaled.sum(axis=1), kind="stable")
    ends = np.argmax(values, axis=0)
    cells = _CELLS
    while True:
        _, first = np.unique(np.floor(scaled[order] * cells), axis=0, return_index=True)
        if len(first) + len(ends) <= most or cells == 1:
            return np.union1d(order[first], ends)
        cells //= 2
