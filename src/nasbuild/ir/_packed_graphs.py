"""Packs many operator graphs into one set of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.ir._operator_graph import NODE_COLUMNS, OperatorGraph


@dataclass(frozen=True, eq=False)
class Packed:
    """Concatenated graphs with one vocabulary of operations.

    Attributes
    ----------
    vocabulary
        Sorted names of operations.
    columns
        For each of `NODE_COLUMNS`: (nodes of all graphs, ...).
    edges
        (2, edges) int64, numbered over the nodes of all graphs.
    offsets
        (graphs + 1,) int64, the first node of each graph.
    """

    vocabulary: tuple[str, ...]
    columns: dict[str, np.ndarray]
    edges: np.ndarray
    offsets: np.ndarray


def pack(graphs: Sequence[OperatorGraph]) -> Packed:
    """Concatenate graphs.

    >>> from nasbuild.ir._packed_graphs import pack
    >>> pack([]).offsets.tolist()
    [0]
    """
    vocabulary = tuple(sorted({op for graph in graphs for op in graph.vocabulary}))
    code = {op: i for i, op in enumerate(vocabulary)}
    offsets = np.cumsum([0, *(len(graph) for graph in graphs)])
    columns = {
        name: np.concatenate(
            [np.zeros((0, width) if width else 0, dtype), *(getattr(g, name) for g in graphs)]
        )
        for name, (dtype, width) in NODE_COLUMNS.items()
        if name != "op"
    }
    ops = [np.array([code[op] for op in g.vocabulary], np.int32)[g.op] for g in graphs]
    columns = {"op": np.concatenate([np.zeros(0, np.int32), *ops])} | columns
    edges = [g.edges.astype(np.int64) + start for g, start in zip(graphs, offsets, strict=False)]
    return Packed(vocabulary, columns, np.concatenate([np.zeros((2, 0), np.int64), *edges], axis=1), offsets)
