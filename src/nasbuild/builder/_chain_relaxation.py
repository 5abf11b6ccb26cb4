"""Relaxes a prediction to a chain of slots, if costs couple neighbouring slots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nasbuild.builder._chain_dp import Chain
from nasbuild.builder._pair_relaxation import MAX_CELLS, split_pairs
from nasbuild.builder._pair_tables import PairTables
from nasbuild.builder._pairwise_prediction import PairwisePrediction


def as_chain(predicted: PairwisePrediction, sign: int) -> Chain | None:
    """The relaxation of a prediction to a chain.

    Terms of neighbouring slots are exact; other pairs are replaced by an upper bound, for costs by a
    lower bound. None if no cost has pair terms, or the tables are too large.
    """
    linked = [pair for pair in predicted.cost_pairs if isinstance(pair, PairTables) and not pair.empty]
    if not linked:
        return None
    slots, bounds = len(predicted.scores), len(predicted.upper)
    sizes = tuple(len(own) for own in predicted.scores)
    found = _split(predicted.pairs[0], sign, sizes)
    if found is None or any(a * b > MAX_CELLS for a, b in pairwise(sizes)):
        return None
    scores = [sign * own[:, 0] + more for own, more in zip(predicted.scores, found[0], strict=True)]
    columns = [[own[:, k] for own in predicted.costs] for k in range(bounds)]
    tables: list[dict[int, np.ndarray]] = [{} for _ in range(bounds)]
    most = [*predicted.upper]
    for k, pair in enumerate(predicted.cost_pairs):
        split = _split(pair, -1, sizes) if pair is not None else None
        if pair is not None and split is None:
            return None
        if split is not None:
            columns[k] = [c - more for c, more in zip(columns[k], split[0], strict=True)]
            tables[k] = {s: -table for s, table in split[1].items()}
    for t, s, limit in predicted.on_targets:
        split = _split(predicted.pairs[t], -s, sizes)
        if split is None:
            return None
        columns.append([s * o[:, t] - more for o, more in zip(predicted.scores, split[0], strict=True)])
        tables.append({at: -table for at, table in split[1].items()})
        most.append(limit)
    costs = tuple(np.column_stack([column[slot] for column in columns]) for slot in range(slots))
    score_tables = tuple(found[1].get(s, np.zeros((sizes[s], sizes[s + 1]))) for s in range(slots - 1))
    cost_tables = tuple(
        np.stack([own.get(s, np.zeros((sizes[s], sizes[s + 1]))) for own in tables], axis=-1)
        for s in range(slots - 1)
    )
    bounds = np.array(most, dtype=np.float64)
    # A bound that always holds is left out: its size must not spoil the scale of the others.
    high = sum(own.max(axis=0) for own in costs) + sum(table.max(axis=(0, 1)) for table in cost_tables)
    kept = np.flatnonzero(high > bounds)
    return Chain(
        tuple(scores),
        tuple(own[:, kept] for own in costs),
        score_tables,
        tuple(table[..., kept] for table in cost_tables),
        bounds[kept],
    )


def _split(
    pair: object, sign: int, sizes: tuple[int, ...]
) -> tuple[list[np.ndarray], dict[int, np.ndarray]] | None:
    """Splits pair terms: upper bounds of distant pairs as shares of slots, (options,), and tables of neighbours.

    The tables are keyed by their first slot.
    """
    if not isinstance(pair, PairTables):
        return None
    tables = pair.as_tables(MAX_CELLS)
    if tables is None:
        return None
    near = {s: sign * table for (s, t), table in tables.items() if t == s + 1}
    far = {at: table for at, table in tables.items() if at[1] != at[0] + 1}
    return split_pairs(far, sizes, sign, most=True), near
