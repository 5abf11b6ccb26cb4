"""Adds noise to latents, and paints the masked part of images by denoising."""

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
    """Settings of the sampling.

    Attributes
    ----------
    solver
        ``"ddim"`` (Song et al., 2021, deterministic) or ``"dpm"`` (DPM-Solver++ of second order, Lu et al., 2022).
    steps
        Denoising steps.
    batch
        Images painted together.
    """

    solver: Literal["ddim", "dpm"] = "ddim"
    steps: int = 50
    batch: int = 64


def train_steps() -> int:
    """Number of steps of the noise schedule, which is Stable Diffusion's."""
    return _SCHEDULE["num_train_timesteps"]


def add_noise(clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Latents (n, channels, side, side) with noise for the times (n,)."""
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
    """Paint latents where the mask is 1; where it is 0 the known latents are returned unchanged.

    After each step the known part is restored, with the amount of noise that remains at that step.

    Parameters
    ----------
    known, masked, noise
        Latents of the images and of the masked images, and the initial noise: (n, channels, side, side).
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
        remaining = scheduler.timesteps[i + 1 : i + 2]
        x = torch.where(masks > 0, x, add_noise(known, noise, remaining) if len(remaining) else known)
    return x


def _scheduler(sampling: Sampling) -> Any:
    if sampling.solver == "ddim":
        scheduler = _ddim_fresh()
    else:
        scheduler = DPMSolverMultistepScheduler(**_SCHEDULE, algorithm_type="dpmsolver++", solver_order=2)
    with warnings.catch_warnings():
        # A warning of diffusers and NumPy about arrays from tensors.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        scheduler.set_timesteps(sampling.steps)
    return scheduler


def _ddim_fresh() -> DDIMScheduler:
    return DDIMScheduler(**_SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)


@cache
def _ddim() -> DDIMScheduler:
    return _ddim_fresh()
