"""Kinds of indistinguishable nodes, against message passing written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictor_samples import random_graphs

from nasbuild.predictor.gnn._color_refinement import node_kinds
from nasbuild.space import Graphs, encode, sample
from strategies import relaxed, spaces


def seen(graphs: Graphs, hops: int) -> list[list[object]]:
    """What each node can know after 0, 1, ... hops, as a tree."""
    found: list[list[object]] = [
        [
            (tuple(c), tuple(n))
            for c, n in zip(graphs.categories.tolist(), graphs.numbers.tolist(), strict=True)
        ]
    ]
    for _ in range(hops):
        before = found[-1]
        arriving: list[list[object]] = [[] for _ in before]
        for source, target in graphs.edges.T:
            arriving[target].append(before[source])
        found.append([(b, tuple(sorted(a, key=repr))) for b, a in zip(before, arriving, strict=True)])
    return found


def check(graphs: Graphs, hops: int) -> list[int]:
    """Kinds are exactly what can be told apart, and receive what each of their nodes does."""
    trees, found = seen(graphs, hops), node_kinds(graphs, hops)
    assert len(found) == hops + 1
    for m, (kinds, tree) in enumerate(zip(found, trees, strict=True)):
        shown = [repr(one) for one in tree]
        first = [shown[i] for i in kinds.first]
        assert len(set(first)) == len(first)
        assert set(first) == set(shown)
        for g in range(len(graphs)):
            own = shown[graphs.offsets[g] : graphs.offsets[g + 1]]
            assert kinds.count[g].tolist() == [own.count(kind) for kind in first]
        if m:
            before = [repr(trees[m - 1][i]) for i in found[m - 1].first]
            assert [before[k] for k in kinds.own] == [repr(trees[m - 1][i]) for i in kinds.first]
            for k, node in enumerate(kinds.first):
                sources = graphs.edges[0][graphs.edges[1] == node]
                arrive = [before[s] for s in kinds.source[kinds.target == k]]
                assert sorted(arrive) == sorted(repr(trees[m - 1][s]) for s in sources)
        else:
            assert len(kinds.own) == len(kinds.source) == len(kinds.target) == 0
    return [len(kinds.first) for kinds in found]


@given(spaces(), st.integers(0, 2**32 - 1))
@settings(relaxed, max_examples=40)
def test_there_is_one_kind_for_each_distinguishable_architecture(space, seed):
    some = sample(space, 6, np.random.default_rng(seed), distinct=False)
    sizes = check(encode(space, some), 3)
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("edges", [0.0, 0.3, 1.0])
def test_graphs_of_any_edges_too(edges):
    rng = np.random.default_rng(1)
    graphs = random_graphs(rng, 6, edges=edges)
    # Few features and no numbers, so that nodes are alike at all.
    plain = Graphs(
        np.minimum(graphs.categories, 1), np.zeros_like(graphs.numbers), graphs.edges, graphs.offsets
    )
    few, many = check(plain, 3), check(graphs, 3)
    assert few[0] <= 4
    assert few[0] < many[0]
