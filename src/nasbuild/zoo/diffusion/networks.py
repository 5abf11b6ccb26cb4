"""Registered inpainting networks of sd-unet, with random weights: for costs and latency."""

from __future__ import annotations

from nasbuild.evaluate import Networks
from nasbuild.space import Space
from nasbuild.zoo.diffusion.denoising_step import DenoisingStep
from nasbuild.zoo.diffusion.size import size_of
from nasbuild.zoo.diffusion.space import plan_of, sd_v1_4


def full(space: Space) -> Networks:
    """One denoising step for one image, at Stable Diffusion's size."""
    return _networks(space, "full")


def mini(space: Space) -> Networks:
    """One denoising step for one image, with a thirty-second of the channels."""
    return _networks(space, "mini")


def _networks(space: Space, name: str) -> Networks:
    size = size_of(name)
    plan_of(space, sd_v1_4())  # raises at once if the space is another one

    def make(architecture):
        return DenoisingStep(plan_of(space, architecture), size)

    return Networks(make, (1, size.inpainting, size.side, size.side))
