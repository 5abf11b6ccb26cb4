"""Costs of an architecture, counted without computing anything."""

from __future__ import annotations

from functools import lru_cache

import torch

from nasbuild.evaluate import count_macs, count_parameters
from nasbuild.zoo.diffusion.denoising_step import DenoisingStep
from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import Plan


@lru_cache(maxsize=4096)
def costs(plan: Plan, size: Size) -> tuple[int, int]:
    """Multiply-accumulates and parameters of an inpainting network, counted as by the evaluator ``costs``.

    Multiply-accumulates are those of one denoising step for one image. Runs on meta tensors, so the full network
    takes no memory.
    """
    with torch.device("meta"):
        network = DenoisingStep(plan, size).eval()
        count = count_macs(network, torch.empty(1, size.inpainting, size.side, size.side))
        params = count_parameters(network)
    assert params is not None
    assert not count.unknown
    return count.macs, params
