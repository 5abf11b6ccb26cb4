"""Checks across rows: ids, repeats, and the notes on a table."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_samples import ROW, SPACE, finite, jsonl, notes, other_row, refusal, row

from nasbuild.errors import TableError
from nasbuild.space import architecture_id, space_from_yaml
from nasbuild.table import read_table
from strategies import relaxed

KERNEL = ("arch", "stages", 0, 0, "kernel", 5)


def test_one_id_for_two_architectures_is_refused(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", row(), row(name="c"), other_row("a"))
    assert refusal(path) == (
        f"{path}, line 3: id 'a' already names another architecture, at {path}, line 1; give each architecture its own id"
    )


def test_the_id_of_a_repeat_is_taken_as_well(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", row(), row(name="again"), other_row("again"))
    assert "line 3: id 'again' already names another architecture, at " in refusal(path)


def test_an_id_may_not_be_the_canonical_id_of_another_architecture(tmp_path):
    table = read_table(jsonl(tmp_path / "t.jsonl", row("id", None)), SPACE)
    path = jsonl(tmp_path / "u.jsonl", row("id", None), other_row(table.ids[0]))
    assert "already names another architecture" in refusal(path)


def test_the_later_of_two_is_skipped(tmp_path):
    rows = [row(), other_row("a", acc=1), row(*KERNEL, name="c")]
    table = read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE, skip_bad=True)
    assert table.ids == ("a", "c")
    (skipped,) = [note.rows for note in table.notes if note.kind == "skipped"]
    assert len(skipped) == 1
    assert "line 2: id 'a' already names another architecture" in skipped[0]


def test_repeats_are_averaged_and_their_spread_is_noted(tmp_path):
    rows = [
        row("metrics", {"acc": 70, "latency": 3}),
        other_row("b", acc=50),
        row("metrics", {"acc": 72, "extra": 1}, name="again"),
        row("metrics", {"acc": 74, "latency": 5, "extra": 4}),
    ]
    table = read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE)
    assert table.ids == ("a", "b")
    assert table.columns["acc"].tolist() == [72, 50]
    np.testing.assert_array_equal(table.columns["latency"], [4, math.nan])
    np.testing.assert_array_equal(table.columns["extra"], [2.5, math.nan])
    (note,) = [note for note in table.notes if note.kind == "repeated"]
    assert note.rows == ("a",)
    assert note.text == (
        "2 rows with the architecture of another row left out; their metrics were averaged "
        "(standard deviation between repeats: acc 2, latency 1.41, extra 2.12)"
    )


def test_every_architecture_adds_to_the_spread(tmp_path):
    noisy = [row("metrics", {"acc": acc}) for acc in (70, 76)]
    quiet = [other_row("b", acc=acc) for acc in (50, 51)]
    for rows in (noisy + quiet, quiet + noisy):
        table = read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE)
        # Variances 18 and 0.5, one degree of freedom each: the root of 9.25.
        assert "repeats: acc 3.04)" in notes(table)["repeated"][0]


@relaxed
@given(
    st.lists(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=4), min_size=1, max_size=4),
    st.randoms(),
)
def test_the_spread_is_pooled_over_architectures(tmp_path_factory, groups, random):
    space = space_from_yaml("{name: s, stages: [{depth: 1, features: {n: [0, 1, 2, 3]}}]}")
    rows = [
        {"arch": {"stages": [[{"n": n}]]}, "metrics": {"acc": v}} for n, vs in enumerate(groups) for v in vs
    ]
    random.shuffle(rows)
    table = read_table(jsonl(tmp_path_factory.mktemp("t") / "t.jsonl", *rows), space)
    known = [[v for v in values if v is not None] for values in groups]
    for architecture, row_number in table.row_of.items():
        values = known[architecture.modules[0][0][0]]
        if "acc" in table.columns:
            expected = statistics.mean(values) if values else math.nan
            np.testing.assert_allclose(table.columns["acc"][row_number], expected, rtol=1e-12)
    several = [values for values in known if len(values) > 1]
    spread = math.nan
    if several:
        squares = sum(statistics.variance(values) * (len(values) - 1) for values in several)
        spread = math.sqrt(squares / sum(len(values) - 1 for values in several))
    texts = notes(table).get("repeated", [])
    assert len(texts) == any(len(values) > 1 for values in groups)
    assert ("standard deviation" in "".join(texts)) == bool(several)
    if several:
        noted = float(texts[0].split("repeats: acc ")[1].rstrip(")"))
        assert noted == pytest.approx(spread, rel=0.01, abs=1e-9)


@given(finite, st.integers(2, 4))
@relaxed
def test_the_mean_of_equal_values_is_that_value(tmp_path_factory, value: float, times: int):
    path = jsonl(tmp_path_factory.mktemp("t") / "t.jsonl", *[row("metrics", {"acc": value})] * times)
    table = read_table(path, SPACE)
    assert table.columns["acc"].tolist() == [value]
    assert "(standard deviation between repeats: acc 0)" in notes(table)["repeated"][0]


def test_a_metric_that_is_the_same_everywhere(tmp_path):
    rows = [row(), other_row("b", acc=75.5, latency=1)]
    found = notes(read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE))
    assert found == {"constant": ["acc is 75.5 wherever it is known, so nothing can be learnt from it"]}


def test_extreme_values(tmp_path):
    rows = [row("metrics", {"acc": 1.7e308}), other_row("b", acc=-1.7e308), row("metrics", {"acc": 1.7e308})]
    table = read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE)
    assert table.columns["acc"].tolist() == [1.7e308, -1.7e308]
    assert "constant" not in notes(table)


def test_a_metric_with_missing_values(tmp_path):
    rows = [row(), other_row("b", acc=1), row(*KERNEL, name="c") | {"metrics": {"acc": 2, "latency": None}}]
    table = read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE)
    (note,) = table.notes
    assert (note.kind, note.rows) == ("missing", ("b", "c"))
    assert note.text == "latency is missing in 2 of 3 rows; a fit of latency leaves them out"


@pytest.mark.parametrize("metrics", [{"acc": 1}, {"acc": 1, "latency": None}])
def test_a_declared_metric_without_a_value(metrics: dict, tmp_path):
    table = read_table(jsonl(tmp_path / "t.jsonl", row("metrics", metrics)), SPACE)
    assert notes(table) == {
        "absent": ["the space declares the metric latency, but the table has no value for it"]
    }
    assert list(table.columns) == list(table.metrics) == ["acc"]


def test_a_metric_without_a_direction(tmp_path):
    table = read_table(jsonl(tmp_path / "t.jsonl", row("metrics", "macs", 1), other_row("b", acc=2)), SPACE)
    (note,) = [note for note in table.notes if note.kind == "undeclared"]
    assert note.rows == ("macs",)
    assert note.text == (
        "no direction is declared for macs: write --target=+macs or --target=-macs, or use it in an equation"
    )
    assert list(table.columns) == ["acc", "latency", "macs"]
    assert list(table.metrics) == ["acc", "latency"]


def test_a_sound_table_has_no_notes(tmp_path):
    table = read_table(jsonl(tmp_path / "t.jsonl", row(), other_row("b", acc=1, latency=1)), SPACE)
    assert table.notes == ()
    assert table.columns["acc"].dtype == np.float64


def test_rows_without_any_metric_are_a_table_too(tmp_path):
    table = read_table(jsonl(tmp_path / "t.jsonl", {"arch": ROW["arch"]}), SPACE)
    assert table.columns == {}
    assert table.ids == (architecture_id(SPACE, table.architectures[0]),)


def test_a_label_outside_its_range_is_refused_with_row_and_value(tmp_path):
    space = space_from_yaml(
        "name: s\nmetrics: {acc: {direction: maximize, minimum: 0, maximum: 100}}\n"
        "stages: [{depth: 1, features: {k: [1, 2, 3]}}]"
    )
    path = tmp_path / "t.csv"
    path.write_text("id,stage1.0.k,acc\na,1,0\nb,2,100.5\nc,3,100\n")
    with pytest.raises(
        TableError, match=r"t\.csv, line 3, acc: is 100\.5; allowed: at most 100; fix the row"
    ):
        read_table(path, space)
    table = read_table(path, space, skip_bad=True)
    assert table.ids == ("a", "c")
    assert [note.kind for note in table.notes] == ["skipped"]
