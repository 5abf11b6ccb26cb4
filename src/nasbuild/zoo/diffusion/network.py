"""The denoising U-Net of any architecture, of diffusers' blocks and with the names of SDv1.4's weights."""

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

    A residual layer that is off passes its input on. On the way down that is its skip as well; on the way up the skip
    that it would have taken is dropped. So the module of a stage fits with any of the others. The network of
    SDv1.4's own plan computes what diffusers' ``UNet2DConditionModel`` does, to the bit.

    Parameters
    ----------
    plan
        Of each stage.
    size
        How large.
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
        """Noise of each latent image.

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
    """Channels of the skip that each residual layer on the way up takes, the layers that are off included."""
    left = [size.width(plan[0].width)]
    for u in range(_DOWN):
        left += [size.width(plan[u].width)] * (RESIDUALS[u] + (u < _DOWN - 1))
    return [[left.pop() for _ in range(n)] for n in RESIDUALS[_DOWN + 1 :]]


class _Stage(nn.Module):
    """Residual layers in a row, some followed by attention; ``inputs`` are their input channels."""

    def __init__(self, plan: StagePlan, inputs: list[int], width: int, size: Size) -> None:
        super().__init__()
        self.residuals = plan.residuals
        self.resnets = nn.ModuleList(_residual(inputs[i], width, size) for i in range(plan.residuals))
        # A dict keeps the names of those after one that is off.
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
