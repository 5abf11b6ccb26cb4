"""Recurring subgraphs of networks (pieces), ranked by score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.ir import OperatorGraph, describe_node, subgraphs
from nasbuild.score.graphs._node_scores import NodeScores


@dataclass(frozen=True)
class Piece:
    """A subgraph that consists of one node and its ancestors within some edges.

    Attributes
    ----------
    text
        Its operations in order, ``"Conv 1x1, HardSwish, Conv 5x5 depthwise"``.
    score, std
        Mean score of its last node over all places, and the standard error of that mean, which includes the spread over
        places and over the members.
    networks, places
        Number of networks that have it, and of its occurrences in all networks.
    graph, nodes
        One occurrence: the index of a graph and the nodes there, the last node last.

    Examples
    --------
    >>> from nasbuild.score.graphs import mine_pieces, node_scores
    >>> piece = mine_pieces(graphs, node_scores(acc.ensemble, fit.graphs, hop=1))[0]
    >>> len(piece.nodes), piece.places >= piece.networks >= 5
    (2, True)
    """

    text: str
    hop: int
    score: float
    std: float
    networks: int
    places: int
    graph: int
    nodes: tuple[int, ...]


PIECE_HOP = 2
"""Default length of a piece in edges; longer pieces seldom recur."""


def mine_pieces(graphs: Sequence[OperatorGraph], scores: NodeScores, *, least: int = 5) -> list[Piece]:
    """Pieces that at least ``least`` networks have, best first.

    Pieces are equal if their operations, kernels, strides and groupings are, whatever their widths
    (`nasbuild.ir.subgraphs`). A score is the mean over all places.

    Parameters
    ----------
    scores
        Scores of all nodes, graph by graph, at the hop that is the length of pieces.

    Examples
    --------
    >>> from nasbuild.score.graphs import mine_pieces, node_scores
    >>> pieces = mine_pieces(graphs, node_scores(acc.ensemble, fit.graphs, hop=1))
    >>> {one.text: one.networks for one in pieces}["Gemm, HardSwish"]  # all but one of 16
    15
    """
    flat = subgraphs(graphs, scores.hop)[-1].codes
    sizes = [len(graph) for graph in graphs]
    of_graph = np.repeat(np.arange(len(graphs)), sizes)
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    _, first, piece, places = np.unique(flat, return_index=True, return_inverse=True, return_counts=True)
    pairs = np.unique(np.stack([piece, of_graph]), axis=1)[0] if len(flat) else np.zeros(0, dtype=np.int64)
    networks = np.bincount(pairs, minlength=len(first))
    mean = np.bincount(piece, scores.value) / places
    between = np.bincount(piece, (scores.value - mean[piece]) ** 2) / places
    within = np.bincount(piece, scores.std) / places
    found = []
    for p in np.flatnonzero(networks >= least):
        graph = int(of_graph[first[p]])
        nodes = before(graphs[graph], int(first[p] - start[graph]), scores.hop)
        found.append(
            Piece(
                ", ".join(describe_node(graphs[graph], n) for n in nodes),
                scores.hop,
                float(mean[p]),
                float(np.sqrt(between[p] / places[p] + within[p] ** 2)),
                int(networks[p]),
                int(places[p]),
                graph,
                nodes,
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.text))


def before(graph: OperatorGraph, node: int, hop: int) -> tuple[int, ...]:
    """The node and its ancestors within ``hop`` edges, ascending.

    >>> from nasbuild.score.graphs import before
    >>> before(network, 3, hop=2)
    (1, 2, 3)
    """
    reached = {node}
    edge = {node}
    source, target = graph.edges
    for _ in range(hop):
        edge = {int(s) for n in edge for s in source[target == n]} - reached
        reached |= edge
    return tuple(sorted(reached))
