"""JSON Lines: each bad row gives one sentence with file, line, field and what is allowed."""

from __future__ import annotations

import gc
import gzip
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_samples import ROW, SPACE, jsonl, notes, other_row, refusal, row

from nasbuild.errors import SpaceError, TableError
from nasbuild.space import parse_architecture
from nasbuild.table import Table, read_architectures, read_table
from strategies import relaxed

MEND = "fix the row, or pass --skip-bad to skip such rows"
NUMBER = "allowed: a finite number; null or an empty field where it is missing"
NAME = "allowed: printable text without spaces around it"
OBJECT = "allowed: one object a line, with id, arch and metrics"
FIRST = ("arch", "stages", 0)


def without_garbage(case: str) -> None:
    """Where text is nested as deeply as the stack allows, finalizers of what other tests left would find no room on it."""
    if "nested" in case:
        # Refusals of other tests keep their tracebacks, and with them files, until now.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def with_acc(text: str) -> str:
    """The good row with this text for the number of a metric."""
    return json.dumps(ROW).replace("75.5", text)


# What the space has to say of an architecture is said of the row, word for word.
NO_ARCHITECTURES = {
    "unknown choice": (row(*FIRST, 0, "kernel", 4), ["kernel = 4", "allowed: 3, 5"]),
    "text for a number": (row(*FIRST, 1, "kernel", "3"), ["stages[0][1].kernel", "kernel = '3'"]),
    "number for a text": (row(*FIRST, 0, "op", 7), ["early", "op = 7", "conv", "007"]),
    "truth for a number": (row(*FIRST, 0, "kernel", True), ["kernel = True", "3, 5"]),
    "number for a truth": (row("arch", "stages", 1, 0, "se", 1), ["late", "se = 1", "True, False"]),
    "unknown feature": (row(*FIRST, 0, "width", 8), ["stages[0][0]", "'width'", "allowed: kernel, op"]),
    "missing feature": (row(*FIRST, 0, {"kernel": 3}), ["stages[0][0]", "'op' is missing", "conv"]),
    "wrong depth": (row(*FIRST, [{"kernel": 3, "op": "conv"}] * 3), ["stages[0]", "3 layers", "1, 2"]),
    "different choices of a shared feature": (
        row("arch", "stages", 1, [{"se": True, "ratio": 0.25}, {"se": False, "ratio": 0.25}]),
        ["stages[1]", "se is shared"],
    ),
    "wrong number of stages": (row("arch", "stages", []), ["arch.stages", "0 stages", "has 2"]),
    "missing global": (row("arch", "globals", {}), ["globals", "'resolution' is missing", "192, 224"]),
    "no object": (row("arch", "e3k7"), ["arch", "text"]),
}


def of_space(arch: object) -> str:
    with pytest.raises(SpaceError) as caught:
        parse_architecture(SPACE, arch)
    return f", {caught.value}"


BAD = {case: (bad, of_space(bad["arch"])) for case, (bad, _) in NO_ARCHITECTURES.items()} | {
    "no architecture": ({"id": "b"}, ": 'arch' is missing; allowed: id, arch, metrics"),
    "text in a metric": (row("metrics", "acc", "74,5"), f", acc: '74,5' is not a number; {NUMBER}"),
    "truth in a metric": (row("metrics", "acc", True), f", acc: True is not a number; {NUMBER}"),
    "list in a metric": (row("metrics", "acc", [1]), f", acc: [1] is not a number; {NUMBER}"),
    "long list in a metric": (
        row("metrics", "acc", list(range(10**5))),
        f", acc: [0, 1, 2, 3, 4, 5, ...] is not a number; {NUMBER}",
    ),
    "Infinity": (with_acc("-Infinity"), f", acc: -inf is not finite; {NUMBER}"),
    "1e999": (with_acc("1e999"), f", acc: inf is not finite; {NUMBER}"),
    "huge whole number": (with_acc("9" * 400), f", acc: inf is not finite; {NUMBER}"),
    "endless whole number": (
        with_acc("9" * 5000),
        f": is not valid JSON (a number has too many digits); {OBJECT}",
    ),
    "metrics are a list": (row("metrics", [1]), ": 'metrics' is [1], not an object of numbers"),
    "metric without a name": (row("metrics", "", 1), f": '' is not a valid name of a metric; {NAME}"),
    "metric of two lines": (row("metrics", "a\nb", 1), f": 'a\\nb' is not a valid name of a metric; {NAME}"),
    "empty id": (row("id", ""), f", id: '' is not a valid id; {NAME}, or a whole number"),
    "truth as id": (row("id", True), f", id: True is not a valid id; {NAME}, or a whole number"),
    "fraction as id": (row("id", 1.5), f", id: 1.5 is not a valid id; {NAME}, or a whole number"),
    "blank before an id": (row("id", " a"), f", id: ' a' is not a valid id; {NAME}, or a whole number"),
    "half a character": (
        row("id", "\ud800"),
        f", id: '\\ud800' is not a valid id; {NAME}, or a whole number",
    ),
    "broken line": (
        '{"id": 1,',
        f": is not valid JSON (Expecting property name enclosed in double quotes); {OBJECT}",
    ),
    "list": ("[1, 2]", f": is [1, 2], not an object; {OBJECT}"),
    "null": ("null", f": is None, not an object; {OBJECT}"),
    "key twice": ('{"id": "b", "id": "c"}', ": key 'id' appears twice in an object"),
    "nested lists": ("[" * 100_000, f": is not valid JSON (nested too deeply); {OBJECT}"),
    "nested objects": ('{"a":' * 5_000, f": is not valid JSON (nested too deeply); {OBJECT}"),
}


