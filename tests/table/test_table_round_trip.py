"""Tables written in any file format are read back equal."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from table_samples import COLUMNS, LINE, ROW, SPACE, jsonl, other_row, row, tables

from nasbuild.errors import OutputError, TableError
from nasbuild.space import (
    GLOBALS,
    Architecture,
    Feature,
    Space,
    Stage,
    architecture_id,
    choice_text,
    parse_architecture,
    space_from_yaml,
    to_dict,
)
from nasbuild.table import Table, flat_columns, flat_row, read_table, table_to_dicts, to_frame, write_table
from strategies import relaxed

FORMS = [".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv", ".CSV.GZ", ".tsv", ".yaml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tables")


@relaxed
@given(table=tables(rich=True))
def test_every_file_format_reads_back_an_equal_table(folder: Path, table: Table):
    frame = to_frame(table)
    sources: list = [frame, frame.to_pandas(), frame.to_arrow()]
    for form in FORMS:
        sources.append(folder / f"table{form}")
        write_table(table, sources[-1])
    for source in sources:
        again = read_table(source, table.space)
        assert again.space == table.space
        assert again.ids == table.ids
        assert again.architectures == table.architectures
        assert list(again.columns) == list(table.columns)
        for name, values in table.columns.items():
            np.testing.assert_array_equal(again.columns[name], values)
            assert again.columns[name].dtype == np.float64
        # Equal to the bit: what was learnt is tied to the digest.
        assert again.digest() == table.digest()


@relaxed
@given(table=tables(rich=True))
def test_choices_keep_their_declared_type(table: Table):
    again = read_table(to_frame(table), table.space)
    for mine, its in zip(table.architectures, again.architectures, strict=True):
        for stage, module, other in zip(table.space.stages, mine, its, strict=True):
            assert [[type(c) for c in layer] for layer in module] == [[type(c) for c in x] for x in other]
            assert all(len(layer) == len(stage.features) for layer in other)


def test_difficult_texts_stay_texts(tmp_path):
    words = [
        "a,b",
        'say "x"',
        "two\nlines",
        "007",
        "1e3",
        "true",
        "nan",
        "null",
        "NA",
        " ",
        " x ",
        "'",
        "é🙂",
    ]
    space = Space("texts", (Stage("s", (1,), (Feature("op", tuple(words)),)),))
    architectures = tuple(Architecture((((word,),),)) for word in words)
    table = Table(space, tuple(f"n{i}" for i in range(len(words))), architectures, {})
    for form in FORMS:
        write_table(table, tmp_path / f"t{form}")
        assert [a.modules[0][0][0] for a in read_table(tmp_path / f"t{form}", space).architectures] == words
    assert [a.modules[0][0][0] for a in read_table(to_frame(table).to_pandas(), space).architectures] == words


@pytest.mark.parametrize("name", ["007", "1", "nan", "a,b", '"', "x" * 300, "é", "true"])
def test_ids_are_kept(name: str, tmp_path):
    table = read_table(jsonl(tmp_path / "a.jsonl", row(name=name)), SPACE)
    for form in FORMS:
        write_table(table, tmp_path / f"t{form}")
        assert read_table(tmp_path / f"t{form}", SPACE).ids == (name,)


def test_a_whole_number_is_an_id_too(tmp_path):
    table = read_table(jsonl(tmp_path / "a.jsonl", row("id", 7)), SPACE)
    assert table.ids == ("7",)
    frame = to_frame(table)
    assert read_table(frame.with_columns(pl.col("id").cast(pl.Int64)), SPACE) == table
    assert read_table(frame.with_columns(pl.col("id").cast(pl.Int64)).to_pandas(), SPACE) == table
    assert read_table(frame.to_pandas().set_index("id"), SPACE) == table


def test_a_file_without_ids_takes_them_from_the_architectures(tmp_path):
    without = {key: value for key, value in ROW.items() if key != "id"}
    (name,) = read_table(jsonl(tmp_path / "a.jsonl", without), SPACE).ids
    assert name == architecture_id(SPACE, parse_architecture(SPACE, ROW["arch"]))
    assert read_table(jsonl(tmp_path / "b.jsonl", row("id", None)), SPACE).ids == (name,)
    (tmp_path / "c.csv").write_text("\n".join([COLUMNS, LINE.replace("a,2", ",2")]))
    assert read_table(tmp_path / "c.csv", SPACE).ids == (name,)


def test_contents_of_written_files(tmp_path):
    """Held against readers that are not ours."""
    table = read_table(jsonl(tmp_path / "a.jsonl", row(), other_row(acc=None, latency=2)), SPACE)
    write_table(table, tmp_path / "t.jsonl.gz")
    lines = gzip.decompress((tmp_path / "t.jsonl.gz").read_bytes()).decode().splitlines()
    assert json.loads(lines[0]) == {**ROW, "metrics": {"acc": 75.5, "latency": 3.0}}
    assert json.loads(lines[1])["metrics"] == {"acc": None, "latency": 2.0}
    write_table(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    assert ",".join(first) == COLUMNS
    assert first["early.1.op"] == "007"
    assert first["late.1.ratio"] == second["acc"] == ""
    assert first["late.se"] == "true"
    write_table(table, tmp_path / "t.parquet")
    frame = pl.read_parquet(tmp_path / "t.parquet")
    assert frame.schema["early.0.kernel"] == pl.Int64
    assert frame.schema["late.se"] == pl.Boolean
    assert frame["acc"].to_list() == [75.5, None]
    assert table_to_dicts(table)[0]["arch"] == ROW["arch"]


def test_ambiguous_columns_are_encoded(tmp_path):
    """Layer 0 of stage a and the stage a.0; a shared feature and a depth; features with dots in them."""
    kernel, depth = Feature("kernel", (3, 5)), Feature("depth", (7, 9))
    dotted = Feature("0.kernel", (1, 2))
    stages = (
        Stage("a", (1, 2), (kernel, depth, dotted), frozenset({"depth", "0.kernel"})),
        Stage("a.0", (1, 2), (kernel,), frozenset({"kernel"})),
        Stage(GLOBALS, (1,), (depth,)),
    )
    space = Space("names", stages)
    columns = flat_columns(space)
    assert len(set(columns)) == len(columns)
    both = [Architecture((((3, 7, 1),), ((k,), (k,)), ((9,),))) for k in (3, 5)]
    values = {"id": np.array([1.0, 2.0]), "a.depth": np.array([3.0, 4.0])}
    table = Table(space, ("x", "y"), tuple(both), values)
    for form in FORMS:
        write_table(table, tmp_path / f"t{form}")
        assert read_table(tmp_path / f"t{form}", space) == table


def test_dots_in_names_of_stages_are_kept_if_unambiguous():
    stages = (Stage("down.0", (1, 2), (Feature("op", ("x", "y")),)), Stage("up.0", (1,), ()))
    assert flat_columns(Space("unet", stages)) == ["down.0.depth", "down.0.0.op", "down.0.1.op", "up.0.depth"]


def test_flat_rows_have_every_layer_of_the_deepest_module():
    flat = flat_row(SPACE, parse_architecture(SPACE, ROW["arch"]))
    names = COLUMNS.split(",")[1:-2]
    values = [2, 3, "conv", 5, "007", 1, True, 0.25, None, 224]
    assert flat == dict(zip(names, values, strict=True))
    assert list(flat) == flat_columns(SPACE) == names


def test_a_frame_may_hold_a_number_and_its_text_in_quotes():
    space = space_from_yaml("{name: s, stages: [{depth: 1, features: {op: [1, '1']}}]}")
    frame = pd.DataFrame({"id": ["a", "b"], "stage1.0.op": [1, '"1"']})
    assert [a.modules[0][0][0] for a in read_table(frame, space).architectures] == [1, "1"]


@relaxed
@given(table=tables(rich=True))
def test_a_shared_feature_may_stand_in_every_layer(table: Table):
    """Held against columns made straight from the dictionaries of the architectures."""
    # A dot in a name may call for encoded columns.
    assume("." not in "".join(s.name + "".join(f.name for f in s.features) for s in table.space.stages))

    def cell(stage: Stage | None, feature: str, value: object) -> object:
        assert stage is not None
        # Among choices of several types a text such as '1' stands in quotes, as 1 may be meant.
        return choice_text(stage.feature(feature), value) if isinstance(value, str) else value

    rows = []
    for name, architecture in zip(table.ids, table.architectures, strict=True):
        arch = to_dict(table.space, architecture)
        of_all = arch.get("globals", {}).items()
        flat = {"id": name, **{f"globals.{k}": cell(table.space.globals, k, v) for k, v in of_all}}
        for stage, module in zip(table.space.layered, arch["stages"], strict=True):
            flat[f"{stage.name}.depth"] = len(module)
            for n, layer in enumerate(module):
                flat |= {f"{stage.name}.{n}.{k}": cell(stage, k, v) for k, v in layer.items()}
        rows.append(flat)
    assert read_table(pd.DataFrame(rows), table.space).architectures == table.architectures


def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path):
    table = read_table(jsonl(tmp_path / "a.jsonl", row()), SPACE)
    with pytest.raises(
        TableError, match=r"'t\.xlsx' is not a file format for a table; allowed: \.jsonl, \.jsonl\.gz"
    ):
        write_table(table, tmp_path / "t.xlsx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl"]


@pytest.mark.parametrize("form", FORMS)
def test_a_place_that_can_not_be_written_is_named(form: str, tmp_path):
    table = read_table(jsonl(tmp_path / "a.jsonl", row()), SPACE)
    with pytest.raises(OutputError, match="can't be written"):
        write_table(table, tmp_path / "none" / f"t{form}")


@pytest.mark.parametrize("form", FORMS)
def test_equal_tables_give_equal_files(form: str, tmp_path):
    table = read_table(jsonl(tmp_path / "a.jsonl", row()), SPACE)
    for name in "xy":
        write_table(table, tmp_path / f"{name}{form}")
    assert (tmp_path / f"x{form}").read_bytes() == (tmp_path / f"y{form}").read_bytes()
