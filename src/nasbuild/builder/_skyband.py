"""The k-skyband: rows that fewer than k others dominate, the candidates for a front."""

from __future__ import annotations

import numpy as np


def skyband(values: np.ndarray, count: int) -> np.ndarray:
    """Returns the rows that fewer than ``count`` others weakly dominate, ascending.

    This is the k-skyband (Papadias et al., TODS 2005), with k = ``count``. Of more than ``count``
    equal rows, the first ``count`` are kept.

    Parameters
    ----------
    values
        (rows, columns); larger is better in every column.

    >>> skyband(np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 1.0], [0.0, 0.0]]), 1)
    array([0, 1])
    """
    order = np.lexsort((*(-values[:, t] for t in reversed(range(values.shape[1]))), -values.sum(axis=1)))
    ranked = values[order]
    kept = np.empty(len(order), dtype=np.int64)
    size = 0
    # A row that dominates another has a larger sum, so it comes first. If it was left out, the rows
    # that dominate it were kept, and they dominate the other row as well.
    for i, row in enumerate(ranked):
        if (ranked[kept[:size]] >= row).all(axis=1).sum() < count:
            kept[size] = i
            size += 1
    return np.sort(order[kept[:size]])