@pytest.mark.parametrize("case", NO_ARCHITECTURES)
def test_invalid_architectures_are_refused_with_their_place(case: str, tmp_path):
    bad, words = NO_ARCHITECTURES[case]
    message = refusal(jsonl(tmp_path / "t.jsonl", row(), bad))
    assert all(word in message for word in [f"{tmp_path / 't.jsonl'}, line 2, ", *words])


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_refused_with_its_place(case: str, tmp_path):
    without_garbage(case)
    bad, message = BAD[case]
    path = jsonl(tmp_path / "t.jsonl", row(), bad)
    assert refusal(path) == f"{path}, line 2{message}; {MEND}"


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_can_be_skipped_and_is_listed(case: str, tmp_path):
    without_garbage(case)
    bad, message = BAD[case]
    path = jsonl(tmp_path / "t.jsonl", row(), bad, other_row("z", acc=1, latency=2))
    table = read_table(path, SPACE, skip_bad=True)
    assert table.ids == ("a", "z")
    (skipped,) = [note for note in table.notes if note.kind == "skipped"]
    assert skipped.rows == (f"{path}, line 2{message}",)
    assert skipped.text == "1 row could not be read and left out"


@relaxed
@given(st.lists(st.sampled_from([*BAD, "good", "blank"]), min_size=1, max_size=12))
def test_exactly_the_bad_rows_are_skipped(tmp_path_factory, kinds: list[str]):
    lines = [
        BAD[k][0] if k in BAD else "  " if k == "blank" else row(name=f"n{i}") for i, k in enumerate(kinds)
    ]
    path = jsonl(tmp_path_factory.mktemp("t") / "t.jsonl", other_row("first"), *lines)
    table = read_table(path, SPACE, skip_bad=True)
    expected = [f"{path}, line {i}{BAD[k][1]}" for i, k in enumerate(kinds, 2) if k in BAD]
    assert [r for note in table.notes if note.kind == "skipped" for r in note.rows] == expected
    assert len(table) == 1 + ("good" in kinds)


