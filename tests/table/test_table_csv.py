"""CSV: the space defines what a field means, and each mistake has its line and column."""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from table_samples import COLUMNS, LINE, SPACE, notes, refusal

from nasbuild.space import Architecture
from nasbuild.table import Table, read_table, write_table

MEND = "fix the row, or pass --skip-bad to skip such rows"
NUMBER = "allowed: a finite number; null or an empty field where it is missing"
OTHER = LINE.replace("a,2", "b,2").replace("224", "192")


def csv_file(folder: Path, *lines: str, header: str = COLUMNS, ends: str = "\n", mark: str = "") -> Path:
    path = folder / "t.csv"
    path.write_bytes((mark + ends.join([header, *lines]) + ends).encode())
    return path


# What is replaced in a good line, by what, and what is said of it.
BAD = {
    "unknown choice": (",3,conv", ",4,conv", ", early.0.kernel: '4' is not a choice; allowed: 3, 5"),
    "missing choice": (",3,conv", ",,conv", ", early.0.kernel: kernel is missing; allowed: 3, 5"),
    "missing choice of a shared feature": (
        "true",
        "",
        ", late.0.se: se is missing; allowed: True, False",
    ),
    "unknown text": ("conv", "Conv", ", early.0.op: 'Conv' is not a choice; allowed: conv, 007"),
    "lost zeros": ("007", "7", ", early.1.op: '7' is not a choice; allowed: conv, 007"),
    "unknown truth": ("true", "yes", ", late.se: 'yes' is not a choice; allowed: True, False"),
    "wrong depth": ("b,2", "b,3", ", early.depth: '3' is not a number of layers of early; allowed: 1, 2"),
    "no depth": ("b,2", "b,", ", early.depth: '' is not a number of layers of early; allowed: 1, 2"),
    "broken depth": (
        "b,2",
        "b,1.5",
        ", early.depth: '1.5' is not a number of layers of early; allowed: 1, 2",
    ),
    "endless depth": (
        "b,2",
        "b,1e999",
        ", early.depth: '1e999' is not a number of layers of early; allowed: 1, 2",
    ),
    "unknown global": ("192", "193", ", globals.resolution: '193' is not a choice; allowed: 192, 224"),
    "text in a number": ("75.5", "high", f", acc: 'high' is not a number; {NUMBER}"),
    "underscores in a number": ("75.5", "7_5", f", acc: '7_5' is not a number; {NUMBER}"),
    "digits of another script": ("75.5", "٧٥", f", acc: '٧٥' is not a number; {NUMBER}"),
    "Infinity": ("75.5", "-inf", f", acc: '-inf' is not a number; {NUMBER}"),
    "1e999": ("75.5", "1e999", f", acc: inf is not finite; {NUMBER}"),
    "truth in a metric": ("75.5", "true", f", acc: 'true' is not a number; {NUMBER}"),
    "too few fields": (",75.5,3", ",75.5", ": has 12 fields, the header has 13"),
    "too many fields": ("75.5", "1,000", ": has 14 fields, the header has 13"),
    "text after a quote": ("b,2", '"b"c,2', ": is not valid CSV (',' expected after '\"')"),
    "endless field": (
        "b,2",
        "b" * 200_000 + ",2",
        ": is not valid CSV (field larger than field limit (131072))",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_refused_or_skipped(case: str, tmp_path):
    old, new, message = BAD[case]
    bad = OTHER.replace(old, new, 1)
    assert bad != OTHER
    path = csv_file(tmp_path, LINE, "", bad, LINE.replace("a,2", "z,2"))
    assert refusal(path) == f"{path}, line 4{message}; {MEND}"
    table = read_table(path, SPACE, skip_bad=True)
    assert table.ids == ("a",)
    assert [n.rows for n in table.notes if n.kind == "skipped"] == [(f"{path}, line 4{message}",)]


@pytest.mark.parametrize("bad", ['"b,2', 'b,2,3,"conv'])
def test_a_quote_that_is_never_closed_would_hide_the_rest(bad: str, tmp_path):
    path = csv_file(tmp_path, LINE, OTHER.replace(OTHER[: len(bad) - 1], bad, 1), LINE, LINE)
    message = f"{path}, line 3: a quote opened here is never closed; close the quote"
    assert refusal(path) == message
    assert refusal(path, skip_bad=True) == message


def test_a_broken_last_line_is_not_an_open_quote(tmp_path):
    path = csv_file(tmp_path, LINE, '"b"c,2')
    path.write_text(path.read_text().rstrip())
    assert refusal(path) == f"{path}, line 3: is not valid CSV (',' expected after '\"'); {MEND}"
    assert read_table(path, SPACE, skip_bad=True).ids == ("a",)


def test_lines_are_those_of_the_file_where_a_field_has_several(tmp_path):
    path = csv_file(tmp_path, LINE + ',"two\nlines"', OTHER.replace("conv", "x") + ",", header=COLUMNS + ",c")
    assert refusal(path).startswith(f"{path}, line 4, early.0.op: 'x' is not a choice")


# What is replaced in the header, by what, and what is said of it.
HEADERS = {
    "missing choice": (
        "early.0.kernel",
        "x",
        "column 'early.0.kernel' is missing; every choice of the space needs its column",
    ),
    "missing depth": (
        "late.depth",
        "x",
        "column 'late.depth' is missing; every choice of the space needs its column",
    ),
    "missing shared choice": (
        "late.se",
        "x",
        "column 'late.0.se' or 'late.se' is missing; every choice of the space needs its column",
    ),
    "missing global": (
        "globals.resolution",
        "x",
        "column 'globals.resolution' is missing; every choice of the space needs its column",
    ),
    "unknown choice of a stage": (
        "early.1.kernel",
        "early.1.kernal",
        "unknown column 'early.1.kernal'; allowed: early.depth, early.0.kernel, early.0.op, "
        "early.1.kernel, early.1.op; did you mean early.1.kernel?",
    ),
    "column under another name": (
        "globals.resolution",
        "globals_resolution",
        "column 'globals.resolution' is missing; every choice of the space needs its column; "
        "is it 'globals_resolution'?",
    ),
    "another table": (
        COLUMNS,
        COLUMNS.replace(".", "_"),
        "has no column of the space (columns were split at a comma): its header begins with 'id",
    ),
    "column twice": ("latency", "acc", "column 'acc' appears twice; keep one of the two"),
    "choice twice": ("id", "early.depth", "column 'early.depth' appears twice; keep one of the two"),
    "metric by two names": ("latency", ".acc", "column 'acc' appears twice; keep one of the two"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_is_refused(case: str, tmp_path):
    old, new, message = HEADERS[case]
    path = csv_file(tmp_path, LINE, header=COLUMNS.replace(old, new, 1))
    found = refusal(path)
    assert found == refusal(path, skip_bad=True)
    # The names of a foreign table are shortened.
    assert (
        found.startswith(f"{path}: {message}") if case == "another table" else found == f"{path}: {message}"
    )


SPREADSHEETS = {
    "semicolons": lambda t: t.replace(",", ";"),
    "decimal commas": lambda t: re.sub(r"(\d)\.(\d)", r"\1,\2", t.replace(",", ";")),
    "declared separator": lambda t: "sep=;\n" + t.replace(",", ";"),
    "tabs": lambda t: t.replace(",", "\t"),
    "empty rows": lambda t: t + "," * 12 + "\n" + "," * 12 + "\n",
    "UTF-16": lambda t: t.encode("utf-16"),
    "UTF-16, big end first": lambda t: b"\xfe\xff" + t.encode("utf-16-be"),
    "Windows": lambda t: "\ufeff" + t.replace(",", ";").replace("\n", "\r\n"),
    "missing words": lambda t: t,
}


@pytest.mark.parametrize("case", SPREADSHEETS)
def test_what_spreadsheets_write_is_read(case: str, tmp_path):
    text = f"{COLUMNS}\n{LINE.replace('75.5', '76.5')}\n{OTHER}\n"
    plain, path = tmp_path / "plain.csv", tmp_path / "t.csv"
    plain.write_text(text)
    made = SPREADSHEETS[case](text)
    path.write_bytes(made if isinstance(made, bytes) else made.encode())
    table = read_table(path, SPACE)
    assert table == read_table(plain, SPACE)
    assert any("decimal commas" in n.text for n in table.notes) == (case == "decimal commas")


def test_mixed_decimal_commas_and_points_are_refused(tmp_path):
    lines = [line.replace(",", ";").replace("75.5", "1,234") for line in (COLUMNS, LINE, OTHER)]
    path = csv_file(tmp_path, *lines[1:], header=lines[0])
    assert refusal(path) == (
        f"{path}: mixes decimal commas, such as '1,234' in column 'acc', with decimal points; "
        "write them all with points"
    )


def test_messages_name_the_assumed_separator(tmp_path):
    path = csv_file(tmp_path, LINE, header=COLUMNS.replace(",", ";"))
    assert "has 1 fields, the header has 13; fields were split at a semicolon" in refusal(path)


@pytest.mark.parametrize("word", ["nan", "NaN", "null", "None", "NA", "N/A", "#N/A", " "])
def test_words_for_missing_are_missing(word: str, tmp_path):
    table = read_table(csv_file(tmp_path, LINE.replace("75.5", word), OTHER), SPACE)
    assert np.isnan(table.columns["acc"]).tolist() == [True, False]


def test_no_text_is_a_formula_in_a_spreadsheet(tmp_path):
    names = [
        '=HYPERLINK("http://x";"y")',
        "@SUM(A1)",
        "+1-cmd|' /C calc'!A0",
        "-x",
        "-1.5",
        "'",
        "'=x",
        "a=b",
    ]
    rows = [read_table(csv_file(tmp_path, LINE, OTHER), SPACE).architectures]
    table = Table(SPACE, (names[0], names[1]), rows[0], {"=metric": np.array([1.0, 2.0])})
    for name, other in zip(names, reversed(names), strict=True):
        table = replace(table, ids=(name, other))
        write_table(table, tmp_path / "out.csv")
        assert read_table(tmp_path / "out.csv", SPACE).ids == (name, other)
        assert list(read_table(tmp_path / "out.csv", SPACE).columns) == ["=metric"]
        with (tmp_path / "out.csv").open(newline="") as stream:
            cells = [cell for line in csv.reader(stream) for cell in line]
        bad = [c for c in cells if c[:1] in ("=", "+", "-", "@", "\t", "\r") and c != "-1.5"]
        assert bad == []
        assert len(cells) > 20


def test_a_table_is_written_in_a_forked_child_after_its_parent_wrote_one(tmp_path):
    code = """
import multiprocessing, sys
from nasbuild.table import load_builtin, read_table, write_table
table = load_builtin("digits-macro").select(range(50))
write_table(table, sys.argv[1] + "/parent.csv")
read_table(sys.argv[1] + "/parent.csv", table.space)
child = multiprocessing.get_context("fork").Process(target=write_table, args=(table, sys.argv[1] + "/child.csv"))
child.start()
child.join(30)
print(child.exitcode)
child.kill()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "0\n"
    assert (tmp_path / "child.csv").read_text() == (tmp_path / "parent.csv").read_text()


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", COLUMNS, COLUMNS + "\r\n\r\n"])
def test_a_file_without_rows_is_refused(text: str, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert "the table is empty" in message or "column 'early.depth' is missing" in message
    if text.startswith(("id", "\ufeff")) or not text:
        assert message == f"{path}: the table is empty"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("quoted", [False, True])
def test_files_of_spreadsheets_are_read(ends: str, mark: str, quoted: bool, tmp_path):
    header = ",".join(f'"{c}"' for c in COLUMNS.split(",")) if quoted else COLUMNS.replace(",", ", ")
    table = read_table(csv_file(tmp_path, LINE, OTHER, header=header, ends=ends, mark=mark), SPACE)
    assert table.ids == ("a", "b")
    assert {name: values.tolist() for name, values in table.columns.items()} == {
        "acc": [75.5, 75.5],
        "latency": [3, 3],
    }


def test_a_gzipped_file_is_read_and_a_damaged_one_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    whole = gzip.compress(f"{COLUMNS}\n{LINE}\n".encode())
    path.write_bytes(whole)
    assert read_table(path, SPACE).ids == ("a",)
    path.write_bytes(whole[:-9])
    assert refusal(path, skip_bad=True).startswith(f"{path}: is a damaged gzip file (")


def test_files_that_can_not_be_opened(tmp_path):
    assert refusal(tmp_path / "t.csv") == f"{tmp_path / 't.csv'}: no such file"
    (tmp_path / "u.csv").write_bytes(f"{COLUMNS}é".encode("latin-1"))
    assert refusal(tmp_path / "u.csv") == f"{tmp_path / 'u.csv'}: is not UTF-8 text"


def test_numbers_and_truths_are_read_in_any_common_way(tmp_path):
    line = LINE.replace(",3,conv", ",3.0,conv").replace("true", "TRUE").replace("0.25", "+2.5e-1")
    table = read_table(csv_file(tmp_path, line.replace("75.5", " 7.55E1 ")), SPACE)
    assert table.architectures == (Architecture((((3, "conv"), (5, "007")), ((True, 0.25),), ((224,),))),)
    assert table.columns["acc"].tolist() == [75.5]


def test_other_columns_are_metrics_if_they_hold_numbers(tmp_path):
    header = COLUMNS + ",macs,comment,"
    path = csv_file(tmp_path, LINE + ",5,slow,0", OTHER + ",,,1", header=header)
    table = read_table(path, SPACE)
    np.testing.assert_array_equal(table.columns["macs"], [5, np.nan])
    assert list(table.columns) == ["acc", "latency", "macs"]
    assert notes(table)["ignored"] == [
        "columns without numbers are not metrics and were left out: 'comment'",
        "columns without a name were left out",
    ]
    # A text among numbers is a mistake, not a comment.
    path = csv_file(tmp_path, LINE + ",5,slow,0", OTHER + ",x,,1", header=header)
    assert refusal(path) == f"{path}, line 3, macs: 'x' is not a number; {NUMBER}; {MEND}"


def test_columns_of_layers_that_no_row_has_may_be_left_out(tmp_path):
    header = COLUMNS.replace("early.1.kernel,early.1.op,", "").replace("late.1.ratio,", "")
    shallow = "a,1,3,conv,1,true,0.25,224,75.5,3"
    assert len(read_table(csv_file(tmp_path, shallow, header=header), SPACE)) == 1
    path = csv_file(tmp_path, shallow, shallow.replace("a,1", "b,2"), header=header)
    expected = f"{path}, line 3, early.1.kernel: kernel is missing; allowed: 3, 5; {MEND}"
    assert refusal(path) == expected


def test_a_choice_given_twice_must_be_the_same(tmp_path):
    header = COLUMNS + ",late.0.se,late.1.se"
    assert len(read_table(csv_file(tmp_path, LINE + ",true,", header=header), SPACE)) == 1
    path = csv_file(tmp_path, LINE + ",false,", header=header)
    assert refusal(path) == f"{path}, line 2: late.0.se and late.se have different choices; {MEND}"
