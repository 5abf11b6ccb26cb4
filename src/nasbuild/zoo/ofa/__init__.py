"""Once-for-all supernets: shared weights for all architectures of a space (Cai et al., ICLR 2020).

Provides elastic MobileNetV3 and ProxylessNAS with the weight names of the published checkpoints, the extraction of
sub-networks, their accuracy, and the training of new supernets. Registers the evaluator ``supernet:FILE.yaml`` and the
networks ``fashion-ofa``, ``ofa-mobilenet-v3-w1.0``, ``ofa-mobilenet-v3-w1.2`` and ``ofa-proxylessnas-w1.3``. The
spaces and the table ``fashion-ofa`` are built in. Importing this package does not load torch.

The examples of this package start from

>>> import numpy as np
>>> import torch
>>> from nasbuild.space import load_space, sample
>>> from nasbuild.zoo.ofa import ArrayImages, Supernet, fashion, layers_of
>>> space, family = load_space("fashion-ofa"), fashion()
>>> layers = layers_of(space, sample(space, 1, 0)[0])
>>> supernet = Supernet(family)
>>> pixels = np.random.default_rng(0).integers(256, size=(8, 28, 28)).astype(np.uint8)
>>> images = ArrayImages(pixels, np.arange(8), mean=0.5, deviation=0.25)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._lazy_imports import lazy
from nasbuild.zoo.ofa.family import (
    Family,
    Layers,
    StageShape,
    fashion,
    layers_of,
    mobilenet_v3,
    proxylessnas,
)

if TYPE_CHECKING:
    from nasbuild.zoo.ofa.images import ArrayImages, FolderImages, Images, fashion_mnist
    from nasbuild.zoo.ofa.recipe import Phase, Recipe
    from nasbuild.zoo.ofa.static_network import Network
    from nasbuild.zoo.ofa.supernet import Supernet
    from nasbuild.zoo.ofa.top_k_accuracy import Accuracy, accuracy, recalibrate
    from nasbuild.zoo.ofa.train import train_supernet
    from nasbuild.zoo.ofa.weights import load_weights, save_weights

_LAZY = {
    "Accuracy": "top_k_accuracy",
    "ArrayImages": "images",
    "FolderImages": "images",
    "Images": "images",
    "Network": "static_network",
    "Phase": "recipe",
    "Recipe": "recipe",
    "Supernet": "supernet",
    "accuracy": "top_k_accuracy",
    "fashion_mnist": "images",
    "load_weights": "weights",
    "recalibrate": "top_k_accuracy",
    "save_weights": "weights",
    "train_supernet": "train",
}

__all__ = [
    "Accuracy",
    "ArrayImages",
    "Family",
    "FolderImages",
    "Images",
    "Layers",
    "Network",
    "Phase",
    "Recipe",
    "StageShape",
    "Supernet",
    "accuracy",
    "fashion",
    "fashion_mnist",
    "layers_of",
    "load_weights",
    "mobilenet_v3",
    "proxylessnas",
    "recalibrate",
    "save_weights",
    "train_supernet",
]


__getattr__ = lazy(__name__, _LAZY)
