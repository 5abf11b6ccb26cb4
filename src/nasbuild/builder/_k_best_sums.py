"""The k best sums of one entry per column, in descending order, without enumerating all combinations."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from nasbuild.builder._tied_stages import units_of
from nasbuild.score import TargetFit
from nasbuild.space import Architecture

_MAX_TRIED = 20_000  # architectures tested for ties that can't be kept by choosing stages together


def k_best_sums(columns: Sequence[np.ndarray]) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yields the sums of one entry per column in descending order, lazily.

    A heap holds the frontier of combinations. Memory grows with the number of sums yielded, not
    with the number of combinations.

    Parameters
    ----------
    columns
        Each (entries,), descending.

    Yields
    ------
    The sum, and the position in each column; every combination once. Equal sums come in
    lexicographic order of their positions.

    Examples
    --------
    >>> from nasbuild.builder import k_best_sums
    >>> list(k_best_sums([np.array([3.0, 1.0]), np.array([10.0, 0.0])]))[:2]
    [(13.0, (0, 0)), (11.0, (1, 0))]
    """
    if any(len(column) == 0 for column in columns):
        return
    start: tuple[int, ...] = (0,) * len(columns)
    # Successors move only the last moved column and those after it, so each state has one parent.
    heap: list[tuple[float, tuple[int, ...], int]] = [(-_sum(columns, start), start, 0)]
    while heap:
        negative, positions, last = heapq.heappop(heap)
        yield -negative, positions
        for i in range(last, len(columns)):
            if positions[i] + 1 < len(columns[i]):
                moved = (*positions[:i], positions[i] + 1, *positions[i + 1 :])
                heapq.heappush(heap, (-_sum(columns, moved), moved, i))


def _sum(columns: Sequence[np.ndarray], positions: tuple[int, ...]) -> float:
    return float(sum(column[p] for column, p in zip(columns, positions, strict=True)))


def k_best_picks(
    target_fit: TargetFit, ranks: Sequence[np.ndarray], columns: Sequence[np.ndarray]
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yields picks of one module per stage that keep the ties of the space, largest sum first, lazily.

    Parameters
    ----------
    ranks
        For each stage, positions of its modules in ``target_fit.stages``, (modules,).
    columns
        Value of each of these modules, (modules,), in any order.

    Yields
    ------
    The sum, and the position in each column.
    """
    space = target_fit.within or target_fit.scorer.space
    codes = (
        [[s.code(int(r)) for r in own] for s, own in zip(target_fit.stages, ranks, strict=True)]
        if space.tied
        else [[] for _ in ranks]
    )
    units = units_of(space, codes)
    picks = [
        np.arange(len(columns[one.stages[0]]))[:, None] if one.picks is None else one.picks for one in units
    ]
    sums = [
        np.sum([columns[u][at] for u, at in zip(one.stages, own.T, strict=True)], axis=0)
        for one, own in zip(units, picks, strict=True)
    ]
    order = [np.argsort(-own, kind="stable") for own in sums]
    kept = k_best_sums([own[o] for own, o in zip(sums, order, strict=True)])
    for total, places in islice(kept, _MAX_TRIED) if space.tied else kept:
        at = [0] * len(columns)
        for unit, unit_picks, o, place in zip(units, picks, order, places, strict=True):
            for u, position in zip(unit.stages, unit_picks[o[place]].tolist(), strict=True):
                at[u] = position
        if not space.tied or space.ties_hold(
            Architecture(
                tuple(
                    s.module(space, int(own[p]))
                    for s, own, p in zip(target_fit.stages, ranks, at, strict=True)
                )
            )
        ):
            yield total, tuple(at)
