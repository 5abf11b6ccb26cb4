"""Tables are read and written in the columns that the space declares for its user's table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from table_samples import refusal

from nasbuild.errors import NasbuildError
from nasbuild.score import load_fit, save_fit
from nasbuild.space import space_from_yaml, to_dict
from nasbuild.table import (
    infer_space,
    read_architectures,
    read_table,
    template,
    write_architectures,
    write_table,
)
from own_tables import SHAPES, known_table, plain_rows

SPACE = space_from_yaml(
    """
    name: own
    metrics: {acc: {direction: maximize}, score: {direction: maximize}}
    globals: {res: [192, 224]}
    stages:
      - {name: s, depth: [1, 2], features: {k: [3, 5], se: [true, false], op: [none, conv]}, shared: [se]}
    columns:
      separator: ;
      decimal: ','
      missing: ['-']
      id: run
      globals: {res: r}
      stages: {s: {depth: d, k: [k1, k2, k3], se: squeeze, op: [o1, o2]}}
      metrics: {acc: Top (%), score: score}
      constant: {wid: 1}
      ignore: [when, tags.*]
    """
)
HEADER = "run;d;k1;k2;k3;squeeze;o1;o2;r;Top (%);score;wid;when;tags.a"
LINE = "a;1;3;9;7;true;conv;what;192;71,5;-;1;now;x"


def table(tmp_path, *lines: str, header: str = HEADER):
    path = tmp_path / "own.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_columns_hold_what_the_space_says(tmp_path):
    other = "b;2;5;3;;False;;conv;224;;2,5;1;;"
    read = read_table(table(tmp_path, LINE, other), SPACE)
    assert read.ids == ("a", "b")
    assert [to_dict(SPACE, a) for a in read.architectures] == [
        {"stages": [[{"k": 3, "se": True, "op": "conv"}]], "globals": {"res": 192}},
        {
            "stages": [[{"k": 5, "se": False, "op": "none"}, {"k": 3, "se": False, "op": "conv"}]],
            "globals": {"res": 224},
        },
    ]
    assert read.columns["acc"][0] == 71.5
    assert read.columns["score"][1] == 2.5
    assert list(read.columns) == ["acc", "score"]
    assert {note.kind for note in read.notes} == {"commas", "missing"}


BAD = {
    "depth": ("a;1", "a;3", "d: '3' is not a number of layers of s; allowed: 1, 2"),
    "choice": (";1;3;", ";1;4;", "k1: '4' is not a choice; allowed: 3, 5"),
    "missing": (";1;3;", ";1;-;", "k1: k is missing; allowed: 3, 5"),
    "constant": (";1;now", ";2;now", "wid: '2' is not what the space holds fixed; allowed: 1"),
    "metric": ("71,5", "high", "Top (%): 'high' is not a number"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_mistakes_are_named_in_the_users_columns(mistake, tmp_path):
    good, bad, sentence = BAD[mistake]
    path = table(tmp_path, LINE.replace(good, bad), LINE.replace("a;1", "b;2"))
    found = refusal(path, SPACE)
    if mistake == "metric":
        assert "'high' is not a number" in found
    else:
        assert sentence in found


def test_a_missing_column_is_named(tmp_path):
    path = table(tmp_path, LINE, header=HEADER.replace(";d;", ";e;"))
    assert "column 'd' is missing" in refusal(path, SPACE)


@pytest.mark.parametrize("shape", ["semicolons and decimal commas", "dicts in a column", "nested JSON Lines"])
@pytest.mark.parametrize("form", ["csv", "parquet", "tsv", "jsonl"])
def test_what_is_written_has_the_users_columns_and_is_read_back(shape, form, tmp_path):
    known = known_table(12)
    source = SHAPES[shape](tmp_path, plain_rows(known))
    space = infer_space(source)
    found = read_table(source, space)
    out = tmp_path / f"out.{form}"
    write_table(found, out)
    assert read_table(out, space) == found
    rows = [
        {"id": name, "arch": to_dict(space, a), "metrics": {}, "score": 1.5, "shares": [0.5, 1.0]}
        for name, a in zip(found.ids, found.architectures, strict=True)
    ]
    write_architectures(space, rows, out)
    assert read_architectures(out, space) == list(zip(found.ids, found.architectures, strict=True))
    if form == "csv" and shape == "dicts in a column":
        header, first = out.read_text().splitlines()[:2]
        assert header == "id,Sub-network,score,shares"
        assert "'ks': [" in first
        assert "'wid': None" in first
    if form == "csv" and shape != "dicts in a column":
        separator = ";" if "semi" in shape else ","
        original = source.read_text().splitlines()[0].split(separator) if separator == ";" else []
        assert set(original) - {"Top-1 Acc (%)", "Latency (ms)"} <= set(
            out.read_text().splitlines()[0].split(separator)
        )


def test_tables_in_nasbuilds_own_columns_and_form_are_still_read(tmp_path):
    read = read_table(table(tmp_path, LINE), SPACE)
    for name in ("plain.csv", "plain.jsonl"):
        write_table(replace(read, space=replace(SPACE, columns=None)), tmp_path / name)
        assert read_table(tmp_path / name, SPACE) == read


def test_a_fit_folder_keeps_the_columns(tmp_path):
    import nasbuild as nb

    source = SHAPES["wide CSV"](tmp_path, plain_rows(known_table(40)))
    fit = nb.fit(source, "latency_ms", recipe="marginal", baselines=False)
    save_fit(fit, tmp_path / "fit")
    kept = load_fit(tmp_path / "fit")
    assert kept.space.columns == fit.space.columns
    assert kept.table == fit.table
    assert kept.space.columns.metrics == {"acc": "acc", "latency_ms": "latency_ms"}


def test_a_target_may_be_called_as_its_column(tmp_path):
    import nasbuild as nb

    source = SHAPES["dicts in a column"](tmp_path, plain_rows(known_table(20)))
    fit = nb.fit(source, "Top-1 Acc (%)", recipe="marginal", baselines=False)
    assert fit.targets[0].target.name == "top_1_acc"


def test_a_template_has_the_users_columns():
    frame = template(SPACE, 12)
    assert frame.columns[:3] == ["run", "d", "k1"]
    assert frame["Top (%)"].null_count() == 12
    assert frame["wid"].to_list() == [1] * 12
    assert set(frame["r"]) == {192, 224}
    assert len(read_architectures_of(frame)) == 12


def read_architectures_of(frame):
    filled = frame.with_columns(frame["Top (%)"].fill_null(1.0).alias("Top (%)"))
    return read_table(filled, SPACE).architectures


def test_a_missing_package_says_how_to_install_it(tmp_path, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["d1", "acc"])
    book.save(tmp_path / "t.xlsx")
    monkeypatch.setattr("nasbuild.table._excel.is_installed", lambda _: False)
    with pytest.raises(NasbuildError, match=r"pip install 'nasbuild\[inputs\]'"):
        infer_space(tmp_path / "t.xlsx")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.xlsx", b"no zip", "is not an Excel workbook"),
        ("t.db", b"no database, but a text that is long enough", "is not a SQLite database"),
        ("t.log", b"started\n", "is not a journal of Optuna"),
        ("gone.db", None, "no such file"),
        ("gone.xlsx", None, "no such file"),
    ],
)
def test_files_that_are_something_else_are_refused(name, content, sentence, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert sentence in refusal(path, SPACE)
    assert content is None or path.read_bytes() == content


def test_merged_cells_above_the_column_names_of_a_sheet_are_named(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("fastexcel")
    book = openpyxl.Workbook()
    for row in (["design", None, "measured"], ["first", "second", "acc"], [1, 2, 3.0]):
        book.active.append(row)
    book.active.merge_cells("A1:B1")
    book.save(tmp_path / "t.xlsx")
    text = refusal(tmp_path / "t.xlsx", SPACE)
    assert "begins with 'design', 'measured'" in text
    assert "delete the rows above the row of column names" in text
