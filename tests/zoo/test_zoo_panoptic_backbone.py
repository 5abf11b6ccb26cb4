"""Features of sub-networks equal those of the supernet, and are the outputs of the last stage of each stride."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ofa_samples import random_supernet

from nasbuild.errors import NasbuildError
from nasbuild.space import load_space, sample
from nasbuild.zoo.ofa import (
    Supernet,
    fashion,
    layers_of,
    load_weights,
    mobilenet_v3,
    proxylessnas,
    save_weights,
)
from nasbuild.zoo.panoptic import Features, SharedFeatures, levels, scenes_family

FAMILIES = {
    "ofa-mobilenet-v3": replace(mobilenet_v3(0.25, classes=3), mix=8),
    "ofa-proxylessnas": replace(proxylessnas(0.25, classes=3), mix=8),
    "panoptic-scenes": scenes_family(),
}
LEVELS = {  # stage, stride
    "ofa-mobilenet-v3": [(0, 4), (1, 8), (3, 16), (4, 32)],
    "ofa-proxylessnas": [(0, 4), (1, 8), (3, 16), (5, 32)],
    "panoptic-scenes": [(0, 4), (1, 8), (2, 16), (3, 32)],
}


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_features_of_a_subnetwork_equal_those_of_the_supernet(name, tmp_path):
    family = FAMILIES[name]
    save_weights(random_supernet(family), tmp_path / "supernet.safetensors")
    supernet = Supernet(family).eval()
    load_weights(supernet, tmp_path / "supernet.safetensors")
    shared, x = SharedFeatures(supernet).eval(), torch.randn(2, 3, 64, 96)
    space = load_space(name)
    for architecture in sample(space, 3, 0):
        layers = layers_of(space, architecture)
        network = supernet.extract(layers)
        # The stages' outputs, seen by hooks on a network that classifies.
        ends = np.cumsum([len(module) for module in layers])
        seen = {}
        for stage, _ in LEVELS[name]:
            network.blocks[ends[stage]].register_forward_hook(
                lambda _m, _x, y, stage=stage, seen=seen: seen.update({stage: y.clone()})
            )
        network(x)
        found = shared.extract(layers)(x)
        for (stage, stride), one, other in zip(LEVELS[name], found, shared(x, layers), strict=True):
            assert one.shape[2:] == (64 // stride, 96 // stride)
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(one, seen[stage], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_levels_are_the_last_stages_of_their_strides(name):
    assert [(level.stage, level.stride) for level in levels(FAMILIES[name])] == LEVELS[name]
    for level in levels(FAMILIES[name]):
        assert level.width == FAMILIES[name].stages[level.stage].width


def test_features_have_no_classifier_and_those_of_a_supernet_do_not_train_it():
    family = scenes_family()
    features = Features(Supernet(family).extract(family.largest))
    assert {name.partition(".")[0] for name, _ in features.named_parameters()} == {"first_conv", "blocks"}
    trained = {
        k.split(".")[1] for k, p in SharedFeatures(Supernet(family)).named_parameters() if p.requires_grad
    }
    assert trained == {"first_conv", "blocks"}


def test_families_without_colour_or_strides_are_refused():
    with pytest.raises(NasbuildError, match=r"fashion-ofa: its pictures have 1 channels; allowed: 3"):
        SharedFeatures(Supernet(fashion()))
    flat = replace(scenes_family(), stages=tuple(replace(one, stride=1) for one in scenes_family().stages))
    with pytest.raises(NasbuildError, match=r"its stages end at stride 2; allowed: a last stage of stride 4"):
        levels(flat)
