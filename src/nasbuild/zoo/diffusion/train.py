"""Trains a U-Net to predict noise: from scratch, or an inpainting variant with inherited weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor

from nasbuild.zoo._tensor_files import read_tensors, write_tensors
from nasbuild.zoo._training_steps import decay_groups, rate_at, rows_at
from nasbuild.zoo.diffusion.latents import Latents, masked_latents
from nasbuild.zoo.diffusion.masks import Kind, draw_masks
from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.sample import add_noise, train_steps

Progress = Callable[[int, int, float], None]
"""Called after every checkpoint with completed steps, all steps, and the mean loss since the last call."""


@dataclass(frozen=True)
class Training:
    """Hyperparameters of a training: AdamW on the squared error of the noise, with a moving average of the weights.

    Attributes
    ----------
    rate
        Highest learning rate; it rises over ``warmup`` steps, then follows a cosine to 0.
    parts
        Parts into which a batch is split to save memory; their gradients are summed.
    ema
        Decay of the moving average; in step n at most (1 + n) / (10 + n).
    every
        Steps between checkpoints.
    masks
        Kind of the masks for an inpainting network; new ones at each step.
    """

    steps: int = 20_000
    batch: int = 64
    rate: float = 5e-5
    warmup: int = 100
    decay: float = 1e-2
    clip: float = 1.0
    ema: float = 0.9999
    every: int = 500
    parts: int = 1
    masks: Kind = "mixed"
    precision: Literal["no", "fp16", "bf16"] = "no"
    seed: int = 0


def train_unet(
    network: DenoisingUNet,
    latents: Latents,
    training: Training,
    path: str | os.PathLike[str],
    *,
    text: Tensor,
    initial_weights: str = "",
    progress: Progress = lambda *_: None,
) -> None:
    """Train a network in place; at the end it has the averaged weights.

    An interrupted training resumes at its checkpoint, on a CPU with a bitwise identical result: the random numbers of a
    step depend only on seed and step. A network with `Size.inpainting` inputs also gets mask and masked latents. Under
    ``accelerate launch`` with several devices, each takes its share of every batch.

    Parameters
    ----------
    path
        Checkpoint, in safetensors.
    text
        Conditioning, the same for all images: (1, tokens, width).
    initial_weights
        Describes the initial weights; a checkpoint with another description is an error.

    Raises
    ------
    NasbuildError
        If the checkpoint is of another training.
    """
    about = {
        "training": json.dumps(asdict(training)),
        "plan": repr(network.plan),
        "initial weights": initial_weights,
    }
    accelerator = Accelerator(mixed_precision=training.precision)
    named = dict(network.named_parameters())
    optimizer = torch.optim.AdamW(decay_groups(named, training.decay), lr=0.0, foreach=True)
    ema = EMAModel(list(named.values()), decay=training.ema, foreach=True)
    done = _restore(Path(path), about, named, optimizer, ema)
    ema.to(accelerator.device)
    model, optimizer = accelerator.prepare(network, optimizer)
    model.train()
    losses: list[float] = []
    while done < training.steps:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(done, training.steps, training.rate, training.warmup)
        batch = _batch(network, latents, training, done, text, accelerator)
        optimizer.zero_grad(set_to_none=True)
        losses.append(_descend(model, batch, training, accelerator))
        optimizer.step()
        ema.step(named.values())
        done += 1
        if done % training.every == 0 or done == training.steps:
            if accelerator.is_main_process:
                _save(Path(path), about, named, optimizer, ema, done)
            progress(done, training.steps, float(np.mean(losses)))
            losses = []
    ema.copy_to(named.values())
    network.eval()


@dataclass(frozen=True)
class _Batch:
    inputs: Tensor
    times: Tensor
    noise: Tensor
    text: Tensor


def _batch(
    network: DenoisingUNet,
    latents: Latents,
    training: Training,
    step: int,
    text: Tensor,
    accelerator: Accelerator,
) -> _Batch:
    """The batch of one process at a step: random numbers are generated for all processes, and each takes its share."""
    draw = np.random.default_rng((training.seed, 1, step))
    numbers = torch.Generator().manual_seed(int(draw.integers(2**63)))
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    rows = rows_at(step, training.batch, len(latents), training.seed)
    size = network.size
    noise = torch.randn(len(rows), size.latents, size.side, size.side, generator=numbers)[share]
    times = torch.randint(0, train_steps(), (len(rows),), generator=numbers)[share]
    images = latents.images(rows[share]).to(accelerator.device)
    clean = latents.encode(images)
    noise, times = noise.to(clean.device), times.to(clean.device)
    inputs = add_noise(clean, noise, times)
    if network.conv_in.in_channels == size.inpainting:
        first = int(draw.integers(2**40))
        masks = draw_masks(
            range(first, first + len(rows)), size.side, seed=training.seed, kind=training.masks
        )
        masks = masks[share].to(clean.device)
        inputs = torch.cat([inputs, masks, masked_latents(latents, images, masks)], 1)
    return _Batch(inputs, times, noise, text.to(clean.device).expand(len(clean), -1, -1))


def _descend(model: Any, batch: _Batch, training: Training, accelerator: Accelerator) -> float:
    """Compute the clipped gradients of a batch; returns the loss."""
    total, count = 0.0, len(batch.inputs)
    length = -(-count // training.parts)
    for start in range(0, count, length):
        part = slice(start, start + length)
        with accelerator.autocast():
            found = model(batch.inputs[part], batch.times[part], batch.text[part])
            loss = F.mse_loss(found.float(), batch.noise[part]) * (len(found) / count)
        accelerator.backward(loss)
        total += float(loss.detach())
    if accelerator.sync_gradients:
        accelerator.clip_grad_norm_(model.parameters(), training.clip)
    return total


_STATES = ("exp_avg", "exp_avg_sq", "step")


def _save(
    path: Path, about: dict[str, str], named: dict[str, Any], optimizer: Any, ema: EMAModel, done: int
) -> None:
    tensors: dict[str, Tensor] = {}
    for (key, parameter), averaged in zip(named.items(), ema.shadow_params, strict=True):
        tensors[f"weights.{key}"], tensors[f"ema.{key}"] = parameter.detach(), averaged
        for state in _STATES:
            tensors[f"{state}.{key}"] = optimizer.state[parameter][state]
    write_tensors(path, tensors, {**about, "steps": str(done)})


def _restore(path: Path, about: dict[str, str], named: dict[str, Any], optimizer: Any, ema: EMAModel) -> int:
    """Load a checkpoint, if there is one; returns the number of completed steps."""
    if not path.exists():
        return 0
    tensors, metadata = read_tensors(path, about)
    with torch.no_grad():
        for (key, parameter), averaged in zip(named.items(), ema.shadow_params, strict=True):
            parameter.copy_(tensors[f"weights.{key}"])
            averaged.copy_(tensors[f"ema.{key}"])
            optimizer.state[parameter] = {state: tensors[f"{state}.{key}"] for state in _STATES}
    ema.optimization_step = int(metadata["steps"])
    return ema.optimization_step
