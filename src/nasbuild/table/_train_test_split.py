"""Rows to learn from and rows to test on."""

from __future__ import annotations

import numpy as np

from nasbuild.errors import TableError

Split = tuple[np.ndarray, np.ndarray]
"""Row numbers to learn from and to test on, both ascending."""


def random_split(n: int, test: float, rng: np.random.Generator) -> Split:
    """Hold out a share ``test`` of ``n`` rows at random, at least one and not all.

    Raises
    ------
    TableError
        If there are fewer than two rows, or ``test`` is no share between 0 and 1.
    """
    held = _held(n, test)
    order = rng.permutation(n)
    return np.sort(order[held:]), np.sort(order[:held])


def stratified_split(labels: np.ndarray, test: float, rng: np.random.Generator) -> Split:
    """Hold out a share ``test`` that is spread evenly over the order of the labels.

    The rows, sorted by label, are cut into as many runs as rows are held out, and one of each run,
    drawn at random, is held out.

    Raises
    ------
    TableError
        As `random_split`.
    """
    n = len(labels)
    held = _held(n, test)
    # Runs of unequal length are mixed: long ones in front would favour the rows of small labels.
    edges = (np.arange(held + 1) * n + rng.integers(held)) // held
    order = np.argsort(labels, kind="stable")
    out = np.sort(order[rng.integers(edges[:-1], edges[1:])])
    return np.setdiff1d(np.arange(n), out), out


def k_fold(n: int, folds: int, rng: np.random.Generator) -> list[Split]:
    """Cut ``n`` rows at random into ``folds`` parts of nearly equal size; each is held out once.

    Raises
    ------
    TableError
        If there are fewer than two folds, or fewer rows than folds.
    """
    if folds < 2:
        raise TableError(f"can't split rows into {folds} folds", allowed="2 or more")
    _require(n, folds)
    parts = np.array_split(rng.permutation(n), folds)
    return [(np.setdiff1d(np.arange(n), part), np.sort(part)) for part in parts]


def _held(n: int, test: float) -> int:
    """How many rows to hold out."""
    if not 0 < test < 1:
        raise TableError(f"{test} is not a share of rows to hold out", allowed="a number between 0 and 1")
    _require(n, 2)
    return min(max(round(n * test), 1), n - 1)


def _require(n: int, least: int) -> None:
    if n < least:
        raise TableError(f"the table has {n} usable rows, at least {least} are needed to hold some out")
