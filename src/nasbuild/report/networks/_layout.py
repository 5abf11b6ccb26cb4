"""Layout of a network: layers from top to bottom, wrapped into columns like text.

No library available everywhere gives layers to wrap and bends of edges. fast-sugiyama has binaries for recent systems
only, grandalf is unmaintained, and networkx does not order nodes within layers. cytoscape.js would have to be
downloaded, but the page must work offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from nasbuild.report.networks._layering import BEND, Chains, layers_of, ordered

ROW = 38.0
"""Distance between layers."""
_GAP, _GUTTER, _LANE = 14.0, 34.0, 9.0  # between nodes, columns, and edges that change columns
_SHAPE = 1.2  # desired ratio of width to height
_STRAIGHT = 8.0  # cost of bending an edge, relative to shifting a node


@dataclass(frozen=True)
class Layout:
    """A drawn graph.

    Attributes
    ----------
    x, y
        Centres of the nodes, (nodes,) each.
    layer
        Layer of each node, (nodes,); edges go from lower to higher layers.
    edges
        Points of each edge, (points, 2), from centre to centre. Two points at one height are the ends of a turn,
        where the edge continues in another column.
    width, height
        Size of the picture, from (0, 0).

    Examples
    --------
    >>> chain = networks.lay_out(np.array([[0, 1], [1, 2]]), widths=[40, 40, 40])
    >>> chain.layer.tolist(), bool((chain.x <= chain.width).all())
    ([0, 1, 2], True)
    """

    x: np.ndarray
    y: np.ndarray
    layer: np.ndarray
    edges: tuple[np.ndarray, ...]
    width: float
    height: float


def lay_out(edges: np.ndarray, widths: Sequence[float]) -> Layout:
    """Lays out a directed graph whose edges go from lower to higher nodes.

    Layers are longest paths, ordered by barycentres (Sugiyama et al. 1981); a linear programme sets the positions.
    The layers are then wrapped into columns that fill the picture.

    Parameters
    ----------
    edges
        Source and target of each edge, (2, edges).
    widths
        Widths of the nodes.

    Examples
    --------
    >>> fork = networks.lay_out(np.array([[0, 0, 1, 2], [1, 2, 3, 3]]), widths=[40, 40, 40, 40])
    >>> fork.layer.tolist(), len(fork.edges)
    ([0, 1, 1, 2], 4)
    """
    layer = layers_of(edges, len(widths))
    chain = Chains.of(edges, layer, widths)
    order = ordered(chain)
    return _folded(edges, chain, _placed(chain, order), len(widths))


def _placed(chain: Chains, rows: list[list[int]]) -> np.ndarray:
    """Returns positions within layers that keep links as straight as order and widths allow.

    Solves a linear programme for the least sum of weighted distances, as in Gansner et al., "A technique for drawing
    directed graphs" (1993).
    """
    n, links = len(chain.layer), len(chain.links)
    if not links:
        return _side_by_side(chain, rows)
    source, target = chain.links.T
    bend = chain.width == BEND
    onto, into = np.bincount(source, minlength=n), np.bincount(target, minlength=n)
    plain = np.where((onto[source] == 1) & (into[target] == 1), 3.0, 1.0)
    weight = np.where(
        bend[source] & bend[target], _STRAIGHT, np.where(bend[source] | bend[target], 1.0, plain)
    )
    pairs = [pair for row in rows for pair in pairwise(row)]
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    least = (chain.width[left] + chain.width[right]) / 2 + _GAP
    # Unknowns: positions, then the length of each link, bounded below by the difference in both directions.
    link, one = np.arange(links), np.ones(links)
    entries = (
        np.concatenate([one, -one, -one, -one, one, -one, np.ones(len(left)), -np.ones(len(left))]),
        (
            np.concatenate([link] * 3 + [link + links] * 3 + [np.arange(len(left)) + 2 * links] * 2),
            np.concatenate([source, target, link + n, source, target, link + n, left, right]),
        ),
    )
    matrix = csr_matrix(entries, shape=(2 * links + len(left), n + links))
    bounds = np.concatenate([np.zeros(2 * links), -least])
    costs = np.concatenate([np.zeros(n), weight])
    limits = [(None, None)] * n + [(0, None)] * links
    solved = linprog(costs, A_ub=matrix, b_ub=bounds, bounds=limits, method="highs")
    return solved.x[:n] if solved.success else _side_by_side(chain, rows)


def _side_by_side(chain: Chains, rows: list[list[int]]) -> np.ndarray:
    """Returns positions that ignore links, each layer centred at 0."""
    x = np.zeros(len(chain.layer))
    for row in map(np.array, rows):
        half = chain.width[row] / 2
        x[row] = np.concatenate([[0.0], np.cumsum(half[:-1] + half[1:] + _GAP)])
        x[row] -= x[row].mean()
    return x


def _folded(edges: np.ndarray, chain: Chains, x: np.ndarray, n: int) -> Layout:
    """Wraps layers into columns, and routes edges between columns through lanes."""
    layers = int(chain.layer.max(initial=0)) + 1
    left = np.full(layers, np.inf)
    right = np.full(layers, -np.inf)
    np.minimum.at(left, chain.layer, x - chain.width / 2)
    np.maximum.at(right, chain.layer, x + chain.width / 2)
    # Number of sources with an edge from a layer to the next; columns should end where it is small.
    crossing = np.zeros(layers, dtype=np.int64)
    np.add.at(crossing, chain.layer[np.unique(chain.links[:, 0])], 1)
    starts = max(
        (_cut(layers, k, crossing) for k in range(1, min(layers, 16) + 1)),
        key=lambda s: _scale(s, left, right, crossing),
    )
    column = np.searchsorted(starts, np.arange(layers), side="right") - 1
    lanes = [int(crossing[s - 1]) for s in starts[1:]]
    shift, at = [], 0.0
    for c in range(len(starts)):
        rows = np.flatnonzero(column == c)
        shift.append(at - left[rows].min())
        at += float(right[rows].max() - left[rows].min())
        if c < len(lanes):
            at += 2 * _GUTTER + _LANE * (lanes[c] - 1)
    tall = max(np.diff([*starts, layers])) * ROW
    of = column[chain.layer]
    px = x + np.array(shift)[of]
    py = (chain.layer - np.array(starts)[of]) * ROW + ROW / 2
    # Lanes hold the edges that continue in the next column.
    lane: dict[int, float] = {}
    for c in range(len(lanes)):
        rows = np.flatnonzero(column == c)
        edge = right[rows].max() + shift[c] + _GUTTER
        leaving = np.unique(chain.links[(of[chain.links[:, 0]] == c) & (of[chain.links[:, 1]] > c), 0])
        for i, v in enumerate(sorted(leaving.tolist(), key=lambda v: -px[v])):
            lane[v] = edge + _LANE * i
    lines = []
    for source, target in edges.T.tolist():
        steps = [*chain.path[source][: chain.layer[target] - chain.layer[source]], target]
        points = [(px[source], py[source])]
        for a, b in pairwise(steps):
            if of[a] != of[b]:
                low, high = py[a] + ROW / 2, py[b] - ROW / 2
                points += [(px[a], low), (lane[a], low), (lane[a], high), (px[b], high)]
            points.append((px[b], py[b]))
        lines.append(np.array(points))
    return Layout(px[:n], py[:n], chain.layer[:n], tuple(lines), at, float(tall))


def _cut(layers: int, columns: int, crossing: np.ndarray) -> list[int]:
    """Returns the first layers of columns of about equal height, each cut where few edges cross."""
    starts = [0]
    reach = max(int(0.12 * layers / columns), 1)
    for c in range(1, columns):
        even = round(c * layers / columns)
        candidates = [s for s in range(even - reach, even + reach + 1) if starts[-1] < s < layers]
        if candidates:
            starts.append(min(candidates, key=lambda s: (crossing[s - 1], abs(s - even))))
    return starts


def _scale(starts: list[int], left: np.ndarray, right: np.ndarray, crossing: np.ndarray) -> float:
    """Returns the scale at which the picture fits into a frame of the desired shape."""
    ends = [*starts[1:], len(left)]
    wide = sum(right[a:b].max() - left[a:b].min() for a, b in zip(starts, ends, strict=True))
    wide += sum(2 * _GUTTER + _LANE * (crossing[s - 1] - 1) for s in starts[1:])
    tall = max(b - a for a, b in zip(starts, ends, strict=True)) * ROW
    return min(_SHAPE / wide, 1 / tall)
