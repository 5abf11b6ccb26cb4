"""Module rows as plain data, as files, and as the Arrow table of a fit."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_samples import SPACE, random_scorer

from nasbuild._records import write_records
from nasbuild.errors import FitError, OutputError
from nasbuild.score import StageScores, module_rows, score_stages
from nasbuild.score._module_rows import modules_from_arrow, modules_to_arrow
from nasbuild.space import Space, count_modules, module_codes, parse_module, space_from_yaml
from strategies import relaxed, spaces

MIXED = space_from_yaml(
    """
    name: mixed
    stages:
      - {name: a, depth: [1, 2], features: {width: [1, 0.5], "a, b": ["x,\\"y\\"", "ü|"]}}
      - {name: b, depth: [1, 2], features: {se: [true, false], width: [2, 9007199254740992]}}
      - {name: c, depth: [1, 2]}
    """
)
BARE = space_from_yaml("{name: bare, stages: [{depth: [1, 2, 3]}, {depth: 1}]}")
SPACES = pytest.mark.parametrize("space", [SPACE, MIXED, BARE], ids=lambda s: s.name)


def scored(space: Space, seed: int = 0) -> list[StageScores]:
    return score_stages(random_scorer(space, seed, members=2))


def rows_of(space: Space) -> list[dict]:
    found = scored(space)
    return [row for scores in found for row in module_rows(space, "acc / 2", scores, range(len(scores)))]


@SPACES
def test_rows_are_those_of_the_design(space):
    for u, scores in enumerate(scored(space)):
        for rank, row in enumerate(module_rows(space, "acc", scores, scores.best(-1))):
            position = len(scores) - 1 - rank
            assert list(row) == ["target", "stage", "module", "score", "std"]
            assert (row["target"], row["stage"]) == ("acc", u)
            assert (row["score"], row["std"]) == (scores.score[position], scores.std[position])
            module = parse_module(space.stages[u], row["module"], where="row")
            assert module == scores.module(space, position)
            assert json.loads(json.dumps(row)) == row


@SPACES
def test_jsonl_comes_back(space, tmp_path):
    rows = rows_of(space)
    for name in ("m.jsonl", "m.jsonl.gz"):
        write_records(rows, tmp_path / name)
    assert [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()] == rows
    assert pl.read_ndjson(tmp_path / "m.jsonl.gz")["score"].to_list() == [row["score"] for row in rows]


@SPACES
def test_csv_comes_back(space, tmp_path):
    rows = rows_of(space)
    write_records(rows, tmp_path / "m.csv")
    found = pl.read_csv(tmp_path / "m.csv")
    assert found.columns == ["target", "stage", "module", "score", "std"]
    back = [row | {"module": json.loads(row["module"])} for row in found.to_dicts()]
    assert back == rows


@SPACES
def test_parquet_comes_back(space, tmp_path):
    rows = rows_of(space)
    write_records(rows, tmp_path / "m.parquet")
    found = pl.read_parquet(tmp_path / "m.parquet").to_dicts()
    for row, back in zip(rows, found, strict=True):
        # A feature that a stage does not have is null there.
        layers = [{n: v for n, v in (layer or {}).items() if v is not None} for layer in back["module"]]
        assert back | {"module": layers} == row
        assert parse_module(space.stages[row["stage"]], layers, where="row")


def test_no_rows_make_a_file_all_the_same(tmp_path):
    write_records([], tmp_path / "m.jsonl")
    assert (tmp_path / "m.jsonl").read_text() == ""


@pytest.mark.parametrize("name", ["m.txt", "m", "m.xlsx", "jsonl", "m.csv.xz"])
def test_another_ending_is_refused(name, tmp_path):
    with pytest.raises(
        OutputError, match=r"is not a file format for rows; allowed: \.jsonl, \.jsonl\.gz, \.json, \.csv, "
    ):
        write_records(rows_of(SPACE), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["m.jsonl", "m.csv", "m.parquet"])
def test_what_can_not_be_written_leaves_nothing(name, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="can't be written"):
        write_records(rows_of(SPACE), tmp_path / "file" / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def through_parquet(table: pa.Table) -> pa.Table:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return pq.read_table(pa.BufferReader(sink.getvalue()))


def check_round_trip(space: Space, found: list[tuple[str, StageScores]]) -> None:
    table = through_parquet(modules_to_arrow(space, found))
    counts = {(target, scores.stage): scores.scored for target, scores in found}
    back = modules_from_arrow(space, table, counts, "modules.parquet")
    assert list(back) == list(counts)
    for target, scores in found:
        other = back[target, scores.stage]
        assert (other.stage, other.scored, other.total) == (scores.stage, scores.scored, scores.total)
        for name in ("layers", "offsets", "score", "std"):
            mine, theirs = getattr(scores, name), getattr(other, name)
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes()
            assert mine.shape == theirs.shape


@SPACES
def test_an_arrow_table_holds_all_stages_of_all_targets(space):
    check_round_trip(space, [(t, s) for n, t in enumerate(("acc", "x / y")) for s in scored(space, n)])


@st.composite
def random_scores(draw) -> tuple[Space, list[tuple[str, StageScores]]]:
    """Any space with any scores; stages of many modules keep some of them, as a search does."""
    space = draw(spaces())
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    found = []
    for target in draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=2, unique=True)):
        for u, stage in enumerate(space.stages):
            codes = [code for depth in stage.depths for code in module_codes(stage, depth)]
            total = len(codes)
            kept = (
                rng.permutation(total)[: max(total // 2, 1)]
                if total > 4 and rng.random() < 0.5
                else range(total)
            )
            picked = [codes[i] for i in kept]
            offsets = np.concatenate([[0], np.cumsum([len(c) for c in picked])])
            score = np.sort(rng.normal(size=len(picked)))[::-1].copy()
            layers = np.concatenate(picked)
            found.append(
                (target, StageScores(u, layers, offsets, score, rng.random(len(picked)), len(picked), total))
            )
    return space, found


@given(random_scores())
@relaxed
def test_any_scores_of_any_space_come_back_to_the_bit(drawn):
    check_round_trip(*drawn)


@pytest.fixture(scope="module")
def arrow() -> tuple[pa.Table, dict]:
    found = [(t, s) for n, t in enumerate(("acc", "latency")) for s in scored(SPACE, n)]
    return modules_to_arrow(SPACE, found), {(t, s.stage): s.scored for t, s in found}


def refused(table: pa.Table, counts: dict, match: str) -> None:
    with pytest.raises(FitError, match=r"^m\.parquet: .*" + match) as caught:
        modules_from_arrow(SPACE, table, counts, "m.parquet")
    assert "\n" not in str(caught.value)


def replaced(table: pa.Table, column: str, values) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(
        place, table.schema.field(column), pa.array(values, table.schema.field(column).type)
    )


def test_other_columns_are_refused(arrow):
    table, counts = arrow
    refused(table.drop_columns(["std"]), counts, "has other columns than its fit")
    refused(table.rename_columns(["target", "stage", "module", "std", "score"]), counts, "has other columns")
    refused(pa.table({"a": [1]}), counts, "has other columns than its fit")
    other = modules_to_arrow(MIXED, [("acc", s) for s in scored(MIXED)])
    refused(other, counts, "has other columns than its fit")


def test_missing_or_surplus_rows_are_refused(arrow):
    table, counts = arrow
    refused(table.slice(1), counts, "modules of stage 0")
    refused(table.slice(0, table.num_rows - 1), counts, "modules of stage 2")
    refused(table.slice(0, 0), counts, "0 modules of stage 0")
    refused(pa.concat_tables([table, table.slice(0, 1)]), counts, "modules of stage 0")
    refused(table, {k: v for k, v in counts.items() if k[0] == "acc"}, "rows of other targets or stages")
    refused(table, counts | {("miou", 0): 3}, "0 modules of stage 0")
    for n in (0, -1, 10**9):
        refused(table, counts | {("acc", 1): n}, "modules of stage 1")


def test_rows_are_modules_of_the_space_in_order(arrow):
    table, counts = arrow
    modules, scores = table["module"].to_pylist(), table["score"].to_pylist()
    long = [modules[0] * 3, *modules[1:]]
    refused(replaced(table, "module", long), counts, "a number of layers that stage 0 can't have")
    foreign = [[layer | {"kernel": 11} for layer in modules[0]], *modules[1:]]
    refused(replaced(table, "module", foreign), counts, "no choice of kernel in stage 0")
    absent = [[layer | {"op": None} for layer in modules[0]], *modules[1:]]
    refused(replaced(table, "module", absent), counts, "no choice of op in stage 0")
    refused(replaced(table, "module", [None, *modules[1:]]), counts, "an empty field in stage 0")
    refused(replaced(table, "score", [None, *scores[1:]]), counts, "an empty field in stage 0")
    refused(replaced(table, "score", [float("nan"), *scores[1:]]), counts, "out of order or no numbers")
    refused(replaced(table, "std", [float("inf"), *table["std"].to_pylist()[1:]]), counts, "no numbers")
    refused(replaced(table, "score", [scores[1] - 1, *scores[1:]]), counts, "out of order or no numbers")
    assert count_modules(SPACE.stages[0]) > 1
