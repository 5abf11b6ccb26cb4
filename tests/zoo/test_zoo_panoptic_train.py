"""Trainings of panoptic networks learn, resume with the same bits, and share weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from panoptic_samples import CATEGORIES, Squares, small_family

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic import (
    HeadSettings,
    KeptScenes,
    Training,
    build_network,
    build_shared,
    quality_of_network,
    recalibrate_network,
    recalibration_pictures,
    train_panoptic,
)

RECIPE = Training(steps=4, batch=2, rate=1e-3, warmup=1, every=1, ema=0.9, recalibrate=2)


class Stopped(Exception):
    pass


def network_of(kind: str, seed: int = 0):
    torch.manual_seed(seed)
    if kind == "shared":
        return build_shared(small_family(), CATEGORIES, HeadSettings(width=8))
    return build_network(small_family(), small_family().largest, CATEGORIES, HeadSettings(width=8))


def trained(path, kind="network", recipe=RECIPE, stop=None, seed=0, workers=0):
    network = network_of(kind, seed)

    def progress(done, steps, loss):
        assert steps == recipe.steps
        assert np.isfinite(loss)
        if done == stop:
            raise Stopped

    train_panoptic(network, Squares(), recipe, path, progress=progress, workers=workers)
    return {key: value.clone() for key, value in network.state_dict().items()}


def same(a, b) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("kind", ["network", "shared"])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, kind):
    whole = trained(tmp_path / "whole.safetensors", kind)
    with pytest.raises(Stopped):
        trained(tmp_path / "part.safetensors", kind, stop=2)
    # What the network began with is read from the checkpoint, statistics of batch norms included.
    assert same(trained(tmp_path / "part.safetensors", kind, seed=1), whole)
    assert not same(whole, network_of(kind).state_dict())
    # A training that is over is not trained again, but read.
    assert same(trained(tmp_path / "whole.safetensors", kind, seed=2, stop=4), whole)


def test_workers_do_not_change_the_result_but_seeds_and_recipes_do(tmp_path):
    first = trained(tmp_path / "a.safetensors")
    assert same(trained(tmp_path / "b.safetensors", workers=1), first)
    other = replace(RECIPE, seed=1)
    assert not same(trained(tmp_path / "c.safetensors", recipe=other), first)
    with pytest.raises(NasbuildError, match="another training"):
        trained(tmp_path / "a.safetensors", recipe=other)
    (tmp_path / "a.safetensors").write_bytes(b"damaged")
    with pytest.raises(NasbuildError, match="damaged"):
        trained(tmp_path / "a.safetensors")


def test_scenes_that_do_not_fit_are_refused(tmp_path):
    network = network_of("network")
    with pytest.raises(NasbuildError, match=r"scenes are 36 x 32 pixels; allowed: multiples of 8"):
        train_panoptic(network, Squares(height=36), RECIPE, tmp_path / "a.safetensors")

    class Unlike(Squares):
        def __getitem__(self, index):
            return Squares(height=32 + 8 * (index % 2))[index]

    with pytest.raises(NasbuildError, match="scenes of a batch differ in size"):
        train_panoptic(network, Unlike(), replace(RECIPE, batch=8), tmp_path / "a.safetensors")


def test_shared_weights_learn_scenes_for_all_networks(tmp_path):
    """Panoptic quality of unseen scenes rises from nothing, also for the smallest network."""
    data, unseen = KeptScenes(Squares(32)), KeptScenes(Squares(12, seed=1))
    family, recipe = small_family(), Training(steps=150, batch=8, rate=1e-2, warmup=10, ema=0.9)
    shared = network_of("shared")
    smallest = tuple(((2, 3),) for _ in family.stages)

    def qualities() -> list[float]:
        found = []
        for layers in (family.largest, smallest):
            network = shared.extract(layers)
            recalibrate_network(network, recalibration_pictures(data, recipe))
            found.append(quality_of_network(network, unseen).pq)
        return found

    assert max(qualities()) < 10
    train_panoptic(shared, data, recipe, tmp_path / "a.safetensors")
    assert min(qualities()) > 40


def test_quality_is_that_of_the_original_size(tmp_path):
    network, data = network_of("network"), Squares(3, 48, 40)
    train_panoptic(network, Squares(8), RECIPE, tmp_path / "a.safetensors")
    seen = []
    network.register_forward_hook(lambda _m, x, _y: seen.append(tuple(x[0].shape)))
    found = quality_of_network(network, data, short_side=30, batch=2)
    assert seen == [(2, 3, 36, 30), (1, 3, 36, 30)]
    assert found.pictures == 3
