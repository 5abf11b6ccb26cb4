"""``sample-data``: the table that README and tutorial begin with, from file to built architectures."""

from __future__ import annotations

import csv
from pathlib import Path

import nasbuild as nb


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_the_sample_goes_from_file_to_built_architectures(nasbuild, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "nasbuild init runs.csv" in nasbuild("sample-data").out
    # The rows are those of the table that ships.
    table, rows = nb.load_builtin("digits-macro"), rows_of(tmp_path / "runs.csv")
    ops = [
        "/".join("-".join(row[f"op{u}_{n}"] for n in range(1, int(row[f"d{u}"]) + 1)) for u in (1, 2, 3))
        for row in rows
    ]
    assert [float(row["acc"]) for row in rows] == [
        table.columns["acc"][table.ids.index(name)] for name in ops
    ]
    nasbuild("init", "runs.csv", "--yes")
    space = nb.load_space("space.yaml")
    assert nb.count_architectures(space) == 1728
    assert {name: m.direction for name, m in space.metrics.items()} == {
        "acc": "maximize",
        "latency_ms": "minimize",
        "params": "minimize",
    }
    nasbuild(
        *("fit", "--space", "space.yaml", "--data", "runs.csv", "--target", "acc", "--recipe", "ridge"),
        *("--no-baselines", "--out", "my-fit"),
    )
    nasbuild("build", "my-fit", "--top", "3", "--out", "built.csv")
    built = rows_of(tmp_path / "built.csv")
    assert [row["op1_1"] for row in built] == ["mb_e6_k5"] * 3


def test_an_earlier_file_is_kept(nasbuild, tmp_path):
    place = tmp_path / "runs.csv"
    place.write_text("mine")
    assert "is there already" in nasbuild("sample-data", "--out", str(place)).sentence
    assert place.read_text() == "mine"
    nasbuild("sample-data", "--out", str(place), "--overwrite")
    assert place.read_text().startswith("run,d1,op1_1,")
