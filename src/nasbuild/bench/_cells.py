"""The cells of the benchmark: tables, targets and numbers of labels, and the rows of each random draw."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

METHODS = ("default", "ridge", "lightgbm", "marginal", "catboost", "botorch", "paper")

_OFA = ("acc", "latency_gpu", "latency_cpu", "latency_npu")
_SETTINGS: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = (
    ("nas-bench-macro", ("acc",), (50, 100, 300, 1_000)),
    ("ofa-mbv3-surrogate", _OFA, (68, 200, 1_000, 2_700)),
    ("ofa-pn-surrogate", _OFA, (68, 200, 1_000, 2_700)),
    ("ofa-mbv3-imagenet", ("acc",), (68, 300, 1_000)),
    ("accel-nasbench", ("acc", "throughput_a100", "latency_zcu102"), (68, 300, 1_000)),
    ("nas-bench-mr", ("miou", "top1"), (68, 300, 1_000)),
    ("digits-macro", ("loss",), (50, 100, 300)),
)
QUICK = (("nas-bench-macro", "acc", 300), ("digits-macro", "loss", 50), ("digits-macro", "loss", 300))
"""Cells of the quick form: small tables with exactly known truth, with few labels (many members) and more."""
QUICK_DRAWS = 3


@dataclass(frozen=True)
class Cell:
    """One table, one target, one number of labels.

    Examples
    --------
    >>> cell.name, cell.table, cell.target, cell.size, cell.draws
    ('digits-macro loss 50', 'digits-macro', 'loss', 50, 10)
    """

    table: str
    target: str
    size: int

    @property
    def draws(self) -> int:
        """Number of random draws; fewer with many labels, as they differ less."""
        return 5 if self.size >= 1_000 else 10

    @property
    def name(self) -> str:
        return f"{self.table} {self.target} {self.size}"

    def rows(self, labelled: np.ndarray, draw: int) -> np.ndarray:
        """Rows to learn from, ascending, chosen from those with a label; the same for every method.

        Examples
        --------
        >>> import numpy as np
        >>> rows = cell.rows(np.arange(1728), draw=0)
        >>> len(rows), bool(np.all(rows == cell.rows(np.arange(1728), draw=0)))
        (50, True)
        """
        seed = [zlib.crc32(f"{self.table} {self.target}".encode()), self.size, draw]
        return np.sort(np.random.default_rng(seed).permutation(labelled)[: self.size])


def cells(quick: bool = False) -> list[Cell]:
    """All cells, in the order of the tables.

    Examples
    --------
    >>> [cell.name for cell in cells(quick=True)]
    ['nas-bench-macro acc 300', 'digits-macro loss 50', 'digits-macro loss 300']
    >>> len(cells()) > 40
    True
    """
    if quick:
        return [Cell(*one) for one in QUICK]
    return [Cell(t, m, n) for t, metrics, sizes in _SETTINGS for m in metrics for n in sizes]
