"""The denoising U-Net of an architecture, from diffusers' blocks and with SDv1.4's weight names."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import RESIDUALS, Plan, StagePlan

_EPS = 1e-5
_DOWN = 4  # stages before the middle one


class DenoisingUNet(nn.Module):
    """Predicts the noise in noisy latents.

    A residual layer that is off returns its input. On the way down the input is its skip connection, too. On the
    way up its skip connection is dropped. So the modules of all stages can be combined freely. With SDv1.4's own
    plan the network computes bitwise the same as diffusers' ``UNet2DConditionModel``.

    Parameters
    ----------
    plan
        What to build in each stage.
    size
        Widths and resolution.
    inputs
        Input channels: those of the latents, or `Size.inpainting`.
    """

    def __init__(self, plan: Plan, size: Size, inputs: int | None = None) -> None:
        super().__init__()
        self.plan, self.size = plan, size
        widths = [size.width(stage.width) for stage in plan]
        base = size.width(320)
        self.conv_in = nn.Conv2d(inputs or size.latents, widths[0], 3, padding=1)
        self.time_proj = Timesteps(base, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(base, size.time, act_fn="silu")
        self.down_blocks = nn.ModuleList(
            _Down(plan[u], widths[max(u - 1, 0)], widths[u], size, last=u == _DOWN - 1) for u in range(_DOWN)
        )
        self.mid_block = _Stage(plan[_DOWN], [widths[_DOWN]] * 2, widths[_DOWN], size)
        skips = skip_widths(plan, size)
        self.up_blocks = nn.ModuleList(
            _Up(plan[u], widths[u - 1], widths[u], skips[u - _DOWN - 1], size, last=u == len(plan) - 1)
            for u in range(_DOWN + 1, len(plan))
        )
        self.conv_norm_out = nn.GroupNorm(size.groups, widths[-1], eps=_EPS)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(widths[-1], size.latents, 3, padding=1)

    def forward(self, sample: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """Predict the noise of each latent image.

        Parameters
        ----------
        sample
            (n, inputs, side, side).
        timestep
            (n,) or a single one.
        text
            Conditioning, (n, tokens, width).
        """
        time = self.time_proj(timestep.expand(len(sample))).to(sample.dtype)
        time = self.time_embedding(time)
        x = self.conv_in(sample)
        skips = [x]
        for down in self.down_blocks:
            x = down(x, time, text, skips)
        x = self.mid_block(x, time, text)
        for up in self.up_blocks:
            x = up(x, time, text, skips)
        return self.conv_out(self.conv_act(self.conv_norm_out(x)))


def skip_widths(plan: Plan, size: Size) -> list[list[int]]:
    """Channels of the skip connection of each residual layer on the way up, including layers that are off."""
    remaining = [size.width(plan[0].width)]
    for u in range(_DOWN):
        remaining += [size.width(plan[u].width)] * (RESIDUALS[u] + (u < _DOWN - 1))
    return [[remaining.pop() for _ in range(n)] for n in RESIDUALS[_DOWN + 1 :]]


class _Stage(nn.Module):
    """Residual layers in a row, some followed by attention; ``inputs`` are their input channels."""

    def __init__(self, plan: StagePlan, inputs: list[int], width: int, size: Size) -> None:
        super().__init__()
        self.residuals = plan.residuals
        self.resnets = nn.ModuleList(_residual(inputs[i], width, size) for i in range(plan.residuals))
        # A dict, so that layers after one that is off keep their names.
        self.attentions = nn.ModuleDict({str(i): _attention(width, size) for i in plan.attended})

    def layer(self, i: int, x: Tensor, time: Tensor, text: Tensor) -> Tensor:
        x = self.resnets[i](x, time)
        if str(i) in self.attentions:
            x = self.attentions[str(i)](x, encoder_hidden_states=text, return_dict=False)[0]
        return x

    def forward(self, x: Tensor, time: Tensor, text: Tensor) -> Tensor:
        for i in range(self.residuals):
            x = self.layer(i, x, time, text)
        return x


class _Down(_Stage):
    def __init__(self, plan: StagePlan, before: int, width: int, size: Size, *, last: bool) -> None:
        super().__init__(plan, [before] + [width] * (plan.residuals - 1), width, size)
        self.downsamplers = nn.ModuleList(
            [] if last else [Downsample2D(width, use_conv=True, out_channels=width, padding=1, name="op")]
        )

    def forward(self, x: Tensor, time: Tensor, text: Tensor, skips: list[Tensor]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        for i in range(RESIDUALS[0]):
            if i < self.residuals:
                x = self.layer(i, x, time, text)
            skips.append(x)
        for sample in self.downsamplers:
            x = sample(x)
            skips.append(x)
        return x


class _Up(_Stage):
    def __init__(
        self, plan: StagePlan, before: int, width: int, skips: list[int], size: Size, *, last: bool
    ) -> None:
        inputs = [before + skips[0], *(width + skip for skip in skips[1:])]
        super().__init__(plan, inputs, width, size)
        self.upsamplers = nn.ModuleList(
            [] if last else [Upsample2D(width, use_conv=True, out_channels=width)]
        )

    def forward(self, x: Tensor, time: Tensor, text: Tensor, skips: list[Tensor]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        for i in range(RESIDUALS[-1]):
            skip = skips.pop()
            if i < self.residuals:
                x = self.layer(i, torch.cat([x, skip], 1), time, text)
        for sample in self.upsamplers:
            x = sample(x)
        return x


def _residual(before: int, width: int, size: Size) -> ResnetBlock2D:
    return ResnetBlock2D(
        in_channels=before, out_channels=width, temb_channels=size.time, eps=_EPS, groups=size.groups
    )


def _attention(width: int, size: Size) -> Any:
    return Transformer2DModel(
        size.heads,
        width // size.heads,
        in_channels=width,
        num_layers=1,
        cross_attention_dim=size.text,
        norm_num_groups=size.groups,
    )
