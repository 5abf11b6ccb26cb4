"""The Pareto front of summed scores of two or three targets, built one stage at a time."""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np

_MAX_TARGETS = 3  # with more, nearly everything is on the front
_MAX_SUMS = 1 << 18  # sums that are compared at a time
_CELLS = 1024  # initial grid cells per target when a front is thinned


def additive_front(worth: Sequence[np.ndarray]) -> np.ndarray | None:
    """Returns the picks, one module per stage, whose summed values no other pick dominates.

    A pick of the first stages that is dominated stays dominated whatever is added. So stages are
    added one at a time, and dominated picks are removed at once (dynamic programming). A front that
    would get too long on the way is thinned evenly; its extreme points stay.

    Parameters
    ----------
    worth
        For each stage, (modules, targets); larger is better.

    Returns
    -------
    (picks, stages) in lexicographic order, one pick for equal sums; None for more than three targets.

    >>> stage = np.array([[2.0, 0.0], [0.0, 2.0], [0.5, 0.5]])
    >>> additive_front([stage, stage]).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2]]
    """
    targets = worth[0].shape[1]
    if targets > _MAX_TARGETS:
        return None
    sums, picks = np.zeros((1, targets)), np.zeros((1, 0), dtype=np.int64)
    for own in worth:
        modules = _best(own)
        some = _thinned(sums, _MAX_SUMS // len(modules))
        every = (sums[some][:, None] + own[modules][None]).reshape(-1, targets)
        kept = _best(every)
        before, module = np.divmod(kept, len(modules))
        sums, picks = every[kept], np.column_stack([picks[some][before], modules[module]])
    return np.unique(picks, axis=0)


def _best(values: np.ndarray) -> np.ndarray:
    """Non-dominated rows, ascending; of equal rows the first."""
    return np.flatnonzero(moocore.is_nondominated(values, maximise=True, keep_weakly=False))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    """Up to ``most`` evenly spread rows, ascending: the best row of each grid cell, and the extremes.

    The extremes stay even if ``most`` is smaller than their number.
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
