"""Layering of a graph and ordering of nodes within layers (Sugiyama et al. 1981)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BEND = 8.0
"""Width of an edge where it crosses a layer."""
_SWEEPS = 8


def layers_of(edges: np.ndarray, n: int) -> np.ndarray:
    """Returns the layer of each node by longest paths; sources are right above their first use."""
    layer = np.zeros(n, dtype=np.int64)
    pairs = edges[:, np.argsort(edges[1], kind="stable")].T.tolist()
    for source, target in pairs:
        layer[target] = max(layer[target], layer[source] + 1)
    # Move sources down to the layer above their first use.
    first = np.full(n, -1, dtype=np.int64)
    for source, target in pairs:
        first[source] = layer[target] if first[source] < 0 else min(first[source], layer[target])
    free = np.ones(n, dtype=bool)
    free[edges[1]] = False
    moved = free & (first > 0)
    layer[moved] = first[moved] - 1
    return layer


@dataclass(frozen=True)
class Chains:
    """Nodes, followed by the bends of edges that cross layers; edges from one source share their bends.

    ``path[s]`` has source ``s`` and its bends, one per layer; ``links`` join neighbouring layers.
    """

    layer: np.ndarray
    width: np.ndarray
    links: np.ndarray
    path: dict[int, list[int]]
    rows: list[list[int]]

    @classmethod
    def of(cls, edges: np.ndarray, layer: np.ndarray, widths: Sequence[float]) -> Chains:
        n = len(widths)
        last: dict[int, int] = {}
        for source, target in edges.T.tolist():
            last[source] = max(last.get(source, 0), int(layer[target]) - 1)
        layers, path, links = layer.tolist(), {}, []
        for source, end in last.items():
            bends = list(range(len(layers), len(layers) + max(end - layers[source], 0)))
            layers += range(layers[source] + 1, end + 1)
            path[source] = [source, *bends]
            links += zip(path[source], bends, strict=False)
        for source, target in dict.fromkeys(map(tuple, edges.T.tolist())):
            links.append((path[source][layers[target] - 1 - layers[source]], target))
        rows: list[list[int]] = [[] for _ in range(max(layers, default=0) + 1)]
        # Depth first from the end, so that connected nodes start close together.
        for v in _depth_first(links, len(layers)):
            rows[layers[v]].append(v)
        wide = np.concatenate([np.asarray(widths, dtype=float), np.full(len(layers) - n, BEND)])
        return cls(np.array(layers), wide, np.array(links, dtype=np.int64).reshape(-1, 2), path, rows)


def _depth_first(links: list[tuple[int, int]], n: int) -> list[int]:
    before: list[list[int]] = [[] for _ in range(n)]
    for source, target in links:
        before[target].append(source)
    seen, found = np.zeros(n, dtype=bool), []
    for start in range(n - 1, -1, -1):
        stack = [start]
        while stack:
            v = stack.pop()
            if not seen[v]:
                seen[v] = True
                found.append(v)
                stack += reversed(before[v])
    return found


def ordered(chain: Chains) -> list[list[int]]:
    """Returns the order within each layer with the fewest crossings found in sweeps down and up."""
    rows = [list(row) for row in chain.rows]
    up: list[list[int]] = [[] for _ in chain.layer]
    down: list[list[int]] = [[] for _ in chain.layer]
    for source, target in chain.links.tolist():
        up[target].append(source)
        down[source].append(target)
    place = np.zeros(len(chain.layer))

    def settle(row: list[int]) -> None:
        for i, v in enumerate(row):
            # As a fraction of the layer, since layers differ in size.
            place[v] = (i + 0.5) / len(row)

    for row in rows:
        settle(row)
    best, fewest = [list(row) for row in rows], _crossings(rows, down)
    for sweep in range(_SWEEPS):
        beside, passing = (up, rows[1:]) if sweep % 2 == 0 else (down, rows[-2::-1])
        for row in passing:
            if len(row) > 1:
                wanted = {v: _mean([place[w] for w in beside[v]], place[v]) for v in row}
                row.sort(key=wanted.__getitem__)
                settle(row)
        found = _crossings(rows, down)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
        if fewest == 0:
            break
    return best


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(rows: list[list[int]], down: list[list[int]]) -> int:
    total = 0
    for row, below in pairwise(rows):
        if len(row) < 2 or len(below) < 2:
            continue
        place = {v: i for i, v in enumerate(below)}
        ends = np.array([w for v in row for w in sorted(place[w] for w in down[v])])
        total += int(np.triu(ends[:, None] > ends[None, :], 1).sum())
    return total
