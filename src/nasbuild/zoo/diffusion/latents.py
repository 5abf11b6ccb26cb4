"""Encodes images as latents: lossless folding of pixels, or a variational autoencoder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasbuild.errors import NasbuildError
from nasbuild.zoo.diffusion.masks import enlarge
from nasbuild.zoo.ofa.images import FolderImages

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Latents(Protocol):
    """Images, and their latents for a U-Net."""

    def __len__(self) -> int: ...

    def images(self, rows: np.ndarray) -> Tensor:
        """Images (n, colours, height, width) from -1 to 1."""
        ...

    def encode(self, images: Tensor) -> Tensor:
        """Latents (n, channels, side, side) of images."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents."""
        ...


def masked_latents(latents: Latents, images: Tensor, masks: Tensor) -> Tensor:
    """Latents of images whose masked part is grey, as in Stable Diffusion's inpainting.

    ``masks`` have the resolution of the latents, (n, 1, side, side).
    """
    grown = enlarge(masks, images.shape[-1] // masks.shape[-1])
    return latents.encode(images * (1 - grown.to(images.device)))


class FoldedArrays:
    """Grey images in memory; each block of 2 x 2 pixels is folded into the four channels of one latent pixel.

    Parameters
    ----------
    pixels
        (n, height, width) uint8.
    side
        Side to which images are padded with black, evenly on all sides; twice the side of the latents.
    """

    def __init__(self, pixels: np.ndarray, side: int) -> None:
        if pixels.shape[1] != pixels.shape[2] or pixels.shape[1] > side or (side - pixels.shape[1]) % 2:
            raise NasbuildError(f"images of {pixels.shape[1]} x {pixels.shape[2]} can't be padded to {side}")
        self._pixels, self._border = pixels, (side - pixels.shape[1]) // 2

    def __len__(self) -> int:
        return len(self._pixels)

    def images(self, rows: np.ndarray) -> Tensor:
        x = torch.from_numpy(self._pixels[rows]).float().unsqueeze(1) / 127.5 - 1
        return F.pad(x, (self._border,) * 4, value=-1.0)

    def encode(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(images, 2)

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(latents, 2)


class EncodedFolder:
    """A folder of images with a subfolder per class, like Places365's, encoded by Stable Diffusion's autoencoder.

    Images are resized and cropped to the central square. Latents are the means of the encoder's distributions, scaled
    as in the autoencoder's configuration.

    Parameters
    ----------
    vae
        Autoencoder with the interface of diffusers' ``AutoencoderKL``, such as one from `load_vae`.
    side
        Side of an image in pixels.
    """

    def __init__(self, folder: str | os.PathLike[str], side: int, vae: Any, *, workers: int = 0) -> None:
        self._files = FolderImages(Path(folder), side, workers=workers)
        self._vae = vae.eval().requires_grad_(False)
        self._scale = float(vae.config.scaling_factor)

    def __len__(self) -> int:
        return len(self._files.labels)

    def images(self, rows: np.ndarray) -> Tensor:
        x = torch.cat([x for x, _ in self._files.batches(rows, max(1, len(rows)))])
        mean, deviation = (torch.tensor(v)[:, None, None] for v in _IMAGENET)
        return ((x * deviation + mean) * 2 - 1).clamp(-1, 1)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        return self._vae.encode(images.to(self._vae.device)).latent_dist.mean * self._scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        return self._vae.decode(latents.to(self._vae.device) / self._scale).sample.clamp(-1, 1)


def load_vae(folder: str | os.PathLike[str]) -> Any:
    """Load Stable Diffusion's autoencoder from a local folder in diffusers' layout; nothing is downloaded.

    Raises
    ------
    NasbuildError
        If the folder contains none.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    if not (Path(folder) / "config.json").is_file():
        raise NasbuildError("contains no config.json", where=str(folder), todo="give the folder named vae")
    try:
        return AutoencoderKL.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        message = str(error).splitlines()[0]
        raise NasbuildError(f"can't be read as an autoencoder ({message})", where=str(folder)) from None
