"""Rows that few others beat: what may take part in a front."""

from __future__ import annotations

import numpy as np


def skyband(values: np.ndarray, count: int) -> np.ndarray:
    """Rows of (rows, columns) that fewer than ``count`` others beat or equal in every column, ascending.

    Of more than ``count`` equal rows, the first so many.
    """
    order = np.lexsort((*(-values[:, t] for t in reversed(range(values.shape[1]))), -values.sum(axis=1)))
    ranked = values[order]
    kept = np.empty(len(order), dtype=np.int64)
    size = 0
    # Whoever beats a row has a larger sum and came before; if it was left out, those that beat it
    # were kept, and they beat the row as well.
    for i, row in enumerate(ranked):
        if (ranked[kept[:size]] >= row).all(axis=1).sum() < count:
            kept[size] = i
            size += 1
    return np.sort(order[kept[:size]])
