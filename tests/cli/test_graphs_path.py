"""Networks without a space, end to end through the command line."""

from __future__ import annotations

import csv
import json

import pytest

from graph_samples import planted_table
from nasbuild.ir import save_graphs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place, table = tmp_path_factory.mktemp("graphs"), planted_table(40)
    save_graphs(table.graphs, place / "nets.parquet")
    with (place / "metrics.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "acc"])
        writer.writerows(zip(table.ids, table.columns["acc"].tolist(), strict=True))
    (place / "first.txt").write_text("\n".join(table.ids[:15]))
    (place / "second.txt").write_text("\n".join(table.ids[15:30]))
    return place


def test_the_path_from_networks_to_what_matters(nasbuild, folder, tmp_path):
    told = ("--graphs", folder / "nets.parquet", "--data", folder / "metrics.csv")
    checked = nasbuild("check", *told)
    assert checked.code == 0
    assert "40 networks" in checked.out
    assert "HardSwish" in checked.out
    run = tmp_path / "run"
    fitted = nasbuild("fit", *told, "--target", "+acc", "--epochs", 20, "--workers", 1, "--out", run)
    assert fitted.code == 0
    assert "LightGBM on counts" in fitted.out
    explained = nasbuild("explain", run, "--json")
    assert explained.code == 0
    (target,) = json.loads(explained.out)["targets"]
    assert target["target"] == "+acc"
    assert {"HardSwish", "Add"} <= {f["choice"] for f in target["features"] if f["feature"] == "op"}
    scores = [p["score"] for p in target["pieces"]]
    assert scores == sorted(scores, reverse=True)
    shown = nasbuild("explain", run)
    assert target["pieces"][0]["piece"].split(",")[0] in shown.out
    compared = nasbuild("compare", run, folder / "first.txt", folder / "second.txt", "--json")
    assert compared.code == 0
    effects = [abs(d["effect"]) for d in json.loads(compared.out)["differences"]]
    assert effects == sorted(effects, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "--data", "metrics.csv", "--target", "+acc", "--out", "r"), "no space"),
        (
            (
                "fit",
                "--graphs",
                "nets.parquet",
                "--space",
                "mnasnet",
                "--data",
                "metrics.csv",
                "--target",
                "+acc",
                "--out",
                "r",
            ),
            "instead of a space",
        ),
        (
            ("fit", "--graphs", "nets.parquet", "--data", "metrics.csv", "--target", "acc", "--out", "r"),
            "direction",
        ),
        (
            ("fit", "--graphs", "nets.parquet", "--data", "wrong.csv", "--target", "+acc", "--out", "r"),
            "line 3",
        ),
        (
            ("fit", "--graphs", "nets.parquet", "--data", "others.csv", "--target", "+acc", "--out", "r"),
            "without a network",
        ),
        (("check", "--graphs", "metrics.csv"), "metrics.csv"),
    ],
)
def test_mistakes_get_one_sentence(nasbuild, folder, tmp_path, arguments, message):
    (folder / "wrong.csv").write_text("id,acc\nnet0,1\nnet1,much\n")
    (folder / "others.csv").write_text("id,acc\nnet0,1\nresnet,2\n")
    files = {p.name for p in folder.iterdir()}
    placed = [tmp_path / a if a == "r" else folder / a if a in files else a for a in arguments]
    done = nasbuild(*placed)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "r").exists()
