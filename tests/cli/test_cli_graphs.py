"""Fits on operator graphs, end to end on the command line."""

from __future__ import annotations

import csv
import json
import warnings
from functools import partial

import pytest

from graph_samples import planted_table
from nasbuild.ir import save_graphs
from nasbuild.predictor import OperatorRecipe
from nasbuild.score import load_fit
from nasbuild.score.graphs import predict_graphs


@pytest.fixture(autouse=True)
def _five_members(monkeypatch):
    """Five members instead of twenty, each after a few epochs."""
    quick = partial(OperatorRecipe, repeats=1, feature_epochs=8)
    monkeypatch.setattr("nasbuild.predictor.OperatorRecipe", quick)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place, table = tmp_path_factory.mktemp("graphs"), planted_table(30)
    save_graphs(table.graphs, place / "nets.parquet")
    with (place / "metrics.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "acc"])
        writer.writerows(zip(table.ids, table.columns["acc"].tolist(), strict=True))
    (place / "first.txt").write_text("\n".join(table.ids[:15]))
    (place / "second.txt").write_text("\n".join(table.ids[15:30]))
    return place


def test_from_networks_to_explanations(nasbuild, files, folder, tmp_path):
    inputs = ("--graphs", folder / "nets.parquet", "--data", folder / "metrics.csv")
    assert nasbuild("check", *inputs, "--json").json["networks"] == 30
    checked = nasbuild("check", *inputs)
    assert checked.code == 0
    assert "30 networks" in checked.out
    assert "HardSwish" in checked.out
    fit_folder = tmp_path / "fit"
    fitted = nasbuild("fit", *inputs, "--target", "+acc", "--epochs", 8, "--workers", 1, "--out", fit_folder)
    assert fitted.code == 0
    assert "LightGBM on counts" in fitted.out
    explained = nasbuild("explain", fit_folder, "--json")
    assert explained.code == 0
    (target,) = explained.json["targets"]
    assert target["target"] == "+acc"
    assert "networks, y' orders unseen ones" in target["verdict"]
    assert target["verdict"] in fitted.out
    assert {"kernel", "grouping"} <= {f["feature"] for f in target["features"]}
    for number in target["numbers"]:
        assert len(number["values"]) == len(number["effect"]) == len(number["effect_std"])
    assert {n["feature"] for n in target["numbers"]} == {"macs", "parameters"}
    assert {"HardSwish", "Add"} <= {f["choice"] for f in target["features"] if f["feature"] == "op"}
    scores = [p["score"] for p in target["pieces"]]
    assert scores == sorted(scores, reverse=True)
    shown = nasbuild("explain", fit_folder)
    assert target["pieces"][0]["piece"].split(",")[0] in shown.out
    assert target["verdict"] in shown.out
    assert "MACs" in shown.out
    predicted = nasbuild(
        "predict", fit_folder, "--graphs", folder / "nets.parquet", "--out", tmp_path / "rows.jsonl"
    )
    assert predicted.code == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    loaded = load_fit(fit_folder, "graphs")
    expected, std = predict_graphs(loaded, loaded.targets[0], loaded.table.graphs)
    assert [r["id"] for r in rows] == list(loaded.table.ids)
    assert [r["prediction"] for r in rows] == pytest.approx(expected, rel=1e-6)
    assert [r["std"] for r in rows] == pytest.approx(std, rel=1e-5)
    refused = nasbuild(
        "predict", fit_folder, "--archs", folder / "nets.parquet", "--out", tmp_path / "no.jsonl"
    )
    assert refused.code == 2
    assert "need --graphs" in refused.err
    assert not (tmp_path / "no.jsonl").exists()
    page = tmp_path / "report.html"
    reported = nasbuild("report", fit_folder, "--out", page, "--json")
    assert reported.code == 0
    assert reported.json["out"] == str(page)
    html = page.read_text()
    assert "could not be created" not in html
    assert html.count(target["verdict"].replace("'", "&#39;")) >= 2
    compared = nasbuild("compare", fit_folder, folder / "first.txt", folder / "second.txt", "--json")
    assert compared.code == 0
    effects = [abs(d["effect"]) for d in compared.json["differences"]]
    assert effects == sorted(effects, reverse=True)
    for command, name in (("build", "x.csv"), ("modules", "x.csv"), ("shrink", "x.yaml")):
        assert (
            f"{fit_folder}: is a fit of networks without a space"
            in nasbuild(command, fit_folder, "--out", tmp_path / name).sentence
        )
    assert "is a fit of networks without a space" in nasbuild("equations", fit_folder).sentence
    assert "is a fit of networks without a space" in nasbuild("check", "--space", fit_folder).sentence
    ids = folder / "first.txt"
    # For a fit in a space they would be files of architectures.
    assert (
        "first.txt, line 1: 'net0' does not give tensors a type"
        in nasbuild("compare", files.fit, ids, ids).sentence
    )
    graphs = ("--graphs", folder / "nets.parquet", "--out", tmp_path / "x.csv")
    assert "predictions of this fit need --archs" in nasbuild("predict", files.fit, *graphs).sentence


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "--data", "metrics.csv", "--target", "+acc", "--out", "r"), "no column describes"),
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
            "--graphs replaces a space",
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


NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width, depth, act):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), act(), nn.Conv2d(width, width, 1)) for _ in range(depth)
        )
        self.head = nn.Linear(width, 10)
    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean(dim=(2, 3)))

def all():
    acts = (nn.ReLU, nn.Hardswish)
    return [
        (f"net{n}", Net(8 * (1 + n % 3), 1 + n % 4, acts[n % 2]), (torch.zeros(1, 3, 16, 16),)) for n in range(12)
    ]
"""


def test_torch_networks_and_an_onnx_file_become_a_page(nasbuild, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(1568, 10)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 3, 16, 16),), "plain.onnx", dynamo=False)
    assert nasbuild("import", "nets.py:all", "plain.onnx", "--out", "graphs.parquet").code == 0
    names = [f"net{n}" for n in range(12)] + ["plain"]
    (tmp_path / "metrics.csv").write_text(
        "id,acc\n" + "".join(f"{name},{i % 5}\n" for i, name in enumerate(names))
    )
    inputs = ("--graphs", "graphs.parquet", "--data", "metrics.csv", "--target", "+acc", "--epochs", 1)
    fitted = nasbuild("fit", *inputs, "--workers", 1, "--no-baselines", "--out", "fit")
    assert fitted.code == 0, fitted.err
    assert "Only 13 networks were held out" in fitted.out
    assert nasbuild("report", "fit", "--out", "report.html").code == 0
    html = (tmp_path / "report.html").read_text()
    assert "could not be created" not in html
    assert '"shown":["Input","Conv 3x3 /2"' in html
    for size in ("channels in", "channels out", "pixels or tokens", "parameters", "MACs"):
        assert size in html
