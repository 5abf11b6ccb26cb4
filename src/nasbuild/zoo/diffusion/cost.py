"""What an architecture costs, counted without computing anything."""

from __future__ import annotations

from functools import lru_cache

import torch

from nasbuild.evaluate import count_call, count_parameters
from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import Plan
from nasbuild.zoo.diffusion.step import DenoisingStep


@lru_cache(maxsize=4096)
def costs(plan: Plan, size: Size) -> tuple[int, int]:
    """Multiply-accumulates and parameters of an inpainting network, as `count_costs` tells them.

    Multiply-accumulates are those of one step of denoising for one image. Runs on meta tensors: the full network takes
    no memory.
    """
    with torch.device("meta"):
        network = DenoisingStep(plan, size).eval()
        count = count_call(network, torch.empty(1, size.inpainting, size.side, size.side))
        params = count_parameters(network)
    assert params is not None
    assert not count.unknown
    return count.macs, params
