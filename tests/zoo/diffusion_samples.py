"""Small U-Nets for the tests."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nasbuild.space import Architecture
from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.size import Size, size_of
from nasbuild.zoo.diffusion.space import STAGES, Plan, plan_of, sd_unet, sd_v1_4

TINY = size_of("tiny")
#: With groups and heads, so that mixing them up shows.
GROUPED = Size("grouped", 32, 2, 2, 6, 3, 8)
OWN = plan_of(sd_unet(), sd_v1_4())
#: As little as can be built, for what takes many steps.
SMALLEST = Architecture(
    tuple(min(s.modules or (), key=lambda m: (len(m), m[0][-1])) for s in sd_unet().stages)
)
SMALL = plan_of(sd_unet(), SMALLEST)


def random_unet(plan: Plan, size: Size, inputs: int | None = None, seed: int = 0) -> DenoisingUNet:
    """Random weights, also for norms and biases."""
    torch.manual_seed(seed)
    network = DenoisingUNet(plan, size, inputs)
    with torch.no_grad():
        for value in network.parameters():
            if value.ndim == 1:
                value.add_(torch.randn_like(value) * 0.3)
    return network.eval()


def inputs_of(size: Size, channels: int = 4, n: int = 3, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latents, times and conditioning."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, channels, size.side, size.side, generator=draw)
    return (
        x,
        torch.randint(0, 1000, (n,), generator=draw),
        torch.randn(n, size.tokens, size.text, generator=draw),
    )


def plans_at_width() -> list[tuple[str, Plan]]:
    """SDv1.4's plan with one stage replaced by each other module of the same width."""
    found = []
    own = sd_v1_4()
    for u, stage in enumerate(sd_unet().stages):
        for module in stage.modules or ():
            plan = plan_of(sd_unet(), own.replace(u, module))
            if plan[u].width == OWN[u].width and plan != OWN:
                found.append((f"{STAGES[u]} {plan[u].residuals}{plan[u].attended}", plan))
    return found


def neutralised(state: dict[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """Weights of SDv1.4's network in which the layers that a plan omits do nothing."""
    state = {key: value.clone() for key, value in state.items()}
    prefixes = [f"down_blocks.{u}" for u in range(4)] + ["mid_block"] + [f"up_blocks.{u}" for u in range(4)]
    for prefix, whole, part in zip(prefixes, OWN, plan, strict=True):
        for j in set(whole.attended) - set(part.attended):
            for name in ("weight", "bias"):
                state[f"{prefix}.attentions.{j}.proj_out.{name}"].zero_()
        for j in range(part.residuals, whole.residuals):
            for name in ("conv2.weight", "conv2.bias", "conv_shortcut.weight", "conv_shortcut.bias"):
                if (value := state.get(f"{prefix}.resnets.{j}.{name}")) is not None:
                    value.zero_()
                    if name == "conv_shortcut.weight":
                        # The skip is dropped, the rest passes.
                        value[:, : len(value), 0, 0] = torch.eye(len(value))
    return state


def narrow(plan: Plan) -> Plan:
    """The plan with three fifths of the channels everywhere."""
    return tuple(replace(stage, width=stage.width * 3 // 5) for stage in plan)
