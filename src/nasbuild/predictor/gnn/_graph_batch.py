"""Packed graphs as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.space import Graphs


@dataclass(frozen=True)
class GraphBatch:
    """Many graphs as one.

    Attributes
    ----------
    categories, numbers
        (nodes, categorical features) int64, 0 for absent; (nodes, numeric features) float32.
    source, target
        Ends of the edges, (edges,) int64.
    graph
        Graph of each node, (nodes,) int64.
    sizes
        Nodes of each graph, (graphs,) float32.
    last
        Last node of each graph, (graphs,) int64.

    Examples
    --------
    >>> from nasbuild.predictor import GraphBatch
    >>> batch = GraphBatch.of(graphs)
    >>> len(batch.sizes), int(batch.sizes.sum()) == len(batch.graph)
    (41, True)
    """

    categories: torch.Tensor
    numbers: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    graph: torch.Tensor
    sizes: torch.Tensor
    last: torch.Tensor

    @classmethod
    def of(cls, graphs: Graphs) -> GraphBatch:
        """The tensors of packed graphs; arrays are shared, not copied, where torch can.

        Examples
        --------
        >>> from nasbuild.predictor import GraphBatch
        >>> GraphBatch.of(graphs).sizes[:3].tolist()  # layers of the first three architectures
        [3.0, 5.0, 4.0]
        """
        return cls(
            torch.from_numpy(graphs.categories),
            torch.from_numpy(graphs.numbers),
            torch.from_numpy(np.ascontiguousarray(graphs.edges[0])),
            torch.from_numpy(np.ascontiguousarray(graphs.edges[1])),
            torch.from_numpy(graphs.graph_of_node),
            torch.from_numpy(np.diff(graphs.offsets).astype(np.float32)),
            torch.from_numpy(graphs.offsets[1:] - 1),
        )

    def mean(self, nodes: torch.Tensor) -> torch.Tensor:
        """Mean over the nodes of each graph (eq. 2): (nodes, d) to (graphs, d).

        Examples
        --------
        >>> from nasbuild.predictor import GraphBatch
        >>> batch = GraphBatch.of(graphs)
        >>> batch.mean(torch.ones(len(batch.graph), 2))[0].tolist()
        [1.0, 1.0]
        """
        total = nodes.new_zeros(len(self.sizes), nodes.shape[1]).index_add(0, self.graph, nodes)
        return total / self.sizes[:, None]
