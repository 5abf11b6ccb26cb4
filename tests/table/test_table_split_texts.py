"""Architectures as texts that list operations: read, inferred, and written back as they were."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import space_from_yaml
from nasbuild.table import guess_space, read_table, read_tables, write_table
from nasbuild.table._split_texts import joined_text, notation_of, split_text

pieces = st.text("abc_~3", min_size=1, max_size=6)


@pytest.mark.hypothesis
@given(
    st.lists(st.lists(pieces, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from(["|+", "/-", "+||"]),
)
def test_what_is_split_is_joined_again(data, notation):
    assert split_text(joined_text(data, notation), notation) == data


@pytest.mark.parametrize(
    ("texts", "notation"),
    [
        (["conv+skip|conv", "skip+skip|conv", "conv+conv|skip"], "|+"),
        (["|conv~0|+|skip~0|conv~1|", "|skip~0|+|skip~0|skip~1|", "|conv~0|+|skip~0|skip~1|"], "+||"),
        (["conv-skip", "skip-conv", "conv-conv"], "-"),
        # Names, dates, numbers, one text for all, a column of one choice.
        (["run-a-1", "run-b-2", "run-c-3", "run-d-4", "run-e-5"], None),
        (["2024-01-05", "2024-02-05", "2024-01-06"], None),
        (["a|b", "a|b"], None),
        (["conv", "skip", "conv"], None),
        (["a|b|c", "a|b", "b|a|a"], None),
    ],
)  # fmt: skip
def test_a_notation_is_recognised(texts, notation):
    assert notation_of(texts) == notation


def test_a_table_of_texts_is_inferred_read_and_written_back(tmp_path):
    rows = {
        "arch": ["conv+skip|conv", "skip+skip|pool", "conv+conv|conv", "conv+skip|pool", "skip+conv|conv"],
        "acc": [70.25, 71.5, 72.75, 73.5, 74.25],
    }
    frame = pl.DataFrame(rows)
    guess = guess_space(frame)
    assert "the texts of arch are lists, separated by | and +" in guess.notes
    assert [(stage.depths, stage.features[0].name) for stage in guess.space.stages] == [
        ((2,), "op"),
        ((1,), "op"),
    ]
    table = read_table(frame, guess.space)
    assert [layer[0] for layer in table.architectures[1].modules[0]] == ["skip", "skip"]
    write_table(table, tmp_path / "again.csv")
    written = pl.read_csv(tmp_path / "again.csv")
    assert written["arch"].to_list() == rows["arch"]
    assert read_table(tmp_path / "again.csv", guess.space) == table


def test_lists_of_different_lengths_end_with_their_layers(tmp_path):
    frame = pl.DataFrame(
        {"cells": ["a+b|a", "b|a", "a|b+b", "b+a|b", "a|a"], "acc": [1.5, 2.5, 3.25, 4.75, 5.5]}
    )
    space = guess_space(frame).space
    assert [stage.depths for stage in space.stages] == [(1, 2), (1, 2)]
    table = read_table(frame, space)
    write_table(table, tmp_path / "again.csv")
    assert pl.read_csv(tmp_path / "again.csv")["cells"].to_list() == frame["cells"].to_list()


def test_another_notation_is_refused():
    with pytest.raises(SpaceError, match="'tabs' is not a notation"):
        space_from_yaml(
            "{name: s, stages: [{depth: 1, features: {op: [a, b]}}], "
            "columns: {stages: {stage1: {op: ['x[0]']}}, literals: {x: tabs}}}"
        )


def test_ids_beside_columns_of_the_architecture_stay_ids():
    ids = ["k3/k5", "k5/k5", "k3/k3", "k5/k3", "k3/k7", "k5/k7"]
    frame = pl.DataFrame(
        {
            "name": ids,
            "k1": [3, 5, 3, 5, 3, 5],
            "k2": [5, 5, 3, 3, 7, 7],
            "acc": [1.5, 2.5, 3.25, 4.75, 5.5, 6.0],
        }
    )
    space = guess_space(frame).space
    assert read_table(frame, space).ids == tuple(ids)
    # Alone, they describe the architecture.
    alone = frame.drop("k1", "k2")
    assert [stage.features[0].choices for stage in guess_space(alone).space.stages] != []
    assert len(read_table(alone, guess_space(alone).space)) == 6


def test_ids_that_list_operations_join_tables():
    frame = pl.DataFrame(
        {"id": ["a/b", "b/b", "a/a"], "stage1.0.op": ["a", "b", "a"], "stage1.1.op": ["b", "b", "a"]}
    )
    space = space_from_yaml("{name: s, stages: [{depth: 2, features: {op: [a, b]}}]}")
    times = pl.DataFrame({"id": ["b/b", "a/a"], "ms": [2.0, 3.0]})
    both = read_tables([frame.with_columns(acc=pl.Series([1.0, 2.0, 3.0])), times], space)
    assert both.columns["ms"].tolist()[1:] == [2.0, 3.0]
