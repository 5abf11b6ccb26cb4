"""Layout of networks: nodes below their inputs and apart from each other, edges from centre to centre."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbuild.report.networks import Layout, lay_out
from nasbuild.report.networks._layout import ROW


@st.composite
def graphs(draw) -> tuple[np.ndarray, list[float]]:
    """Any edges from lower to higher nodes, some twice, and widths."""
    n = draw(st.integers(1, 40))
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] != p[1]).map(sorted)
    chain = [[i, i + 1] for i in range(n - 1)] if draw(st.booleans()) else []
    found = chain + draw(st.lists(pair, max_size=30 if n > 1 else 0))
    widths = draw(st.lists(st.floats(44, 150), min_size=n, max_size=n))
    return np.array(found, dtype=np.int32).reshape(-1, 2).T, widths


def crossings(layout: Layout) -> int:
    """Proper crossings of all pieces of edges, by the signs of areas."""
    parts = [(p[i], p[i + 1]) for p in layout.edges for i in range(len(p) - 1)]

    def side(a, b, c) -> float:
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    return sum(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for i, (a, b) in enumerate(parts)
        for c, d in parts[:i]
    )


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_any_graph_is_laid_out(graph):
    edges, widths = graph
    layout, wide = lay_out(edges, widths), np.array(widths)
    n = len(widths)
    assert np.isfinite(layout.x).all()
    assert (layout.layer[edges[0]] < layout.layer[edges[1]]).all()
    assert (layout.x - wide / 2).min() >= -1e-6
    assert (layout.x + wide / 2).max() <= layout.width + 1e-6
    assert layout.y.min() > 0
    assert layout.y.max() < layout.height
    # No two nodes of a row touch.
    for a in range(n):
        for b in range(a):
            if abs(layout.y[a] - layout.y[b]) < ROW / 2:
                assert abs(layout.x[a] - layout.x[b]) >= (wide[a] + wide[b]) / 2 + 10
    for (source, target), points in zip(edges.T, layout.edges, strict=True):
        assert tuple(points[0]) == (layout.x[source], layout.y[source])
        assert tuple(points[-1]) == (layout.x[target], layout.y[target])
        # Edges go down, but for the way up between columns, which has a turn at either end.
        steps = np.diff(points[:, 1])
        for i in np.flatnonzero(steps < 0):
            assert steps[i - 1] == steps[i + 1] == 0
            assert points[i, 0] == points[i + 1, 0]
        assert (steps == 0).sum() == 2 * (steps < 0).sum()


def test_layout_is_deterministic():
    rng = np.random.default_rng(0)
    edges = np.array(
        [[i, j] for i in range(60) for j in range(i + 1, 60) if rng.random() < 2 / (j - i + 2)]
    ).T
    one, other = (lay_out(edges, [60.0] * 60) for _ in range(2))
    assert np.array_equal(one.x, other.x)
    assert all(np.array_equal(a, b) for a, b in zip(one.edges, other.edges, strict=True))


def test_a_chain_with_shortcuts_is_straight_and_without_crossings():
    edges = np.array([[i, i + 1] for i in range(11)] + [[1, 4], [4, 9], [5, 8]]).T
    layout = lay_out(edges, [60.0] * 12)
    assert crossings(layout) == 0
    # Chains between branch and join are vertical: in each column few different places.
    assert len(np.unique(np.rint(layout.x))) <= 3 * len(np.unique(np.floor(layout.x / layout.width * 4)))


def test_sources_are_right_above_their_first_use():
    edges = np.array([[0, 1], [1, 2], [2, 3], [4, 5], [3, 5]]).T
    layout = lay_out(edges, [50.0] * 6)
    assert layout.layer.tolist() == [0, 1, 2, 3, 3, 4]


def test_layers_equal_longest_paths():
    rng = np.random.default_rng(1)
    edges = np.array([[i, j] for j in range(1, 30) for i in {0, *rng.choice(j, min(j, 2), replace=False)}]).T
    depth = [0] * 30
    for j in range(1, 30):
        depth[j] = 1 + max(depth[i] for i in edges[0][edges[1] == j])
    assert lay_out(edges, [50.0] * 30).layer.tolist() == depth


@pytest.mark.parametrize("layers", [60, 400])
def test_long_networks_fill_a_picture(layers):
    edges = np.array([[i, i + 1] for i in range(layers - 1)]).T
    layout = lay_out(edges, [90.0] * layers)
    assert 0.5 < layout.width / layout.height < 2.5
    assert len(np.unique(layout.x)) > 1
    # Down one column, then the next.
    place = [(round(x), y) for x, y in zip(layout.x, layout.y, strict=True)]
    assert place == sorted(place)
