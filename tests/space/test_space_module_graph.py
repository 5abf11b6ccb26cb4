"""Graphs of architectures: one node a layer, one chain an architecture, shared categories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import (
    ABSENT,
    GLOBALS,
    Architecture,
    Feature,
    Space,
    Stage,
    choice_key,
    encode,
    encode_modules,
    graph_schema,
    space_from_yaml,
)
from strategies import all_modules, relaxed, spaces, spaces_and_architectures

SPACE = space_from_yaml(
    """
    name: example
    globals: {resolution: [192, 224]}
    stages:
      - {name: one, depth: [1, 2], features: {kernel: [5, 3], op: [conv, skip]}}
      - {name: two, depth: [3], features: {kernel: [7, 3], se: [true, false]}, shared: [se]}
    """
)
FIRST = Architecture((((3, "skip"),), ((7, True), (3, True), (3, True)), ((224,),)))
SECOND = Architecture((((5, "conv"), (3, "conv")), ((3, False), (7, False), (7, False)), ((192,),)))
# Columns: kernel (3, 5, 7), op (conv, skip), se (true, false), resolution, stage, layer.
ROWS = [
    [[1, 2, 0, 0, 1, 1], [3, 0, 1, 0, 2, 1], [1, 0, 1, 0, 2, 2], [1, 0, 1, 0, 2, 3], [0, 0, 0, 2, 3, 1]],
    [
        [2, 1, 0, 0, 1, 1],
        [1, 1, 0, 0, 1, 2],
        [1, 0, 2, 0, 2, 1],
        [3, 0, 2, 0, 2, 2],
        [3, 0, 2, 0, 2, 3],
        [0, 0, 0, 1, 3, 1],
    ],
]


def rows_by_hand(space, stage, module):
    """Categories of a module's nodes, feature by feature; 0 where the stage lacks the feature."""
    rows = []
    for layer, choices in enumerate(module):
        own = dict(zip((f.name for f in space.stages[stage].features), choices, strict=True))
        row = []
        for feature in graph_schema(space).features[:-2]:
            keys = list(map(choice_key, feature.choices))
            here = own.get(feature.name, ABSENT) is not ABSENT
            row.append(1 + keys.index(choice_key(own[feature.name])) if here else 0)
        rows.append([*row, 1 + stage, 1 + layer])
    return rows


def same(one, other):
    np.testing.assert_array_equal(one.categories, other.categories)
    np.testing.assert_array_equal(one.numbers, other.numbers)
    np.testing.assert_array_equal(one.edges, other.edges)
    np.testing.assert_array_equal(one.offsets, other.offsets)


def test_the_schema_lists_each_feature_once_then_stage_and_layer():
    schema = graph_schema(SPACE)
    assert [(f.name, f.choices) for f in schema.features] == [
        ("kernel", (3, 5, 7)),
        ("op", ("conv", "skip")),
        ("se", (True, False)),
        ("resolution", (192, 224)),
        ("stage", ("one", "two", GLOBALS)),
        ("layer", (0, 1, 2)),
    ]
    assert schema.categorical == schema.features
    assert schema.numeric == ()


def test_a_small_example():
    graphs = encode(SPACE, [FIRST, SECOND])
    assert graphs.categories.tolist() == ROWS[0] + ROWS[1]
    assert graphs.edges.tolist() == [[0, 1, 2, 3, 5, 6, 7, 8, 9], [1, 2, 3, 4, 6, 7, 8, 9, 10]]
    assert graphs.offsets.tolist() == [0, 5, 11]
    assert graphs.graph_of_node.tolist() == [0] * 5 + [1] * 6
    assert graphs.numbers.shape == (11, 0)
    assert len(graphs) == 2


