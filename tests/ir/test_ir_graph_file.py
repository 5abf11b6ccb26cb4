"""Files of graphs are loaded as saved, and anything else is refused."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from random_graphs import drawn

from nasbuild.errors import NasbuildError, OutputError
from nasbuild.ir import load_graphs, save_graphs

KEY = b"nasbuild.ir"


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "graphs.parquet"
    graphs = [
        drawn(seed, 5 + seed, f"g{seed}", tuple(f"Op{i + seed % 2}" for i in range(4))) for seed in range(6)
    ]
    # A graph names the operations that it has.
    graphs = [load(g) for g in graphs]
    save_graphs(graphs, path)
    return path, graphs


def load(graph):
    used, op = np.unique(graph.op, return_inverse=True)
    labels = np.array([f"node {i}" for i in range(len(graph))], object)
    vocabulary = tuple(graph.vocabulary[c] for c in used)
    return replace(graph, vocabulary=vocabulary, op=op.astype(np.int32), labels=labels)


def test_saved_graphs_are_loaded_equal(saved):
    path, graphs = saved
    assert load_graphs(path) == graphs
    assert load_graphs(path)[3] != graphs[4]
    save_graphs([], path)
    assert load_graphs(path) == []


def test_files_may_have_other_columns(saved):
    path, graphs = saved
    table = pq.read_table(path)
    pq.write_table(table.append_column("acc", pa.array(np.arange(6.0))), path, row_group_size=2)
    assert load_graphs(path) == graphs


def test_two_graphs_with_the_same_name_are_refused(tmp_path):
    with pytest.raises(NasbuildError, match="two graphs have the name 'g'"):
        save_graphs([drawn(0), drawn(1)], tmp_path / "g.parquet")
    with pytest.raises(OutputError, match="can't be written"):
        save_graphs([drawn(0)], tmp_path)


def changed(path, column, change):
    """The file with one column made another."""
    table = pq.read_table(path)
    position = table.schema.get_field_index(column)
    values = change(table.column(column).to_pylist())
    kind = table.schema.field(column).type
    pq.write_table(table.set_column(position, column, pa.array(values, kind)), path)


def first(value, at=0):
    def change(lists):
        lists[0][at] = value
        return lists

    return change


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("op", first(99), "operation that is not in its vocabulary"),
        ("op", first(-1), "operation that is not in its vocabulary"),
        ("op", lambda v: [v[0][:-1], *v[1:]], "differ in the number of nodes"),
        ("edge_source", first(4), "leads to no later node"),
        ("edge_source", first(-1), "leads to no later node"),
        ("edge_target", first(10**6, -1), "leads to no later node"),
        ("edge_target", lambda v: [v[0][::-1], *v[1:]], "no later node|order of their targets"),
        ("edge_target", lambda v: [v[0][:-1], *v[1:]], "its edges need two ends each"),
        ("outputs", first(5), "output that is not a node"),
        ("macs", first(-5.0), "a negative or infinite number in column macs"),
        ("macs", first(float("inf")), "a negative or infinite number in column macs"),
        ("total_parameters", lambda v: [-1, *v[1:]], "a number of parameters that its nodes contradict"),
        ("total_parameters", lambda v: [10**9, *v[1:]], "a number of parameters that its nodes contradict"),
        ("total_parameters", lambda v: [None, *v[1:]], "a number of parameters that its nodes contradict"),
        ("notes", lambda v: [None, *v[1:]], "has an empty note"),
        ("kernel", first(-5), "negative number in column kernel"),
        ("input_shape", first(-2), "size below -1"),
        ("label", lambda v: [v[0][:-1], *v[1:]], "op and label"),
        ("label", first(None), "has nulls"),
        ("name", lambda v: [v[1], *v[1:]], "graphs without names, or with the same name"),
        ("name", lambda v: [None, *v[1:]], "graphs without names, or with the same name"),
    ],
)
def test_contradictory_files_are_refused(saved, column, change, said):
    path, _ = saved
    changed(path, column, change)
    with pytest.raises(NasbuildError, match=said) as caught:
        load_graphs(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"version": 3, "vocabulary": []}, "has version 3; allowed: up to 2; update nasbuild"),
        (
            {"version": 1, "vocabulary": []},
            "has version 1, .*; allowed: version 2; import the networks again",
        ),
        ({"vocabulary": []}, "states no format version"),
        ({"version": 2, "vocabulary": ["b", "a"]}, "not a sorted list"),
        ({"version": 2, "vocabulary": [1]}, "not a sorted list"),
        ([], "states no format version"),
    ],
)
def test_other_versions_are_refused(saved, header, said):
    path, _ = saved
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(header).encode()}), path)
    with pytest.raises(NasbuildError, match=said):
        load_graphs(path)
    pq.write_table(table.replace_schema_metadata({}), path)
    with pytest.raises(NasbuildError, match="is not a file of graphs; make one"):
        load_graphs(path)
    pq.write_table(table.drop_columns(["macs"]), path)
    with pytest.raises(NasbuildError, match="has no column 'macs'"):
        load_graphs(path)


def test_damaged_files_give_one_sentence(saved, tmp_path):
    path, graphs = saved
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    messages: list[str] = []
    for turn in range(200):
        bad = bytearray(data)
        if turn % 4:
            bad[int(rng.integers(len(bad)))] ^= 1 << int(rng.integers(8))
        else:
            del bad[int(rng.integers(len(bad))) :]
        path.write_bytes(bad)
        try:
            assert len(load_graphs(path)) == len(graphs)
        except NasbuildError as error:
            refused += 1
            messages.append(str(error))
    assert refused > 100
    assert not [text for text in messages if "\n" in text]
    with pytest.raises(NasbuildError, match="no such file"):
        load_graphs(tmp_path / "none.parquet")


def test_thousands_of_graphs_load_quickly(tmp_path):
    base = [drawn(seed, 200) for seed in range(20)]
    graphs = [replace(base[i % 20], name=str(i)) for i in range(1500)]
    save_graphs(graphs, tmp_path / "many.parquet")
    start = time.process_time()
    assert len(load_graphs(tmp_path / "many.parquet")) == 1500
    assert time.process_time() - start < 5
