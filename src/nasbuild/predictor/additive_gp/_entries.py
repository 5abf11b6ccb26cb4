"""Sparse values of terms, and the keys of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Entries:
    """Sparse values of one term for many modules.

    Attributes
    ----------
    rows, keys, values
        (entries,): which module, which column (a 64-bit key), and the value there.
    """

    rows: np.ndarray
    keys: np.ndarray
    values: np.ndarray


def joined(parts: Sequence[Entries]) -> Entries:
    """Entries concatenated."""
    return Entries(
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.keys for p in parts]),
        np.concatenate([p.values for p in parts]),
    )


def hash_key(*parts: np.ndarray | int) -> np.ndarray:
    """A 64-bit hash of integers (multiply, xor, shift), equal for equal parts."""
    shape = np.broadcast_shapes(*(np.shape(p) for p in parts))
    key = np.full(shape, 0x9E3779B97F4A7C15, dtype=np.uint64)
    with np.errstate(over="ignore"):  # 64-bit integers wrap around
        for part in parts:
            key = (key ^ np.asarray(part).astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
            key = key ^ (key >> np.uint64(29))
    return key
