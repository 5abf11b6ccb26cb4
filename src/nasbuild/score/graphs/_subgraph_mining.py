"""Recurring pieces of networks, ranked by what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.ir import OperatorGraph, describe_node, subgraphs
from nasbuild.score.graphs._node_scores import NodeScores


@dataclass(frozen=True)
class Piece:
    """A subgraph that ends in one node and holds all that lies up to some edges before it.

    Attributes
    ----------
    text
        Its operations in order, ``"Conv 1x1, HardSwish, Conv 5x5 depthwise"``.
    score, std
        Mean over its places of the score of its last node, and the deviation of that mean: of places, and of
        what the members disagree about.
    networks, places
        How many networks have it, and where in all.
    graph, nodes
        One place: the number of a graph, and its nodes there, the last one last.
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
"""Edges that a piece is long where nobody says otherwise: longer ones recur seldom."""


def mine_pieces(graphs: Sequence[OperatorGraph], scores: NodeScores, *, least: int = 5) -> list[Piece]:
    """Pieces that at least ``least`` networks have, best first.

    Pieces are one if their operations, kernels, strides and groupings are, whatever their widths
    (`nasbuild.ir.subgraphs`); their score is the mean over places, which differ in the rest.

    Parameters
    ----------
    scores
        Of all nodes, graph by graph; their hop is the pieces'.
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
    """The nodes from which a path of at most ``hop`` edges leads to ``node``, and itself, ascending."""
    reached = {node}
    edge = {node}
    source, target = graph.edges
    for _ in range(hop):
        edge = {int(s) for n in edge for s in source[target == n]} - reached
        reached |= edge
    return tuple(sorted(reached))
