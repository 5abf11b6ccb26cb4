"""Selects a subset of a front: points far apart, or points of the largest hypervolume."""

from __future__ import annotations

import moocore
import numpy as np


def farthest_points(values: np.ndarray, n: int) -> np.ndarray:
    """Selects up to ``n`` rows by farthest-point sampling (Gonzalez, 1985), ascending.

    It starts with the best row of every target. Distances are Euclidean, with each target scaled to
    its range.

    >>> farthest_points(np.array([[0.0, 10.0], [1.0, 9.0], [5.0, 5.0], [10.0, 0.0]]), 3)
    array([0, 2, 3])
    """
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
    """Selects up to ``n`` rows of a front with the largest hypervolume, ascending.

    For two targets, the subset is optimal: dynamic programming along the front (Auger et al., FOGA
    2009). For more, the row of the smallest contribution is removed repeatedly.

    Parameters
    ----------
    values
        (rows, targets), mutually non-dominated and all at least ``low``; larger is better.
    low
        Reference point, (targets,).

    >>> values = np.array([[1.0, 9.0], [2.0, 8.0], [8.0, 2.0], [9.0, 1.0]])
    >>> largest_hypervolume(values, 2, low=np.zeros(2))
    array([1, 2])
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
    # From left to right, each point adds the area to the right of the previous point and below itself.
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
