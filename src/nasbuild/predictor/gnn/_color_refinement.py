"""Colour refinement: nodes that message passing can't distinguish are computed once.

A node's embedding after m hops depends on the node, and on the embeddings of its predecessors after m - 1 hops. Nodes
that agree in these are indistinguishable (Weisfeiler & Leman, 1968; for graph networks Morris et al., AAAI 2019,
theorem 1). Architectures of one space share many such nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbuild.space import Graphs


@dataclass(frozen=True)
class Kinds:
    """The kinds of indistinguishable nodes at one hop, and the messages that each receives.

    Attributes
    ----------
    first
        A node of each kind, (kinds,) int64.
    count
        Nodes of each kind in each graph, (graphs, kinds) int64.
    own
        The same node's kind one hop before, (kinds,) int64; empty at hop 0.
    source, target
        Edges from kinds one hop before to kinds, (edges,) int64 each; empty at hop 0.
    """

    first: np.ndarray
    count: np.ndarray
    own: np.ndarray
    source: np.ndarray
    target: np.ndarray


def node_kinds(graphs: Graphs, hops: int) -> list[Kinds]:
    """The kinds of nodes at hops 0 to ``hops``."""
    source, target = graphs.edges
    found: list[Kinds] = []
    before = np.empty(0, dtype=np.int64)
    for m, colour in enumerate(_colours(graphs, hops)):
        _, first, of = np.unique(colour, return_index=True, return_inverse=True)
        count = np.zeros((len(graphs), len(first)), dtype=np.int64)
        np.add.at(count, (graphs.graph_of_node, of), 1)
        # Nodes of one kind receive equal messages: the edges of one represent those of all.
        kind = np.full(len(of), -1)
        kind[first] = np.arange(len(first))
        arrive = np.flatnonzero(kind[target] >= 0) if m else np.empty(0, dtype=np.int64)
        own = before[first] if m else before
        found.append(Kinds(first, count, own, before[source[arrive]], kind[target[arrive]]))
        before = of
    return found


def _colours(graphs: Graphs, hops: int) -> list[np.ndarray]:
    """Hashes that are equal for indistinguishable nodes at hops 0, 1, ..., (nodes,) uint64 each.

    With 64 bits, the probability of any collision among a million different nodes is 3e-8.
    """
    colour = np.zeros(len(graphs.categories), dtype=np.uint64)
    for column in (*graphs.categories.T, *np.ascontiguousarray(graphs.numbers.T).view(np.uint32)):
        colour = _mixed(colour * _ODD + column.astype(np.uint64) + _ODD)
    found = [colour]
    for _ in range(hops):
        # A sum, as the order of messages does not matter.
        received = np.zeros_like(colour)
        np.add.at(received, graphs.edges[1], _mixed(colour[graphs.edges[0]] + _ODD))
        found.append(colour := _mixed(colour * _ODD + received))
    return found


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: np.ndarray) -> np.ndarray:
    """A mixing bijection on 64 bits (SplitMix64: Steele, Lea & Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