@given(spaces_and_architectures(rich=True))
@relaxed
def test_an_architecture_is_a_chain_of_its_layers(drawn):
    space, architectures = drawn
    graphs = encode(space, architectures)
    sizes = [sum(map(len, a.modules)) for a in architectures]
    assert np.diff(graphs.offsets).tolist() == sizes
    assert graphs.offsets[0] == 0
    edges = [
        (n, n + 1)
        for i, size in enumerate(sizes)
        for n in range(graphs.offsets[i], graphs.offsets[i] + size - 1)
    ]
    assert list(zip(*graphs.edges.tolist(), strict=True)) == edges
    rows = [
        row for a in architectures for u, module in enumerate(a) for row in rows_by_hand(space, u, module)
    ]
    assert graphs.categories.tolist() == rows
    assert graphs.categories.dtype == graphs.edges.dtype == graphs.offsets.dtype == np.int64
    if space.globals:
        assert (graphs.categories[graphs.offsets[1:] - 1, -2] == len(space.stages)).all()


@given(spaces(rich=True, most_modules=60))
@relaxed
def test_isolated_modules_have_the_nodes_of_whole_architectures(space):
    for u, stage in enumerate(space.stages):
        for depth in stage.depths:
            modules = [m for m in all_modules(stage) if len(m) == depth][:8]
            graphs = encode_modules(space, u, np.stack([stage.encode(m) for m in modules]))
            assert graphs.categories.tolist() == [row for m in modules for row in rows_by_hand(space, u, m)]
            assert np.diff(graphs.offsets).tolist() == [depth] * len(modules)
            first = [(n, n + 1) for i in range(len(modules)) for n in range(i * depth, i * depth + depth - 1)]
            assert list(map(tuple, graphs.edges.T.tolist())) == first
            # In an architecture the same rows stand as a slice of the chain.
            others = [all_modules(s)[0] for s in space.stages]
            whole = encode(space, [Architecture((*others[:u], modules[-1], *others[u + 1 :]))])
            start = sum(map(len, others[:u]))
            assert whole.categories[start : start + depth].tolist() == rows_by_hand(space, u, modules[-1])


@given(spaces_and_architectures(rich=True, most=6), st.data())
@relaxed
def test_selecting_graphs_equals_encoding_the_selected(drawn, data):
    space, architectures = drawn
    graphs = encode(space, architectures)
    index = data.draw(st.lists(st.integers(-len(architectures), len(architectures) - 1), max_size=8))
    expected = encode(space, [architectures[i] for i in index])
    same(graphs.select(index), expected)
    same(graphs.select(np.array(index, dtype=np.int32)), expected)
    mask = data.draw(st.lists(st.booleans(), min_size=len(architectures), max_size=len(architectures)))
    same(
        graphs.select(np.array(mask)),
        encode(space, [a for a, kept in zip(architectures, mask, strict=True) if kept]),
    )
    # A selection is graphs like any other.
    same(graphs.select(index).select(range(len(index))), expected)


def test_selecting_a_missing_graph_is_an_error():
    graphs = encode(SPACE, [FIRST, SECOND])
    for index in ([2], [-3], [0.5], [True]):
        with pytest.raises(IndexError):
            graphs.select(index)


def test_no_architecture_gives_no_graph():
    graphs = encode(SPACE, [])
    assert len(graphs) == 0
    assert graphs.categories.shape == (0, 6)
    assert graphs.edges.shape == (2, 0)


def test_ordered_choices_keep_their_order_though_the_first_stage_lacks_some():
    def stage(name, *sizes):
        return Stage(name, (1,), (Feature("size", sizes, "ordered"),))

    space = Space(
        "s",
        (stage("a", "small", "large"), stage("b", "small", "medium", "large"), stage("c", "tiny", "small")),
    )
    assert graph_schema(space).features[0].choices == ("tiny", "small", "medium", "large")
    with pytest.raises(SpaceError, match=r"^stages: feature 'size' is ordered differently in two stages$"):
        graph_schema(Space("s", (stage("a", "small", "large"), stage("b", "large", "small"))))


def test_features_of_one_name_share_their_categories_and_truth_values_are_no_numbers():
    truth, number = Feature("se", (True, False)), Feature("kernel", (1, 0), "numeric")
    space = Space("s", (Stage("a", (1,), (truth, number)), Stage("b", (1,), (Feature("se", (False,)),))))
    graphs = encode(space, [Architecture((((False, 1),), ((False,),)))])
    assert graphs.categories.tolist() == [[2, 2, 1, 1], [2, 0, 2, 1]]
