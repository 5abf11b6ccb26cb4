"""The evaluator ``inpainting:FILE.yaml``: fine-tunes architectures as a settings file describes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from nasbuild._settings_file import read_settings
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator
from nasbuild.space import Architecture, Metric, Space
from nasbuild.zoo._tensor_files import read_tensors
from nasbuild.zoo.diffusion.features import Classifier
from nasbuild.zoo.diffusion.fid import Distance
from nasbuild.zoo.diffusion.inpainting import Inpainting, Validation
from nasbuild.zoo.diffusion.latents import EncodedFolder, FoldedArrays, Latents, load_vae
from nasbuild.zoo.diffusion.sample import Sampling
from nasbuild.zoo.diffusion.size import Size, size_of
from nasbuild.zoo.diffusion.space import sd_unet
from nasbuild.zoo.diffusion.train import Training
from nasbuild.zoo.ofa.images import fashion_mnist

METRICS: Mapping[str, Metric] = sd_unet().metrics


class InpaintingFile(BaseModel):
    """Settings in ``inpainting:FILE.yaml``; paths are relative to the file.

    Attributes
    ----------
    size
        ``"full"`` is Stable Diffusion's; ``"mini"`` and ``"tiny"`` are for experiments and tests.
    parent
        Weights of SDv1.4's U-Net at that size: ``unet/diffusion_pytorch_model.safetensors``.
    train, test
        Folders of images with a subfolder per class, like those of Places365.
    vae
        Folder of the autoencoder, for ``train`` and ``test``.
    fashion_mnist
        Instead of these three: the folder of Fashion-MNIST's four files.
    features
        With ``fashion_mnist``, safetensors of a `Classifier`; otherwise Inception's weights in torch-fidelity's format.
    text
        Safetensors whose ``text`` is the embedding of the empty prompt, (1, tokens, width); zeros without it.
    images
        Number of test images that are painted.
    masks
        Kind of the masks, in training and test.
    steps, batch, parts, rate, warmup, ema, every, precision
        As in `Training`.
    solver, denoising, paint
        Solver of the sampling, denoising steps, and images per batch.
    """

    model_config = ConfigDict(extra="forbid")

    size: Literal["tiny", "mini", "full"] = "full"
    parent: Path
    train: Path | None = None
    test: Path | None = None
    vae: Path | None = None
    fashion_mnist: Path | None = None
    features: Path
    text: Path | None = None
    images: PositiveInt = 3000
    masks: Literal["boxes", "strokes", "mixed"] = "mixed"
    steps: PositiveInt = 20_000
    batch: PositiveInt = 64
    parts: PositiveInt = 1
    rate: PositiveFloat = 5e-5
    warmup: int = Field(default=100, ge=0)
    ema: float = Field(default=0.9999, ge=0, lt=1)
    every: PositiveInt = 500
    precision: Literal["no", "fp16", "bf16"] = "no"
    solver: Literal["ddim", "dpm"] = "ddim"
    denoising: PositiveInt = 50
    paint: PositiveInt = 16
    workers: int = Field(default=0, ge=0)

    def training(self) -> Training:
        """The recipe of the fine-tuning."""
        names = ("steps", "batch", "parts", "rate", "warmup", "ema", "every", "masks", "precision")
        return Training(**{name: getattr(self, name) for name in names})

    def latents(self, base: Path) -> tuple[Latents, Latents]:
        """Images for training and for the test."""
        size = size_of(self.size)
        if self.fashion_mnist is not None:
            return tuple(
                FoldedArrays(part.pixels, 2 * size.side) for part in fashion_mnist(base / self.fashion_mnist)
            )  # pyright: ignore[reportReturnType]
        if self.train is None or self.test is None or self.vae is None:
            raise NasbuildError(
                "names no images",
                where="inpainting file",
                todo="give train, test and vae, or fashion_mnist",
            )
        vae = load_vae(base / self.vae)
        # The autoencoder halves the image at each of its levels but the first.
        side = size.side * 2 ** (len(vae.config.block_out_channels) - 1)
        train, test = (
            EncodedFolder(base / f, side, vae, workers=self.workers) for f in (self.train, self.test)
        )
        return train, test

    def distance(self, base: Path) -> Distance:
        """The Fréchet distance of features."""
        if self.fashion_mnist is None:
            return Distance(base / self.features)
        network = Classifier()
        load(network, base / self.features)
        return Distance(network)

    def embedding(self, base: Path, size: Size) -> torch.Tensor:
        """The conditioning of the U-Net instead of a text, (1, tokens, width)."""
        shape = (1, size.tokens, size.text)
        if self.text is None:
            return torch.zeros(shape)
        embedding = read_tensors(base / self.text)[0].get("text")
        if embedding is None or embedding.shape != shape:
            found = "no 'text'" if embedding is None else f"'text' of {tuple(embedding.shape)}"
            raise NasbuildError(f"contains {found}", where=str(self.text), allowed=str(shape))
        return embedding


def read_inpainting_file(path: str | os.PathLike[str]) -> InpaintingFile:
    """Read and check an inpainting file.

    Raises
    ------
    NasbuildError
        If a setting is wrong; names the first one.
    """
    return read_settings(path, InpaintingFile)


def load_inpainting(path: str | os.PathLike[str], *, distance: Distance | None = None) -> Inpainting:
    """Load an `Inpainting` from a settings file.

    Parameters
    ----------
    distance
        Distance to use instead of the one in the file.

    Raises
    ------
    NasbuildError
        If something in the file is missing or invalid.
    """
    file, base = read_inpainting_file(path), Path(path).parent
    size = size_of(file.size)
    train, test = file.latents(base)
    return Inpainting(
        size=size,
        parent=read_tensors(base / file.parent)[0],
        text=file.embedding(base, size),
        train=train,
        training=file.training(),
        test=Validation(
            test,
            file.images,
            distance or file.distance(base),
            Sampling(file.solver, file.denoising, file.paint),
            file.masks,
        ).add_real(),
        folder=Path(f"{path}.work"),
    )


def inpainting_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """The evaluator ``inpainting:FILE.yaml``; registered in the group ``nasbuild.evaluators``."""
    return Evaluator("inpainting", METRICS, inpainting_measure(argument, space, seed=seed), "expensive")


def inpainting_measure(
    path: str | os.PathLike[str], space: Space, *, seed: int = 0
) -> Callable[[Architecture], Mapping[str, float]]:
    """A function that fine-tunes an architecture and measures it; see `Inpainting.measure`.

    Parameters
    ----------
    path
        Settings file (`InpaintingFile`).
    seed
        Seed of the fine-tuning: order, noise and masks. Those of the test are fixed.
    """
    inpainting = load_inpainting(path)
    return lambda architecture: inpainting.measure(space, architecture, seed)


def load(network: torch.nn.Module, path: Path) -> None:
    """Load a network's weights from safetensors.

    Raises
    ------
    NasbuildError
        If the weights do not fit the network.
    """
    tensors: dict[str, Any] = read_tensors(path)[0]
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        message = str(error).splitlines()[-1].strip()
        raise NasbuildError(f"has weights of another network ({message})", where=str(path)) from None
