"""Training a supernet: it learns, resumes, and its sub-networks are recalibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ofa_samples import bright_images, random_supernet, tiny

from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa import Phase, Recipe, Supernet, accuracy, recalibrate, train_supernet
from nasbuild.zoo.ofa.recipe import random_layers, smallest_layers
from nasbuild.zoo.ofa.train import CHECKPOINT

SHRINK = Phase("expand", 4, 0.05, kernels=(3, 5, 7), expands=(3, 4, 6), shorter=1, drawn=1)
RECIPE = Recipe(phases=(Phase("largest", 3, 0.05, drawn=None), SHRINK), batch=32, warmup=5, every=7)
IMAGES, TESTED = bright_images(160), bright_images(200, seed=1)


def fresh(seed: int = 0) -> Supernet:
    torch.manual_seed(seed)
    return Supernet(tiny())


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    supernet = fresh()
    train_supernet(supernet, IMAGES, folder, RECIPE)
    return supernet, folder


def top1(supernet: Supernet, layers) -> float:
    network = supernet.extract(layers)
    recalibrate(network, list(IMAGES.batches(np.arange(160), 32)))
    return accuracy(network, TESTED.batches(np.arange(200), 64)).top1


def test_every_size_learns(trained):
    supernet, _ = trained
    for layers in (tiny().largest, smallest_layers(tiny(), SHRINK)):
        assert top1(supernet, layers) > 90
        assert top1(fresh(), layers) < 75


@pytest.mark.parametrize("stop_at", [7, 15, 24])
def test_an_interrupted_training_ends_with_the_same_bits(trained, tmp_path, stop_at):
    whole, _ = trained

    def stop(_phase, done, *_):
        if done >= stop_at:
            raise Stopped

    with pytest.raises(Stopped):
        train_supernet(fresh(), IMAGES, tmp_path, RECIPE, progress=stop)
    # Other first weights: all comes from the checkpoint.
    again = fresh(seed=5)
    train_supernet(again, IMAGES, tmp_path, RECIPE)
    for key, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


def test_a_completed_training_is_only_loaded(trained):
    whole, folder = trained
    before = (folder / CHECKPOINT).read_bytes()
    again = fresh(seed=5)
    train_supernet(again, IMAGES, folder, RECIPE)
    assert (folder / CHECKPOINT).read_bytes() == before
    assert torch.equal(again.classifier[0].weight, whole.classifier[0].weight)


def test_another_training_in_the_same_folder_is_an_error(trained):
    _, folder = trained
    for recipe, images in ((replace(RECIPE, seed=1), IMAGES), (RECIPE, bright_images(64))):
        with pytest.raises(NasbuildError, match="another folder"):
            train_supernet(fresh(), images, folder, recipe)


def test_a_damaged_checkpoint_is_an_error(trained, tmp_path):
    _, folder = trained
    (tmp_path / CHECKPOINT).write_bytes((folder / CHECKPOINT).read_bytes()[:-9])
    with pytest.raises(NasbuildError, match="damaged"):
        train_supernet(fresh(), IMAGES, tmp_path, RECIPE)


@pytest.mark.parametrize("workers", [0, 17])
def test_a_share_has_at_least_two_images(tmp_path, workers):
    with pytest.raises(NasbuildError, match="1 to 16, half of the batch"):
        train_supernet(fresh(), IMAGES, tmp_path, RECIPE, workers=workers)


def test_random_networks_belong_to_the_phase():
    draw = np.random.default_rng(0)
    found = [random_layers(tiny(), SHRINK, draw) for _ in range(300)]
    assert {len(module) for layers in found for module in layers} == {1, 2}
    assert {layer for layers in found for m in layers for layer in m} == {
        (e, k) for e in (3, 4, 6) for k in (3, 5, 7)
    }
    only = random_layers(tiny(), Phase("kernel", 1, 0.1, kernels=(3, 7)), draw)
    assert {len(m) for m in only} == {2}
    assert {expand for m in only for expand, _ in m} == {6}
    assert smallest_layers(tiny(), SHRINK) == (((3, 3),), ((3, 3),))


@torch.no_grad()
def test_recalibration_computes_the_statistics_of_the_images():
    network = random_supernet(tiny()).extract(tiny().largest)
    x = torch.randn(64, 1, 8, 8)
    recalibrate(network, [(x[:32], torch.zeros(32)), (x[32:], torch.zeros(32))])
    norm = network.first_conv.get_submodule("bn")
    convolved = network.first_conv.get_submodule("conv")(x)
    assert torch.allclose(norm.running_mean, convolved.mean((0, 2, 3)), atol=1e-5)
    halves = torch.stack([convolved[:32].var((0, 2, 3)), convolved[32:].var((0, 2, 3))])
    assert torch.allclose(norm.running_var, halves.mean(0), rtol=1e-4)
    assert norm.momentum == 0.1
    assert not network.training


def test_accuracy_counts_correct_classes():
    class Told(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)

    logits = torch.tensor([[9.0, 1, 2, 3, 4, 5, 6], [1, 9, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]])
    found = accuracy(Told(), [(logits.view(3, 7, 1, 1), torch.tensor([0, 2, 1]))])
    assert found.top1 == pytest.approx(100 / 3)
    assert found.top5 == pytest.approx(100 / 3)
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 2, 1]))
    assert found.loss == pytest.approx(float(expected))
