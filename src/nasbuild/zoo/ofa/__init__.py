"""Once-for-all supernets: one set of weights for every architecture of a space (Cai et al., ICLR 2020).

Elastic MobileNetV3 and ProxylessNAS whose weights have the names of the published checkpoints, sub-networks cut
out of them, their accuracy, and the training of new ones. Importing this package loads no torch.
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
    from nasbuild.zoo.ofa.plain import Network
    from nasbuild.zoo.ofa.recipe import Phase, Recipe
    from nasbuild.zoo.ofa.supernet import Supernet
    from nasbuild.zoo.ofa.testing import Accuracy, accuracy, recalibrate
    from nasbuild.zoo.ofa.train import train_supernet
    from nasbuild.zoo.ofa.weights import load_weights, save_weights

_LAZY = {
    "Accuracy": "testing",
    "ArrayImages": "images",
    "FolderImages": "images",
    "Images": "images",
    "Network": "plain",
    "Phase": "recipe",
    "Recipe": "recipe",
    "Supernet": "supernet",
    "accuracy": "testing",
    "fashion_mnist": "images",
    "load_weights": "weights",
    "recalibrate": "testing",
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
