"""The evaluator ``supernet:FILE.yaml``: accuracy of sub-networks of a supernet that a settings file describes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from nasbuild._settings_file import read_settings
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator
from nasbuild.space import Architecture, Metric, Space
from nasbuild.zoo.ofa.family import Family, fashion, layers_of, mobilenet_v3, proxylessnas
from nasbuild.zoo.ofa.images import FolderImages, Images, fashion_mnist
from nasbuild.zoo.ofa.supernet import Supernet
from nasbuild.zoo.ofa.top_k_accuracy import accuracy, fold_batch_norms, recalibrate
from nasbuild.zoo.ofa.weights import load_weights

METRICS = {
    "acc": Metric("acc", "maximize", "%"),
    "acc5": Metric("acc5", "maximize", "%"),
    "loss": Metric("loss", "minimize", "nats"),
}


class SupernetFile(BaseModel):
    """Settings in ``supernet:FILE.yaml``; paths are relative to the file.

    Attributes
    ----------
    family, width, classes
        Network shapes: Once-for-All's MobileNetV3 (published widths 1.0 and 1.2) or ProxylessNAS (1.3), or fashion-ofa.
    weights
        Published checkpoint, or safetensors file.
    train, test
        Folders of images with a subfolder per class; batch norms are recalibrated on ``train``.
    fashion_mnist
        Instead of ``train`` and ``test``: the folder of Fashion-MNIST's four files.
    side
        Side of a test image in pixels.
    recalibrate
        Number of images, sampled once, on which batch norms are recalibrated before each test.
    """

    model_config = ConfigDict(extra="forbid")

    family: Literal["mobilenet-v3", "proxylessnas", "fashion-ofa"]
    weights: Path
    width: PositiveFloat | None = None
    classes: PositiveInt = 1000
    train: Path | None = None
    test: Path | None = None
    fashion_mnist: Path | None = None
    side: PositiveInt = 224
    recalibrate: PositiveInt = 2000
    batch: PositiveInt = 100
    workers: int = Field(default=0, ge=0)

    def shapes(self) -> Family:
        """The network family."""
        if self.family == "fashion-ofa":
            return fashion(self.width or 0.25)
        if self.family == "proxylessnas":
            return proxylessnas(self.width or 1.3, classes=self.classes)
        return mobilenet_v3(self.width or 1.2, classes=self.classes)

    def images(self, base: Path) -> tuple[Images, Images]:
        """Images for recalibration and for the test."""
        if self.fashion_mnist is not None:
            return fashion_mnist(base / self.fashion_mnist)
        if self.train is None or self.test is None:
            raise NasbuildError(
                "names no images", where="supernet file", todo="give train and test, or fashion_mnist"
            )
        train, test = (
            FolderImages(base / folder, self.side, workers=self.workers) for folder in (self.train, self.test)
        )
        if train.classes != test.classes:
            raise NasbuildError("train and test have different classes", where=f"{self.train}, {self.test}")
        return train, test


def read_supernet_file(path: str | os.PathLike[str]) -> SupernetFile:
    """Read and check a supernet file.

    Raises
    ------
    NasbuildError
        If a setting is wrong; names the first one.
    """
    return read_settings(path, SupernetFile)


def supernet_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """The evaluator ``supernet:FILE.yaml``; registered in the group ``nasbuild.evaluators``."""
    return Evaluator("supernet", METRICS, supernet_measure(argument, space, seed=seed), "expensive")


def supernet_measure(
    path: str | os.PathLike[str], space: Space, *, seed: int = 0
) -> Callable[[Architecture], Mapping[str, float]]:
    """A function that measures accuracy and loss of sub-networks, each recalibrated on the same images.

    Parameters
    ----------
    path
        Settings file (`SupernetFile`).
    seed
        Selects the images of the recalibration.
    """
    file, base = read_supernet_file(path), Path(path).parent
    supernet = load_supernet(file, base)
    train, test = file.images(base)
    count = min(file.recalibrate, len(train.labels))
    chosen = np.random.default_rng(seed).permutation(len(train.labels))[:count]
    # Small sets are kept in memory: reading them for each architecture would take longer than its test.
    recalibration = list(train.batches(chosen, file.batch))
    all_rows = np.arange(len(test.labels))
    in_memory = list(test.batches(all_rows, file.batch)) if file.fashion_mnist is not None else None

    def measure(architecture: Architecture) -> Mapping[str, float]:
        network = supernet.extract(layers_of(space, architecture)).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        recalibrate(network, recalibration)
        result = accuracy(fold_batch_norms(network), in_memory or test.batches(all_rows, file.batch))
        return {"acc": result.top1, "acc5": result.top5, "loss": result.loss}

    return measure


def load_supernet(file: SupernetFile, base: Path) -> Supernet:
    """The supernet of a settings file, with its weights."""
    supernet = Supernet(file.shapes())
    load_weights(supernet, base / file.weights)
    return supernet.eval()
