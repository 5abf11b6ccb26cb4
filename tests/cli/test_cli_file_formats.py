"""File endings decide the format in every command, and commands read what others write."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from cli_samples import as_process
from nasbuild.space import load_space
from nasbuild.table import load_builtin, read_architectures, read_table, write_architectures

ROWS = (
    ".jsonl",
    ".jsonl.gz",
    ".json",
    ".csv",
    ".csv.gz",
    ".tsv",
    ".tsv.gz",
    ".parquet",
    ".yaml",
    ".yml",
    ".CSV",
    ".JSONL.GZ",
)
SPACES = (".yaml", ".yml", ".yaml.gz", ".YML")


def plain_rows(path: Path) -> list[dict]:
    """Reads the rows of a file in any format with independent readers; all values as text."""
    name, data = path.name.lower(), path.read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    name = name.removesuffix(".gz")
    if name.endswith(".parquet"):
        rows = pq.read_table(path).to_pylist()
    elif name.endswith((".csv", ".tsv")):
        lines = data.decode().splitlines()
        rows = list(csv.DictReader(lines, delimiter="\t" if name.endswith(".tsv") else ","))
    elif name.endswith(".jsonl"):
        rows = [json.loads(line) for line in data.splitlines()]
    else:
        rows = json.loads(data) if name.endswith(".json") else yaml.safe_load(data)
    return [{k: str(v) for k, v in row.items() if not isinstance(v, list | dict)} for row in rows]


@pytest.fixture(scope="module")
def built(files, tmp_path_factory):
    """Architectures built for a sweep, with values of other targets, in every format."""
    from nasbuild.cli import app

    folder = tmp_path_factory.mktemp("built")
    ask = ["build", str(files.fit), "--target", "loss", "--top", "30", "--where", "layers <= 4 | 5"]
    for form in (".jsonl", ".csv", ".parquet", ".yaml"):
        app([*ask, "--out", str(folder / f"built{form}")], standalone_mode=False)
    rows = [json.loads(line) for line in (folder / "built.jsonl").read_text().splitlines()]
    for form in ROWS:
        if not (folder / f"built{form}").exists():
            write_architectures(load_space(files.space), rows, folder / f"built{form}")
    return folder


def test_build_writes_the_same_values_in_every_format(built):
    rows = plain_rows(built / "built.jsonl")
    assert len(rows) == 60
    for form in ROWS:
        for row, expected in zip(plain_rows(built / f"built{form}"), rows, strict=True):
            for key in ("id", "target", "where"):
                assert row[key] == expected[key]
            for key in ("score", "prediction", "std"):
                assert float(row[key]) == float(expected[key])
            assert row["extrapolates"].lower() == expected["extrapolates"].lower()


def test_built_architectures_read_the_same_from_every_format(built, files):
    space = load_space(files.space)
    table = read_table(built / "built.jsonl", space)
    assert {"acc", "loss", "macs"} <= set(table.columns) <= set(read_table(files.data, space).columns)
    assert len(table) < 60
    for form in ROWS:
        assert read_table(built / f"built{form}", space) == table
        assert read_architectures(built / f"built{form}", space) == read_architectures(
            built / "built.jsonl", space
        )


@pytest.mark.parametrize("form", [".jsonl", ".csv", ".parquet", ".yaml"])
def test_commands_read_what_other_commands_write(nasbuild, built, files, tmp_path, form):
    archs, at = built / f"built{form}", tmp_path
    space = ("--space", files.space)
    wanted = [name for name, _ in read_architectures(archs, load_space(files.space))]
    calls = [
        ("check", *space, "--data", archs),
        ("predict", files.fit, "--archs", archs, "--out", at / f"predicted{form}"),
        ("evaluate", *space, "--evaluator", "digits-macro", "--archs", archs, "--store", at / "s.db", "--out", at / f"table{form}"),
        ("check", *space, "--data", at / f"table{form}"),
        ("fit", *space, "--data", files.data, "--target", "loss", "--recipe", "marginal", "--no-baselines", "--out", at / "fit"),
        ("evaluate", *space, "--evaluator", at / f"table{form}", "--archs", archs, "--store", at / "t.db"),
        ("shrink", files.fit, "--k", 3, "--out", at / "small.yaml.gz"),
        ("check", "--space", at / "small.yaml.gz"),
        ("search", *space, "--evaluator", "digits-macro", "--start", archs, "--target", "loss",
         "--reduced", files.space, "--budget", 70, "--population", 8, "--out", at / "found"),
        ("check", *space, "--data", at / "found" / "archs.jsonl"),
        ("modules", files.fit, "--stage", "stage1", "--out", at / f"modules{form}"),
    ]  # fmt: skip
    for call in calls:
        done = nasbuild(*call, "--json")
        assert done.code == 0, (call, done.err)
        assert done.json["command"] == call[0]
    assert {row["id"] for row in plain_rows(at / f"predicted{form}")} == set(wanted)
    table = read_table(at / f"table{form}", load_space(files.space))
    truth = load_builtin("digits-macro")
    assert {truth.architectures[truth.row_of[a]] for a in table.architectures} == {
        a for _, a in read_architectures(archs, load_space(files.space))
    }
    for name, values in table.columns.items():
        assert values.tolist() == [truth.columns[name][truth.row_of[a]] for a in table.architectures]


REFUSED = {
    "build": (("build", "FIT"), ROWS[:10]),
    "modules": (("modules", "FIT"), ROWS[:10]),
    "predict": (("predict", "FIT", "--archs", "TABLE"), ROWS[:10]),
    "evaluate": (
        ("evaluate", "--space", "digits-macro", "--evaluator", "digits-macro", "--archs", "TABLE", "--store", "s.db"),
        ROWS[:10],
    ),
    "shrink": (("shrink", "FIT"), (".yaml", ".yml", ".yaml.gz", ".yml.gz")),
    "report": (("report", "FIT"), (".html", ".htm", ".pdf")),
    "import": (("import", "net.onnx"), (".parquet",)),
    "bench": (("bench", "scores"), (".json",)),
}  # fmt: skip


@pytest.mark.parametrize("name", ["x.xls", "x", "x.md", "x.csv.xz", "csv", "x.jsonl~"])
def test_other_endings_are_refused_before_any_work(nasbuild, files, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for call, forms in REFUSED.values():
        known = {"FIT": tmp_path / "no fit yet", "TABLE": tmp_path / "no table yet"}
        sentence = nasbuild(*(known.get(part, part) for part in call), "--out", name).sentence
        assert f"{name}: the ending of {name!r} is not a file format for " in sentence
        assert sentence.endswith(f"; allowed: {', '.join(forms)}")
    for call in (
        ("check", "--space", files.space, "--data", name),
        ("predict", files.fit, "--archs", name, "--out", "p.csv"),
    ):
        assert f"{name}: the ending of {name!r} is not a file format for a table" in nasbuild(*call).sentence
    assert list(tmp_path.iterdir()) == []


def test_spaces_are_written_and_read_by_their_endings(nasbuild, files, tmp_path):
    for form in SPACES:
        place = tmp_path / f"small{form}"
        assert nasbuild("shrink", files.fit, "--k", 3, "--out", place).code == 0
        assert load_space(place) == load_space(tmp_path / "small.yaml")
    assert (
        gzip.decompress((tmp_path / "small.yaml.gz").read_bytes()) == (tmp_path / "small.yaml").read_bytes()
    )


def test_standard_input_is_a_table_or_a_space(files):
    ask = ("check", "--space", files.space, "--data", "-", "--json")
    done = as_process(*ask, input=files.data.read_text())
    assert done.code == 0, done.err
    assert done.json["table"]["rows"] == 60
    done = as_process("check", "--space", "-", "--json", input=files.space.read_text())
    assert done.json["architectures"] == 1728


def test_a_pdf_report_is_printed_by_a_browser(nasbuild, files, tmp_path, monkeypatch):
    place = tmp_path / "report.PDF"
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        refused = nasbuild("report", files.network_fit, "--out", place).sentence
        assert "PDF needs Chromium, which is not installed; install chromium, or write .html" in refused
        assert not place.exists()
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("there is no chromium on this machine")
    done = nasbuild("report", files.network_fit, "--top", 2, "--out", place, "--json")
    assert done.code == 0, done.err
    assert done.json["out"] == str(place)
    data = place.read_bytes()
    assert data.startswith(b"%PDF")
    assert data.rstrip().endswith(b"%%EOF")
    assert len(data) > 20_000
    assert list(tmp_path.iterdir()) == [place]
