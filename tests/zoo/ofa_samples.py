"""Small families, images and supernets for the tests."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from nasbuild.zoo.ofa import ArrayImages, Family, StageShape, Supernet, fashion


def tiny() -> Family:
    """Two stages of up to two layers, for images of 8 x 8 in three classes."""
    return replace(
        fashion(),
        name="tiny",
        classes=3,
        stages=(StageShape(8, 1, "relu", False, 2), StageShape(16, 2, "h_swish", True, 2)),
        final=16,
        mix=16,
    )


def random_supernet(family: Family, seed: int = 0) -> Supernet:
    """Random weights, matrices and statistics, so that any mix-up is noticed."""
    torch.manual_seed(seed)
    supernet = Supernet(family)
    with torch.no_grad():
        for name, value in supernet.state_dict().items():
            if value.is_floating_point():
                fresh = (
                    torch.rand_like(value) + 0.5 if "running_var" in name else torch.randn_like(value) * 0.2
                )
                value.add_(fresh) if "_matrix" in name else value.copy_(fresh)
    return supernet.eval()


def bright_images(n: int, seed: int = 0) -> ArrayImages:
    """Images of 8 x 8; the class is the brightest third."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    pixels = rng.integers(0, 120, size=(n, 8, 8), dtype=np.uint8)
    for row, label in enumerate(labels):
        pixels[row, 3 * label : 3 * label + 2] += 100
    return ArrayImages(pixels, labels, 0.3, 0.25, shift=0)


class BreakingImages:
    """Images whose batches from some seed on can't be read."""

    def __init__(self, images: ArrayImages, first_seed: int) -> None:
        self._images, self._first_seed = images, first_seed
        self.labels = images.labels

    def batches(self, order: np.ndarray, size: int, seed: int | None = None) -> Any:
        if seed is not None and seed >= self._first_seed:
            raise ValueError("no such picture")
        return self._images.batches(order, size, seed)


def published() -> Any:
    """The networks of the package ofa, without its data loaders, which need torchvision."""
    sys.modules.setdefault("ofa.utils.my_dataloader", types.ModuleType("ofa.utils.my_dataloader"))
    from ofa.imagenet_classification.elastic_nn import networks

    return networks
