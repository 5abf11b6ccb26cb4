"""Fréchet distance between features of painted and real images (Heusel et al., NeurIPS 2017)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from nasbuild.errors import NasbuildError


class Distance:
    """Fréchet distance between Gaussians fitted to features of real and of painted images.

    Parameters
    ----------
    features
        A network that maps images (n, colours, height, width) in -1 to 1 to (n, ``num_features``). Or the path of
        Inception's weights in torch-fidelity's format (``pt_inception-2015-12-05-6726825d.pth``), for the usual
        Fréchet inception distance (FID) with 2,048 features; this needs the package torch-fidelity.
    """

    def __init__(self, features: nn.Module | str | os.PathLike[str]) -> None:
        self._metric = _custom(features) if isinstance(features, nn.Module) else _inception(Path(features))
        self._metric.eval()

    @torch.no_grad()
    def add_real(self, images: Tensor) -> None:
        """Add real images; they are used for all painted sets."""
        self._metric.update(self._scaled(images), real=True)

    @torch.no_grad()
    def add_painted(self, images: Tensor) -> None:
        """Add painted images."""
        self._metric.update(self._scaled(images), real=False)

    def take(self) -> float:
        """Compute the distance, then discard the painted images; the real ones are kept."""
        value = float(self._metric.compute())
        self._metric.reset()
        return value

    def _scaled(self, images: Tensor) -> Tensor:
        images = images.to(self._metric.device)
        return images if self._metric.used_custom_model else (images + 1) / 2


def _custom(features: nn.Module) -> Any:
    return FrechetInceptionDistance(feature=features.eval(), reset_real_features=False)


def _inception(path: Path) -> Any:
    if not path.is_file():
        raise NasbuildError("no such file", where=str(path), todo="give Inception's weights")
    try:
        return FrechetInceptionDistance(
            feature=2048, reset_real_features=False, normalize=True, feature_extractor_weights_path=str(path)
        )
    except ModuleNotFoundError:
        raise NasbuildError(
            "features of Inception need the package torch-fidelity",
            where=str(path),
            todo="pip install torch-fidelity, or give your own features",
        ) from None
