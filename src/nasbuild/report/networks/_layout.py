"""Where the nodes of a network stand: layers from top to bottom, folded into columns like a text.

Written here because what the picture needs, layers to fold and bends of edges, no library gives that can be relied
on everywhere: fast-sugiyama is quick and good, but is compiled for recent systems only, which clusters often are not;
grandalf is no longer kept; networkx does not order within layers. cytoscape.js would have to be fetched, as its code
is not ours to hold, and a page or an install that needs the network fails where there is none.
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
"""From layer to layer."""
_GAP, _GUTTER, _LANE = 14.0, 34.0, 9.0  # between nodes, columns, and edges that go from column to column
_SHAPE = 1.2  # width by height of the picture that the columns should fill
_STRAIGHT = 8.0  # how much more it costs to bend an edge than to shift a node


@dataclass(frozen=True)
class Layout:
    """A drawn graph.

    Attributes
    ----------
    x, y
        Centres of the nodes, (nodes,) each.
    layer
        Of each node, (nodes,); edges go from lower to higher ones.
    edges
        For each edge its points, (points, 2), from centre to centre. Two points at one height are the two ends of
        a turn: the edge goes on in another column.
    width, height
        Of the whole picture, from (0, 0).
    """

    x: np.ndarray
    y: np.ndarray
    layer: np.ndarray
    edges: tuple[np.ndarray, ...]
    width: float
    height: float


def lay_out(edges: np.ndarray, widths: Sequence[float]) -> Layout:
    """Lay out a directed graph whose edges go from lower to higher nodes.

    Longest-path layers, order within them by barycentres (Sugiyama et al. 1981), places by a linear programme; then
    the layers are folded into columns so that the whole fills a picture.

    Parameters
    ----------
    edges
        (2, edges), source and target.
    widths
        Of the nodes.
    """
    layer = layers_of(edges, len(widths))
    chain = Chains.of(edges, layer, widths)
    order = ordered(chain)
    return _folded(edges, chain, _placed(chain, order), len(widths))


def _placed(chain: Chains, rows: list[list[int]]) -> np.ndarray:
    """Places along the layers that make links as straight as order and widths allow, as a linear programme.

    As in Gansner et al., "A technique for drawing directed graphs" (1993): the least sum of weighted distances.
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
    # Unknowns: places, then the distance of each link, which is at least the difference either way.
    each, one = np.arange(links), np.ones(links)
    entries = (
        np.concatenate([one, -one, -one, -one, one, -one, np.ones(len(left)), -np.ones(len(left))]),
        (
            np.concatenate([each] * 3 + [each + links] * 3 + [np.arange(len(left)) + 2 * links] * 2),
            np.concatenate([source, target, each + n, source, target, each + n, left, right]),
        ),
    )
    matrix = csr_matrix(entries, shape=(2 * links + len(left), n + links))
    bounds = np.concatenate([np.zeros(2 * links), -least])
    costs = np.concatenate([np.zeros(n), weight])
    limits = [(None, None)] * n + [(0, None)] * links
    solved = linprog(costs, A_ub=matrix, b_ub=bounds, bounds=limits, method="highs")
    return solved.x[:n] if solved.success else _side_by_side(chain, rows)


def _side_by_side(chain: Chains, rows: list[list[int]]) -> np.ndarray:
    """Places without regard to links, each layer around 0."""
    x = np.zeros(len(chain.layer))
    for row in map(np.array, rows):
        half = chain.width[row] / 2
        x[row] = np.concatenate([[0.0], np.cumsum(half[:-1] + half[1:] + _GAP)])
        x[row] -= x[row].mean()
    return x


def _folded(edges: np.ndarray, chain: Chains, x: np.ndarray, n: int) -> Layout:
    layers = int(chain.layer.max(initial=0)) + 1
    left = np.full(layers, np.inf)
    right = np.full(layers, -np.inf)
    np.minimum.at(left, chain.layer, x - chain.width / 2)
    np.maximum.at(right, chain.layer, x + chain.width / 2)
    # How many sources have an edge from layer l to the next: a column should end where few do.
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
    # Lanes: where an edge that goes on in the next column passes between the two.
    lane: dict[int, float] = {}
    for c in range(len(lanes)):
        rows = np.flatnonzero(column == c)
        edge = right[rows].max() + shift[c] + _GUTTER
        leaving = np.unique(chain.links[(of[chain.links[:, 0]] == c) & (of[chain.links[:, 1]] > c), 0])
        for i, v in enumerate(sorted(leaving.tolist(), key=lambda v: -px[v])):
            lane[v] = edge + _LANE * i
    drawn = []
    for source, target in edges.T.tolist():
        steps = [*chain.path[source][: chain.layer[target] - chain.layer[source]], target]
        points = [(px[source], py[source])]
        for a, b in pairwise(steps):
            if of[a] != of[b]:
                low, high = py[a] + ROW / 2, py[b] - ROW / 2
                points += [(px[a], low), (lane[a], low), (lane[a], high), (px[b], high)]
            points.append((px[b], py[b]))
        drawn.append(np.array(points))
    return Layout(px[:n], py[:n], chain.layer[:n], tuple(drawn), at, float(tall))


def _cut(layers: int, columns: int, crossing: np.ndarray) -> list[int]:
    """First layers of so many columns of about equal height, each where few edges go on."""
    starts = [0]
    reach = max(int(0.12 * layers / columns), 1)
    for c in range(1, columns):
        even = round(c * layers / columns)
        some = [s for s in range(even - reach, even + reach + 1) if starts[-1] < s < layers]
        if some:
            starts.append(min(some, key=lambda s: (crossing[s - 1], abs(s - even))))
    return starts


def _scale(starts: list[int], left: np.ndarray, right: np.ndarray, crossing: np.ndarray) -> float:
    """How large the picture can be drawn in a frame of the wanted shape."""
    ends = [*starts[1:], len(left)]
    wide = sum(right[a:b].max() - left[a:b].min() for a, b in zip(starts, ends, strict=True))
    wide += sum(2 * _GUTTER + _LANE * (crossing[s - 1] - 1) for s in starts[1:])
    tall = max(b - a for a, b in zip(starts, ends, strict=True)) * ROW
    return min(_SHAPE / wide, 1 / tall)
