"""Splits rows into training and held-out rows."""

from __future__ import annotations

import numpy as np

from nasbuild.errors import TableError

Split = tuple[np.ndarray, np.ndarray]
"""Row numbers of the training rows and the held-out rows, both ascending."""


def random_split(n: int, test: float, rng: np.random.Generator) -> Split:
    """Hold out a share ``test`` of ``n`` rows at random, at least one and not all.

    Raises
    ------
    TableError
        If there are fewer than two rows, or ``test`` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.table import random_split
    >>> train, test = random_split(10, 0.2, np.random.default_rng(0))
    >>> len(train), len(test)
    (8, 2)
    """
    held = _held(n, test)
    order = rng.permutation(n)
    return np.sort(order[held:]), np.sort(order[:held])


def stratified_split(labels: np.ndarray, test: float, rng: np.random.Generator) -> Split:
    """Hold out a share ``test`` of rows, spread evenly over the order of the labels.

    The rows, sorted by label, are cut into as many runs as rows are held out. One random row of each run
    is held out.

    Parameters
    ----------
    labels
        (rows,) float64.

    Raises
    ------
    TableError
        As `random_split`.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.table import stratified_split
    >>> train, test = stratified_split(np.arange(10.0), 0.2, np.random.default_rng(0))
    >>> len(train), len(test)
    (8, 2)
    """
    n = len(labels)
    held = _held(n, test)
    # The longer runs are spread out: all in front, they would favour small labels.
    edges = (np.arange(held + 1) * n + rng.integers(held)) // held
    order = np.argsort(labels, kind="stable")
    out = np.sort(order[rng.integers(edges[:-1], edges[1:])])
    return np.setdiff1d(np.arange(n), out), out


def k_fold(n: int, folds: int, rng: np.random.Generator) -> list[Split]:
    """Split ``n`` rows at random into ``folds`` parts of nearly equal size; each is held out once.

    Raises
    ------
    TableError
        If there are fewer than two folds, or fewer rows than folds.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.table import k_fold
    >>> [len(test) for _, test in k_fold(10, 3, np.random.default_rng(0))]
    [4, 3, 3]
    """
    if folds < 2:
        raise TableError(f"can't split rows into {folds} folds", allowed="2 or more")
    _require(n, folds)
    parts = np.array_split(rng.permutation(n), folds)
    return [(np.setdiff1d(np.arange(n), part), np.sort(part)) for part in parts]


def _held(n: int, test: float) -> int:
    """The number of rows to hold out."""
    if not 0 < test < 1:
        raise TableError(f"{test} is not a share of rows to hold out", allowed="a number between 0 and 1")
    _require(n, 2)
    return min(max(round(n * test), 1), n - 1)


def _require(n: int, least: int) -> None:
    if n < least:
        raise TableError(f"the table has {n} usable rows, at least {least} are needed to hold some out")
