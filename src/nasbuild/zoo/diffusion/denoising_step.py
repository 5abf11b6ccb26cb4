"""A denoising step as a network with a single input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import Plan


class DenoisingStep(nn.Module):
    """An inpainting network with fixed time and text; maps (n, 2 latents + 1, side, side) to the noise.

    Time and text do not affect the cost of a step.
    """

    def __init__(self, plan: Plan, size: Size) -> None:
        super().__init__()
        self.network = DenoisingUNet(plan, size, size.inpainting)
        self.register_buffer("time", torch.full((1,), 500.0))
        self.register_buffer("text", torch.zeros(1, size.tokens, size.text))

    def forward(self, x: Tensor) -> Tensor:
        text = self.get_buffer("text").expand(len(x), -1, -1)
        return self.network(x, self.get_buffer("time").expand(len(x)), text)
