"""Some of many points that stand for all of them: far apart, or with the largest hypervolume."""

from __future__ import annotations

import moocore
import numpy as np


def farthest_points(values: np.ndarray, n: int) -> np.ndarray:
    """Up to ``n`` rows: the best of every target, then always the one furthest from those taken."""
    if len(values) <= n:
        return np.arange(len(values))
    span = np.ptp(values, axis=0)
    scaled = (values - values.min(axis=0)) / np.where(span > 0, span, 1)
    taken = list(dict.fromkeys(int(np.argmax(scaled[:, t])) for t in range(values.shape[1])))[:n]
    away = np.min([np.linalg.norm(scaled - scaled[i], axis=1) for i in taken], axis=0)
    while len(taken) < n:
        taken.append(int(np.argmax(away)))
        away = np.minimum(away, np.linalg.norm(scaled - scaled[taken[-1]], axis=1))
    return np.array(sorted(taken), dtype=np.int64)


def largest_hypervolume(values: np.ndarray, n: int, low: np.ndarray) -> np.ndarray:
    """Up to ``n`` rows with the largest hypervolume, ascending.

    Of two targets exactly, by dynamic programming along the front (Auger et al., FOGA 2009); of more
    by leaving out, one at a time, the row that loses least.

    Parameters
    ----------
    values
        Of which no row beats another, all above ``low``, (rows, targets); more is better.
    low
        Where hypervolume begins, (targets,).
    """
    if len(values) <= n:
        return np.arange(len(values))
    if values.shape[1] == 2:
        return np.sort(_along(values - low, n))
    left = np.arange(len(values))
    while len(left) > n:
        lost = moocore.hv_contributions(values[left], ref=low, maximise=True)
        left = np.delete(left, int(np.argmin(lost)))
    return left


def _along(values: np.ndarray, n: int) -> np.ndarray:
    order = np.argsort(values[:, 0])
    x, y = values[order].T
    # Taken from left to right, a point adds what is right of the point before it, below itself.
    added = (x[:, None] - x[None, :]) * y[:, None]
    added[np.triu_indices(len(x))] = -np.inf
    volume, before = x * y, []
    for _ in range(n - 1):
        through = volume[None, :] + added
        before.append(through.argmax(axis=1))
        volume = through.max(axis=1)
    taken = [int(volume.argmax())]
    for step in reversed(before):
        taken.append(int(step[taken[-1]]))
    return order[taken]
