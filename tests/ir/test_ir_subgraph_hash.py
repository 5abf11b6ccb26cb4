"""Names of rooted subgraphs against trees that are written out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from random_graphs import OPS, drawn

from nasbuild.errors import NasbuildError
from nasbuild.ir import NODE_COLUMNS, subgraph_hash, subgraphs


def tree(graph, node, hops, attributes=("kernel",)):
    """What the name stands for, written out."""
    own = (graph.ops[node], *(str(getattr(graph, a)[node].tolist()) for a in attributes))
    if not hops:
        return own
    below = [tree(graph, int(s), hops - 1, attributes) for s in graph.edges[0][graph.edges[1] == node]]
    return (own, *(sorted(below, key=repr) if own[0] == "Add" else below))


@pytest.mark.parametrize("hops", [0, 1, 2, 3])
@pytest.mark.parametrize("attributes", [("kernel",), ("kernel", "output_shape"), ()])
def test_equal_names_are_equal_trees(hops, attributes):
    graphs = [drawn(seed) for seed in range(8)]
    found = subgraphs(graphs, hops, attributes=attributes)[-1]
    trees = [repr(tree(g, node, hops, attributes)) for g in graphs for node in range(len(g))]
    named = [found.names[code] for code in found.codes]
    pairs = set(zip(trees, named, strict=True))
    assert len({t for t, _ in pairs}) == len({n for _, n in pairs}) == len(pairs) == len(found.names)
    assert len(pairs) < len(trees)
    assert [named[root] for root in found.roots] == list(found.names)


def test_names_do_not_depend_on_other_graphs():
    graph, others = drawn(1), [drawn(seed, name=str(seed)) for seed in range(2, 6)]
    wide = dataclasses.replace(graph, vocabulary=("A", *OPS), op=graph.op + 1)
    found = subgraphs([*others, graph], 3)[-1]
    start = sum(map(len, others))
    for node in range(len(graph)):
        name = subgraph_hash(graph, node, 3)
        assert name == found.names[found.codes[start + node]]
        assert name == subgraph_hash(wide, node, 3)
        assert len(name) == 32


def chain(ops, edges, name="g"):
    base = drawn(0, len(ops), name)
    codes = np.array([OPS.index(op) for op in ops], np.int32)
    blank = {c: np.zeros_like(getattr(base, c)) for c in NODE_COLUMNS if c != "op"}
    return dataclasses.replace(base, op=codes, edges=np.array(edges, np.int32).T, **blank)


def test_the_order_of_operands_counts_where_it_matters():
    for op, same in (("Add", True), ("Sub", False)):
        one = chain(["Conv", "Relu", op], [(0, 2), (1, 2)])
        two = chain(["Conv", "Relu", op], [(1, 2), (0, 2)])
        assert (subgraph_hash(one, 2, 1) == subgraph_hash(two, 2, 1)) is same
        assert subgraph_hash(one, 2, 0) == subgraph_hash(two, 2, 0)


def test_more_hops_distinguish_more():
    one = chain(["Conv", "Relu", "Sub"], [(0, 1), (1, 2)])
    two = chain(["Add", "Relu", "Sub"], [(0, 1), (1, 2)])
    assert subgraph_hash(one, 2, 1) == subgraph_hash(two, 2, 1)
    assert subgraph_hash(one, 2, 2) != subgraph_hash(two, 2, 2)
    # Once all is seen, a step more changes nothing.
    assert subgraph_hash(one, 2, 2) == subgraph_hash(one, 2, 9)


def test_mistakes():
    graph = drawn(0)
    with pytest.raises(NasbuildError, match="has no node 25; allowed: 0 to 24"):
        subgraph_hash(graph, 25, 1)
    with pytest.raises(NasbuildError, match="-1 hops"):
        subgraph_hash(graph, 0, -1)
    with pytest.raises(NasbuildError, match="no attribute 'colour'; allowed: grouping"):
        subgraph_hash(graph, 0, 1, attributes=["colour"])
    assert subgraphs([], 2)[-1].names == ()
