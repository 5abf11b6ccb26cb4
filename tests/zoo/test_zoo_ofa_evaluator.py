"""The evaluator ``supernet``, on small data in the real layouts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from ofa_samples import random_supernet
from PIL import Image

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.evaluate.latency._onnx_runtime import to_onnx
from nasbuild.space import load_space, sample
from nasbuild.zoo.ofa import (
    FolderImages,
    Network,
    accuracy,
    fashion,
    fashion_mnist,
    layers_of,
    mobilenet_v3,
    proxylessnas,
    recalibrate,
)
from nasbuild.zoo.ofa.evaluator import read_supernet_file, supernet_measure


def architecture(space: str):
    return sample(load_space(space), 1, np.random.default_rng(3))[0]


def test_the_evaluator_measures_the_recalibrated_network(fashion_folder):
    space, one = load_space("fashion-ofa"), architecture("fashion-ofa")
    measure = supernet_measure(fashion_folder / "supernet.yaml", space)
    metrics = measure(one)
    train, test = fashion_mnist(fashion_folder)
    network = random_supernet(fashion()).extract(layers_of(space, one))
    seen = np.random.default_rng(0).permutation(60)[:50]
    recalibrate(network, train.batches(seen, 25))
    found = accuracy(network, test.batches(np.arange(40), 40))
    assert metrics["acc"] == pytest.approx(found.top1)
    assert metrics["acc5"] == pytest.approx(found.top5)
    assert metrics["loss"] == pytest.approx(found.loss, rel=1e-4)
    assert measure(one) == metrics
    # Without recalibration it would be another network.
    cold = accuracy(
        random_supernet(fashion()).extract(layers_of(space, one)), test.batches(np.arange(40), 40)
    )
    assert cold.loss != pytest.approx(found.loss, rel=1e-3)


def test_image_folders_and_published_checkpoints(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 4), ("val", 3)):
        for name in ("n01", "n02"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(256, size=(50, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.jpg")
    family = mobilenet_v3(1.0, classes=2)
    torch.save({"state_dict": random_supernet(family).state_dict()}, tmp_path / "ofa.pth")
    file = {
        "family": "mobilenet-v3",
        "width": 1.0,
        "classes": 2,
        "weights": "ofa.pth",
        "train": "train",
        "test": "val",
    }
    (tmp_path / "net.yaml").write_text(json.dumps({**file, "side": 32, "recalibrate": 8, "batch": 4}))
    space, one = load_space("ofa-mobilenet-v3"), architecture("ofa-mobilenet-v3")
    metrics = supernet_measure(tmp_path / "net.yaml", space)(one)
    assert 0 <= metrics["acc"] <= 100
    assert metrics["acc5"] == 100  # of two classes
    network = random_supernet(family).extract(layers_of(space, one))
    recalibrate(
        network,
        list(FolderImages(tmp_path / "train", 32).batches(np.random.default_rng(0).permutation(8), 4)),
    )
    found = accuracy(network, FolderImages(tmp_path / "val", 32).batches(np.arange(6), 4))
    assert metrics["loss"] == pytest.approx(found.loss, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "resnet"}, "family"),
        ({"weights": "none.safetensors"}, "no such file"),
        ({"width": -1}, "width"),
        ({"fashion_mnist": None}, "names no images"),
        ({"sid": 3}, "sid"),
        ({"width": 0.5}, "check family"),
    ],
)
def test_mistakes_in_the_file_are_errors(fashion_folder, change, message):
    held = {**json.loads((fashion_folder / "supernet.yaml").read_text()), **change}
    path = fashion_folder / "wrong.yaml"
    path.write_text(json.dumps(held))
    with pytest.raises(NasbuildError, match=message):
        supernet_measure(path, load_space("fashion-ofa"))


@pytest.mark.parametrize("text", ["", "[1]", "{", "!!python/object/apply:os.getcwd []"])
def test_an_invalid_supernet_file_is_an_error(tmp_path, text):
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(NasbuildError, match=r"f\.yaml"):
        read_supernet_file(tmp_path / "f.yaml")
    with pytest.raises(NasbuildError, match="no such file"):
        read_supernet_file(tmp_path / "g.yaml")


COSTED = {
    "ofa-mobilenet-v3-w1.0": ("ofa-mobilenet-v3", mobilenet_v3(1.0), 32),
    "ofa-mobilenet-v3-w1.2": ("ofa-mobilenet-v3", mobilenet_v3(1.2), 32),
    "ofa-proxylessnas-w1.3": ("ofa-proxylessnas", proxylessnas(1.3), 32),
    "fashion-ofa": ("fashion-ofa", fashion(), 28),
}


@pytest.mark.parametrize("name", COSTED)
def test_costs_match_the_layers(name):
    space, family, side = COSTED[name]
    one = architecture(space)
    metrics = load_evaluator(f"costs:{name}@1x{family.inputs}x{side}x{side}", load_space(space)).measure(one)
    network = Network(family, layers_of(load_space(space), one)).eval()
    assert metrics["params"] == sum(p.numel() for p in network.parameters())
    counted = 0

    def count(module, _, output):
        nonlocal counted
        each = module.weight[0].numel() if isinstance(module, torch.nn.Conv2d) else module.in_features
        counted += output.numel() * each

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, family.inputs, side, side))
    assert metrics["macs"] == counted


def test_the_evaluator_is_registered_and_other_spaces_are_errors(fashion_folder):
    space = load_space("fashion-ofa")
    evaluator = load_evaluator(f"supernet:{fashion_folder / 'supernet.yaml'}", space)
    assert evaluator.cost == "expensive"
    assert set(evaluator.measure(architecture("fashion-ofa"))) == {"acc", "acc5", "loss"}
    assert evaluator.metrics["loss"].direction == "minimize"
    with pytest.raises(NasbuildError, match="fashion-ofa"):
        load_evaluator("costs:fashion-ofa", load_space("digits-macro"))


@pytest.mark.parametrize("name", ["fashion-ofa", "ofa-mobilenet-v3-w1.0", "ofa-proxylessnas-w1.3"])
def test_an_extracted_network_computes_the_same_in_onnxruntime(name):
    onnxruntime = pytest.importorskip("onnxruntime")
    family, space, side, count = {
        "fashion-ofa": (fashion(), "fashion-ofa", 28, 2),
        "ofa-mobilenet-v3-w1.0": (mobilenet_v3(1.0, classes=10), "ofa-mobilenet-v3", 64, 1),
        "ofa-proxylessnas-w1.3": (proxylessnas(1.3, classes=10), "ofa-proxylessnas", 64, 1),
    }[name]
    supernet = random_supernet(family)
    x = torch.randn(1, family.inputs, side, side, generator=torch.Generator().manual_seed(0))
    for one in sample(load_space(space), count, np.random.default_rng(1)):
        layers = layers_of(load_space(space), one)
        with torch.inference_mode():
            known = supernet(x, layers).numpy()
        session = onnxruntime.InferenceSession(to_onnx(supernet.extract(layers), x))
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert np.abs(found - known).max() <= 1e-4 * np.abs(known).max()