def test_if_no_row_is_left_the_first_mistake_is_named(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", "[]", "{}")
    assert refusal(path, skip_bad=True) == (
        f"{path}: no row of 2 could be read; the first was: {path}, line 1: is [], not an object; {OBJECT}"
    )


@pytest.mark.parametrize("text", ["", "\n\n", " \n\t\n", "\ufeff"])
def test_a_file_without_rows_is_refused(text: str, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(text, "utf-8")
    assert refusal(path) == f"{path}: the table is empty"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_windows_files_are_read(ends: str, mark: str, tmp_path):
    path = tmp_path / "t.jsonl"
    text = mark + json.dumps(row(name="é")) + ends + ends + json.dumps(other_row())
    path.write_bytes(text.encode("utf-8"))
    table = read_table(path, SPACE)
    assert table.ids == ("é", "b")
    assert refusal(jsonl(path, mark + json.dumps(row()), "[")).startswith(
        f"{path}, line 2: is not valid JSON"
    )


def test_line_separators_within_a_text_do_not_end_a_row(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(row("note", "a\u2028b\x85c"), ensure_ascii=False) + "\n[", "utf-8")
    assert refusal(path).startswith(f"{path}, line 2: is not valid JSON")


def test_a_damaged_gzip_file_is_refused_even_where_rows_are_skipped(tmp_path):
    path = tmp_path / "t.jsonl.gz"
    whole = gzip.compress(b"".join(json.dumps(row(name=f"n{i}")).encode() + b"\n" for i in range(2000)))
    path.write_bytes(whole[:-30])
    assert refusal(path, skip_bad=True).startswith(f"{path}: is a damaged gzip file (")
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    path.write_bytes(broken)
    assert refusal(path, skip_bad=True).startswith(f"{path}: is a damaged gzip file (")
    path.write_bytes(json.dumps(row()).encode())
    assert refusal(path) == f"{path}: is a damaged gzip file (Not a gzipped file (b'{{\"'))"


def test_files_that_can_not_be_opened(tmp_path):
    assert refusal(tmp_path / "t.jsonl") == f"{tmp_path / 't.jsonl'}: no such file"
    (tmp_path / "d.jsonl").mkdir()
    assert refusal(tmp_path / "d.jsonl") == f"{tmp_path / 'd.jsonl'}: can't be read (Is a directory)"
    (tmp_path / "l.jsonl").write_bytes("é".encode("latin-1"))
    assert refusal(tmp_path / "l.jsonl") == f"{tmp_path / 'l.jsonl'}: is not UTF-8 text"


def test_rows_may_lack_metrics_and_have_unknown_fields(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", row("seed", 3), {"arch": other_row()["arch"], "by": "x", "seed": 1})
    found = notes(read_table(path, SPACE))
    assert found["ignored"] == ["unknown fields were ignored: 'seed', 'by'"]
    assert found["missing"][0] == "acc is missing in 1 of 2 rows; a fit of acc leaves them out"


def test_architectures_to_predict_stay_in_their_order_with_their_repeats(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", other_row("z"), row(), other_row("z"), {"arch": ROW["arch"]})
    read = read_architectures(path, SPACE)
    table = read_table(path, SPACE)
    assert isinstance(table, Table)
    assert [name for name, _ in read][:3] == ["z", "a", "z"]
    assert [architecture for _, architecture in read] == [table.architectures[i] for i in (0, 1, 0, 1)]
    with pytest.raises(TableError, match=r"line 2: is \[\], not an object"):
        read_architectures(jsonl(path, row(), "[]"), SPACE)
    with pytest.raises(TableError, match="has no architecture"):
        read_architectures(jsonl(path), SPACE)


def test_nan_is_missing_as_other_programs_write_it(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", with_acc("NaN"), other_row("z", acc=1, latency=2))
    table = read_table(path, SPACE)
    assert np.isnan(table.columns["acc"]).tolist() == [True, False]
    assert any("acc is missing in 1 of 2 rows" in note.text for note in table.notes)


def test_texts_and_lists_among_metrics_are_ignored_with_a_note(tmp_path):
    beside = [{"note": "fine", "curve": [1, 2], "tags": {"a": 1}, "late": None}, {"note": None, "more": 1.5}]
    rows = [row(), other_row("z", acc=1, latency=2)]
    for one, more in zip(rows, beside, strict=True):
        one["metrics"] |= more
    path = jsonl(tmp_path / "t.jsonl", *rows)
    table = read_table(path, SPACE)
    assert set(table.columns) == {*rows[0]["metrics"], "more"} - {"note", "curve", "tags", "late"}
    (note,) = [note for note in table.notes if note.kind == "ignored"]
    assert note.rows == ("note", "curve", "tags")
    # Where others have numbers, a text is a mistake.
    rows[0]["metrics"]["more"] = "much"
    path = jsonl(tmp_path / "t.jsonl", *rows)
    assert refusal(path).startswith(f"{path}, line 1, more: 'much' is not a number")
    assert read_table(path, SPACE, skip_bad=True).ids == ("z",)


def test_the_number_of_metrics_is_limited(tmp_path):
    many = row()
    many["metrics"] |= {f"m{n}": n for n in range(10_000)}
    path = jsonl(tmp_path / "t.jsonl", many)
    assert refusal(path) == f"{path}: has 10,002 metrics; allowed: up to 10,000; leave columns out"
