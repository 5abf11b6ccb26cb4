"""Noise onto latents, and images painted where a mask says so."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor

from nasbuild.zoo.diffusion.network import DenoisingUNet

_SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}


@dataclass(frozen=True)
class Sampling:
    """How images are painted.

    Attributes
    ----------
    solver
        ``"ddim"`` (Song et al., 2021, deterministic) or ``"dpm"`` (DPM-Solver++ of second order, Lu et al., 2022).
    steps
        Of denoising.
    batch
        Images at a time.
    """

    solver: Literal["ddim", "dpm"] = "ddim"
    steps: int = 50
    batch: int = 64


def train_steps() -> int:
    """Steps of the noise's schedule, which is Stable Diffusion's."""
    return _SCHEDULE["num_train_timesteps"]


def add_noise(clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Latents (n, channels, side, side) with the noise of times (n,)."""
    return _ddim().add_noise(clean, noise, times)  # pyright: ignore[reportArgumentType]


@torch.no_grad()
def inpaint(
    network: DenoisingUNet,
    known: Tensor,
    masked: Tensor,
    masks: Tensor,
    noise: Tensor,
    text: Tensor,
    sampling: Sampling,
) -> Tensor:
    """Latents painted where the mask is 1; where it is 0 they are the known ones, to the bit.

    After each step the known part, with as much of the same noise as is left, takes its place again.

    Parameters
    ----------
    known, masked, noise
        Latents of the images and of the masked images, and the noise to begin with: (n, channels, side, side).
    masks
        (n, 1, side, side).
    text
        Conditioning, (1, tokens, width).
    """
    scheduler = _scheduler(sampling)
    conditions = torch.cat([masks, masked], 1)
    text = text.expand(len(known), -1, -1)
    x = noise
    for i, time in enumerate(scheduler.timesteps):
        predicted = network(torch.cat([x, conditions], 1), time.to(x.device), text)
        x = scheduler.step(predicted, time, x, return_dict=False)[0]
        left = scheduler.timesteps[i + 1 : i + 2]
        x = torch.where(masks > 0, x, add_noise(known, noise, left) if len(left) else known)
    return x


def _scheduler(sampling: Sampling) -> Any:
    if sampling.solver == "ddim":
        scheduler = _ddim_fresh()
    else:
        scheduler = DPMSolverMultistepScheduler(**_SCHEDULE, algorithm_type="dpmsolver++", solver_order=2)
    with warnings.catch_warnings():
        # Of diffusers and NumPy: arrays from tensors.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        scheduler.set_timesteps(sampling.steps)
    return scheduler


def _ddim_fresh() -> DDIMScheduler:
    return DDIMScheduler(**_SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)


@cache
def _ddim() -> DDIMScheduler:
    return _ddim_fresh()
