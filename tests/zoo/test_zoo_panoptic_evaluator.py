"""From a folder in COCO's layout to panoptic quality, costs, a fit and a report."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from panoptic_samples import CATEGORIES, Squares
from torch import nn

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.space import load_space, sample
from nasbuild.zoo.ofa import Supernet, layers_of, save_weights
from nasbuild.zoo.panoptic import HeadSettings, build_network, costs, load_panoptic, scenes_family, write_coco
from nasbuild.zoo.panoptic.__main__ import main

SPACE = load_space("panoptic-scenes")
RECIPE = {
    "data": "coco",
    "folder": "coco",
    "family": "panoptic-scenes",
    "head_width": 8,
    "side": 32,
    "steps": 2,
    "batch": 2,
    "recalibrate": 1,
    "every": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes in COCO's layout, and a parent trained on them."""
    path = tmp_path_factory.mktemp("task")
    (path / "coco" / "annotations").mkdir(parents=True)
    for part, count in (("train2017", 4), ("val2017", 3)):
        scenes = Squares(count, 40, 48, seed=count)
        write_coco(scenes, CATEGORIES, path / "new")
        (path / "new" / "images").rename(path / "coco" / part)
        for ending in (".json", ""):
            target = path / "coco" / "annotations" / f"panoptic_{part}{ending}"
            (path / "new" / f"panoptic{ending}").rename(target)
        (path / "new").rmdir()
    (path / "parent.yaml").write_text(json.dumps(RECIPE))
    assert main([str(path / "parent.yaml"), "--out", str(path / "parent.safetensors")]) == 0
    for name, more in {
        "pseudo": {"parent": "parent.safetensors", "pseudo": True},
        "tuned": {"parent": "parent.safetensors"},
    }.items():
        (path / f"{name}.yaml").write_text(json.dumps({**RECIPE, **more}))
    return path


def measured(path, row=0, seed=0):
    measure = load_evaluator(f"panoptic:{path}", SPACE, seed=seed).measure
    found = dict(measure(sample(SPACE, 3, 0)[row]))
    assert found.pop("seconds") > 0
    return found


def test_pseudo_labels_and_fine_tuned_ones(folder):
    pseudo, tuned = (measured(folder / f"{name}.yaml") for name in ("pseudo", "tuned"))
    assert set(pseudo) == set(SPACE.metrics) - {"seconds"}
    assert all(0 <= pseudo[name] <= 100 for name in ("pq", "sq", "rq", "pq_things", "pq_stuff"))
    assert [pseudo[k] for k in ("gflops", "params")] == [tuned[k] for k in ("gflops", "params")]
    # Measured again it is the same, and nothing is left behind.
    assert measured(folder / "pseudo.yaml") == pseudo
    assert measured(folder / "tuned.yaml") == tuned
    assert not list((folder / "tuned.yaml.work").iterdir())


def test_a_resumed_evaluation_does_not_know_its_seconds(folder, monkeypatch):
    panoptic, architecture = load_panoptic(folder / "tuned.yaml"), sample(SPACE, 1, 1)[0]
    whole = panoptic.measure(SPACE, architecture)
    with monkeypatch.context() as patch:
        patch.setattr("nasbuild.zoo.panoptic.evaluator.recalibrate_network", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            panoptic.measure(SPACE, architecture)
    rest = panoptic.measure(SPACE, architecture)
    assert rest == {**whole, "seconds": None}


def flops_by_hooks(network: nn.Module, side: int) -> float:
    """Two FLOPs for each weight and output pixel of a convolution, and for each weight of squeeze-and-excitation."""
    found = []

    def count(module, _inputs, output):
        found.append(2 * math.prod(module.weight.shape) * output.shape[2] * output.shape[3])

    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(count)
    network(torch.zeros(1, 3, side, side))
    return sum(found) / 1e9


@pytest.mark.parametrize("side", [96, 70])
def test_costs_are_those_of_hooks_on_all_convolutions(side):
    for architecture in sample(SPACE, 2, 0):
        layers = layers_of(SPACE, architecture)
        network = build_network(scenes_family(), layers, CATEGORIES).eval()
        gflops, params = costs(scenes_family(), layers, CATEGORIES, HeadSettings(), side)
        assert gflops == pytest.approx(flops_by_hooks(network, side), rel=1e-12)
        assert params == sum(p.numel() for p in network.parameters())


def test_networks_start_with_a_published_backbone(folder):
    torch.manual_seed(5)
    supernet = Supernet(scenes_family())
    save_weights(supernet, folder / "backbone.safetensors")
    (folder / "backbone.yaml").write_text(json.dumps({**RECIPE, "backbone": "backbone.safetensors"}))
    found = load_panoptic(folder / "backbone.yaml").shared.backbone.supernet
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), supernet.parameters(), strict=True))


def test_the_head_of_maskformer_is_trained_and_counted(folder):
    recipe = {**RECIPE, "head": "maskformer", "head_width": 32, "queries": 5, "decoder_layers": 1, "side": 64}
    (folder / "mask.yaml").write_text(json.dumps(recipe))
    found = measured(folder / "mask.yaml")
    network = load_panoptic(folder / "mask.yaml").shared.extract(layers_of(SPACE, sample(SPACE, 3, 0)[0]))
    assert found["params"] == sum(p.numel() for p in network.parameters())
    assert found["gflops"] > flops_by_hooks(network, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pseudo": True}, "pseudo: true needs a parent; train one"),
        ({"parent": "a", "backbone": "b"}, "gives both parent and backbone"),
        ({"parent": "parent.safetensors", "head_width": 16}, "has another network; give the same family"),
        ({"split": "test"}, "the test's truths of coco are not public; allowed: validation"),
        ({"head": "maskformer", "head_width": 8}, "has 8 channels; allowed: multiples of 32"),
        ({"batch": 1}, "batch is 1; allowed: whole numbers from 2"),
        ({"familly": "mobilenet-v3"}, "did you mean family"),
    ],
)
def test_wrong_settings_are_refused(folder, change, message):
    (folder / "wrong.yaml").write_text(json.dumps({**RECIPE, **change}))
    with pytest.raises(NasbuildError, match=message):
        load_panoptic(folder / "wrong.yaml")


def test_from_a_coco_folder_to_a_report(folder, nasbuild):
    archs, store = folder / "archs.jsonl", folder / "store.db"
    nasbuild("template", "--space", "panoptic-scenes", "--n", "12", "--out", archs)
    evaluator = f"panoptic:{folder / 'pseudo.yaml'}"
    table = folder / "table.jsonl"
    nasbuild(
        "evaluate", "--space", "panoptic-scenes", "--evaluator", evaluator, "--archs", archs,
        "--store", store, "--out", table,
    )  # fmt: skip
    rows = [json.loads(line)["metrics"] for line in table.read_text().splitlines()]
    assert len(rows) == 12
    assert len({row["gflops"] for row in rows}) > 6
    assert all(np.isfinite(row["pq"]) for row in rows)
    fit = folder / "fit"
    nasbuild(
        "fit", "--space", "panoptic-scenes", "--data", table, "--target=-gflops", "--out", fit,
    )  # fmt: skip
    nasbuild("report", fit, "--out", folder / "report.html")
    assert "gflops" in (folder / "report.html").read_text()
