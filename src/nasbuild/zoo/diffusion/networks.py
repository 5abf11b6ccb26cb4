"""Inpainting networks of sd-unet without weights, for what does not depend on them: costs and latency."""

from __future__ import annotations

from nasbuild.evaluate import Networks
from nasbuild.space import Space
from nasbuild.zoo.diffusion.size import size_of
from nasbuild.zoo.diffusion.space import plan_of, sd_v1_4
from nasbuild.zoo.diffusion.step import DenoisingStep


def full(space: Space) -> Networks:
    """Stable Diffusion's size; one step of denoising for one image."""
    return _networks(space, "full")


def mini(space: Space) -> Networks:
    """The same at a thirty-second of the channels."""
    return _networks(space, "mini")


def _networks(space: Space, name: str) -> Networks:
    size = size_of(name)
    plan_of(space, sd_v1_4())  # refuses another space at once

    def make(architecture):
        return DenoisingStep(plan_of(space, architecture), size)

    return Networks(make, (1, size.inpainting, size.side, size.side))
