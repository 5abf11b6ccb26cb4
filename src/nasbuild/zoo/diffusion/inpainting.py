"""Fine-tunes variants for inpainting and measures the quality of their images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasbuild.space import Architecture, Space, architecture_id
from nasbuild.zoo.diffusion.cost import costs
from nasbuild.zoo.diffusion.fid import Distance
from nasbuild.zoo.diffusion.inherit import inherit
from nasbuild.zoo.diffusion.latents import Latents, masked_latents
from nasbuild.zoo.diffusion.masks import Kind, draw_masks, enlarge
from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.sample import Sampling, add_noise, inpaint, train_steps
from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import plan_of
from nasbuild.zoo.diffusion.train import Training, train_unet

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Validation:
    """The test of variants; the same for all.

    Attributes
    ----------
    latents
        Images of the validation set; the first ``count`` are painted.
    distance
        Fréchet distance to these images.
    seed
        Seed of masks and noise, independent of the seed of the training.
    """

    latents: Latents
    count: int
    distance: Distance
    sampling: Sampling
    masks: Kind = "mixed"
    seed: int = 2024

    def add_real(self) -> Validation:
        """Add the real images to the distance; call it once."""
        for rows in self.batches():
            self.distance.add_real(self.latents.images(rows))
        return self

    def batches(self) -> list[np.ndarray]:
        """Row indices, in batches that are painted together."""
        rows = np.arange(min(self.count, len(self.latents)))
        return np.split(rows, range(self.sampling.batch, len(rows), self.sampling.batch))


@dataclass(frozen=True)
class Painted:
    """Original images, their masks, and the painted images; all on the CPU."""

    images: Tensor
    masks: Tensor
    painted: Tensor


@dataclass(frozen=True)
class Inpainting:
    """Fine-tunes and measures variants of a parent.

    Attributes
    ----------
    parent
        Weights of SDv1.4's architecture.
    text
        Conditioning, (1, tokens, width): the embedding of the empty prompt, the same for all images.
    folder
        Folder of the checkpoint of the current training, which is deleted when its variant is measured.
    """

    size: Size
    parent: Mapping[str, Tensor]
    text: Tensor
    train: Latents
    training: Training
    test: Validation
    folder: Path

    def measure(self, space: Space, architecture: Architecture, seed: int = 0) -> dict[str, float]:
        """Metrics of an architecture after its fine-tuning.

        Returns
        -------
        dict
            ``fid``: Fréchet distance of painted and real images; ``loss``: mean squared error of the predicted
            noise; ``psnr``: peak signal-to-noise ratio of the painted part, dB; ``macs``: multiply-accumulates of one step
            for one image; ``params``.
        """
        name = hashlib.sha256(f"{architecture_id(space, architecture)} {seed}".encode()).hexdigest()[:16]
        path = self.folder / f"{name}.safetensors"
        network = self.tune(space, architecture, seed, path)
        found = self.quality(network)
        macs, params = costs(network.plan, self.size)
        path.unlink(missing_ok=True)
        return {**found, "macs": float(macs), "params": float(params)}

    def tune(self, space: Space, architecture: Architecture, seed: int, path: Path) -> DenoisingUNet:
        """A variant with inherited weights, fine-tuned for inpainting; resumes from a checkpoint at ``path``."""
        network = DenoisingUNet(plan_of(space, architecture), self.size, self.size.inpainting)
        inherit(network, self.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        training = replace(self.training, seed=seed)
        train_unet(network, self.train, training, path, text=self.text, initial_weights="inherited")
        return network

    def quality(self, network: DenoisingUNet) -> dict[str, float]:
        """Metrics of a fine-tuned network on the test images."""
        errors, squared_error, masked = [], 0.0, 0.0
        for rows in self.test.batches():
            painted = self.paint(network, rows)
            self.test.distance.add_painted(painted.painted)
            squared_error += float((painted.painted - painted.images).double().square().sum())
            masked += float(painted.masks.sum()) * painted.images.shape[1]
            errors.append(self._errors(network, rows))
        # Images go from -1 to 1, so the largest difference is 2.
        psnr = 10 * np.log10(4 * masked / squared_error) if squared_error else float("inf")
        return {
            "fid": self.test.distance.take(),
            "loss": float(np.concatenate(errors).mean()),
            "psnr": float(psnr),
        }

    @torch.no_grad()
    def paint(self, network: DenoisingUNet, rows: np.ndarray) -> Painted:
        """Paint the masked part of some test images."""
        test, device = self.test, network.conv_in.weight.device
        images = test.latents.images(rows)
        masks = self._masks(rows)
        known, hidden = self._latents(images, masks)
        x = inpaint(
            network.eval(),
            known.to(device),
            hidden.to(device),
            masks.to(device),
            self._noise(rows).to(device),
            self.text.to(device),
            test.sampling,
        )
        grown = enlarge(masks, images.shape[-1] // masks.shape[-1])
        # An autoencoder changes known pixels, too; these are restored.
        painted = torch.where(grown > 0, test.latents.decode(x).cpu().clamp(-1, 1), images)
        return Painted(images, grown, painted)

    @torch.no_grad()
    def _errors(self, network: DenoisingUNet, rows: np.ndarray) -> np.ndarray:
        """Squared error of the predicted noise for each image; each has its own time, evenly spread."""
        device = network.conv_in.weight.device
        images, masks, noise = self.test.latents.images(rows), self._masks(rows), self._noise(rows)
        times = torch.from_numpy((rows * _GOLDEN % 1 * train_steps()).astype(np.int64))
        known, hidden = (x.cpu() for x in self._latents(images, masks))
        inputs = torch.cat([add_noise(known, noise, times), masks, hidden], 1)
        text = self.text.expand(len(rows), -1, -1)
        found = network(inputs.to(device), times.to(device), text.to(device)).cpu()
        return F.mse_loss(found, noise, reduction="none").mean((1, 2, 3)).numpy()

    def _latents(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        return self.test.latents.encode(images), masked_latents(self.test.latents, images, masks)

    def _masks(self, rows: np.ndarray) -> Tensor:
        return draw_masks(rows, self.size.side, seed=self.test.seed, kind=self.test.masks)

    def _noise(self, rows: np.ndarray) -> Tensor:
        """Noise of each image, independent of the batches."""
        shape = (self.size.latents, self.size.side, self.size.side)
        generators = [np.random.default_rng((self.test.seed, 1, int(row))) for row in rows]
        return torch.from_numpy(np.stack([rng.standard_normal(shape, np.float32) for rng in generators]))
