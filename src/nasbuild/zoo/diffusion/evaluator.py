"""Fine-tuning for inpainting as an evaluator: a file tells parent, images and recipe."""

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
from nasbuild.zoo.diffusion.checkpoint import read_tensors
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
    """What ``inpainting:FILE.yaml`` holds; paths are relative to the file.

    Attributes
    ----------
    size
        ``"full"`` is Stable Diffusion's; ``"mini"`` and ``"tiny"`` are for experiments and tests.
    parent
        Weights of SDv1.4's U-Net at that size: ``unet/diffusion_pytorch_model.safetensors``.
    train, test
        Folders of images with a subfolder a class, as those of Places365.
    vae
        Folder of the autoencoder, for ``train`` and ``test``.
    fashion_mnist
        Instead of these three: the folder of Fashion-MNIST's four files.
    features
        Safetensors of a `Classifier` with ``fashion_mnist``, otherwise Inception's weights as torch-fidelity has them.
    text
        Safetensors whose ``text`` is the embedding of the empty prompt, (1, tokens, width); zeros without it.
    images
        Of the test, which are painted.
    masks
        How they are drawn, in training and test.
    steps, batch, parts, rate, warmup, ema, every, precision
        As in `Training`.
    solver, denoising, paint
        Solver of the sampling, its steps, and images at a time.
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

    def latents(self, beside: Path) -> tuple[Latents, Latents]:
        """Images to train and to test with."""
        size = size_of(self.size)
        if self.fashion_mnist is not None:
            return tuple(
                FoldedArrays(part.pixels, 2 * size.side)
                for part in fashion_mnist(beside / self.fashion_mnist)
            )  # pyright: ignore[reportReturnType]
        if self.train is None or self.test is None or self.vae is None:
            raise NasbuildError(
                "names no images",
                where="inpainting file",
                todo="give train, test and vae, or fashion_mnist",
            )
        vae = load_vae(beside / self.vae)
        # The autoencoder halves the image at each of its levels but the first.
        side = size.side * 2 ** (len(vae.config.block_out_channels) - 1)
        train, test = (
            EncodedFolder(beside / f, side, vae, workers=self.workers) for f in (self.train, self.test)
        )
        return train, test

    def distance(self, beside: Path) -> Distance:
        """The Fréchet distance of features."""
        if self.fashion_mnist is None:
            return Distance(beside / self.features)
        network = Classifier()
        load(network, beside / self.features)
        return Distance(network)

    def embedding(self, beside: Path, size: Size) -> torch.Tensor:
        """What the U-Net is told instead of a text."""
        shape = (1, size.tokens, size.text)
        if self.text is None:
            return torch.zeros(shape)
        held = read_tensors(beside / self.text)[0].get("text")
        if held is None or held.shape != shape:
            found = "no 'text'" if held is None else f"'text' of {tuple(held.shape)}"
            raise NasbuildError(f"holds {found}", where=str(self.text), allowed=str(shape))
        return held


def read_inpainting_file(path: str | os.PathLike[str]) -> InpaintingFile:
    """Read and check an inpainting file.

    Raises
    ------
    NasbuildError
        Naming the first key that is wrong.
    """
    return read_settings(path, InpaintingFile)


def load_inpainting(path: str | os.PathLike[str], *, distance: Distance | None = None) -> Inpainting:
    """What measures variants as a file says.

    Parameters
    ----------
    distance
        With features of the caller's, instead of those that the file names.

    Raises
    ------
    NasbuildError
        If something that the file names is missing or of another form.
    """
    file, beside = read_inpainting_file(path), Path(path).parent
    size = size_of(file.size)
    train, test = file.latents(beside)
    return Inpainting(
        size=size,
        parent=read_tensors(beside / file.parent)[0],
        text=file.embedding(beside, size),
        train=train,
        training=file.training(),
        test=Validation(
            test,
            file.images,
            distance or file.distance(beside),
            Sampling(file.solver, file.denoising, file.paint),
            file.masks,
        ).add_real(),
        folder=Path(f"{path}.work"),
    )


def inpainting_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """Evaluator ``inpainting:FILE.yaml``."""
    return Evaluator("inpainting", METRICS, inpainting_measure(argument, space, seed=seed), "dear")


def inpainting_measure(
    path: str | os.PathLike[str], space: Space, *, seed: int = 0
) -> Callable[[Architecture], Mapping[str, float]]:
    """A function that fine-tunes an architecture and tells its metrics; see `Inpainting.measure`.

    Parameters
    ----------
    path
        A file as `InpaintingFile` describes.
    seed
        Of the fine-tuning: order, noise and masks; those of the test stay the same.
    """
    inpainting = load_inpainting(path)
    return lambda architecture: inpainting.measure(space, architecture, seed)


def load(network: torch.nn.Module, path: Path) -> None:
    """Fill a network from safetensors.

    Raises
    ------
    NasbuildError
        If they are of another network.
    """
    tensors: dict[str, Any] = read_tensors(path)[0]
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        said = str(error).splitlines()[-1].strip()
        raise NasbuildError(f"holds other weights ({said})", where=str(path)) from None
