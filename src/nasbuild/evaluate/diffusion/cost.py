"""What an architecture costs, counted without computing anything."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nasbuild.evaluate.diffusion.network import DenoisingUNet
from nasbuild.evaluate.diffusion.size import Size
from nasbuild.evaluate.diffusion.space import Plan


@lru_cache(maxsize=4096)
def costs(plan: Plan, size: Size) -> tuple[int, int]:
    """Multiply-accumulates and parameters of an inpainting network.

    Multiply-accumulates are those of one step of denoising for one image: half of what `torch.utils.flop_counter`
    counts, so convolutions, linear layers and attention, without norms and activations. Runs on meta tensors: the
    full network takes no memory.
    """
    with torch.device("meta"):
        network = DenoisingUNet(plan, size, size.inpainting).eval()
        x = torch.empty(1, size.inpainting, size.side, size.side)
        text, time = torch.empty(1, size.tokens, size.text), torch.empty(1)
        # The counter sees no products inside a fused attention on meta tensors; the plain one is made of them.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            network(x, time, text)
    return counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())
