"""A convolution of each channel alone whose training is quick on a processor too."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def depthwise(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """Convolve each channel of ``x`` with a kernel of its own, padded so that stride 1 keeps the picture's size.

    Parameters
    ----------
    x
        (n, channels, height, width)
    weight
        (channels, 1, kernel, kernel)

    Notes
    -----
    Equal to `torch.nn.functional.conv2d` with ``groups`` but for rounding. On a processor its gradient to kernels of 5
    or 7 takes up to sixty times as long as the convolution itself; where a kernel has at least as many weights as
    the picture has pixels, the gradient is here a matrix product for each channel instead.
    """
    if _quick(x, weight):
        return _Small.apply(x, weight, stride)  # pyright: ignore[reportReturnType]
    return _convolve(x, weight, stride)


def _quick(x: Tensor, weight: Tensor) -> bool:
    """Whether the matrix product takes less time."""
    return x.device.type == "cpu" and weight[0].numel() >= max(25, x.shape[2] * x.shape[3])


def _convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=x.shape[1])


class _Small(torch.autograd.Function):
    """The convolution of small pictures."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return _convolve(x, weight, stride)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] (the decorator hides the name of ctx)
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        (gradient,) = grads
        x, weight = ctx.saved_tensors
        to_x = to_weight = None
        if ctx.needs_input_grad[0]:
            around = [weight.shape[-1] // 2] * 2
            steps, groups = [ctx.stride] * 2, x.shape[1]
            to_x = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, steps, around, [1, 1], False, [0, 0], groups, [True, False, False]
            )[0]
        if ctx.needs_input_grad[1]:
            # How much each output pixel should move with each input pixel; a weight's gradient is the sum over the
            # pairs of pixels that it joins.
            pairs = x.flatten(2).permute(1, 2, 0) @ gradient.flatten(2).transpose(0, 1)
            joined = _joined(x.shape[2], x.shape[3], weight.shape[-1], ctx.stride).to(x.dtype)
            to_weight = (pairs.flatten(1) @ joined).view_as(weight)
        return to_x, to_weight, None


@lru_cache(maxsize=64)
def _joined(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """Which weight joins which pixels: ones and zeros, (input pixels x output pixels, weights).

    Found by convolving pictures of a single pixel with kernels of a single weight.
    """
    pixels, weights = height * width, kernel * kernel
    pictures = torch.eye(pixels).view(pixels, 1, height, width)
    kernels = torch.eye(weights).view(weights, 1, kernel, kernel)
    found = F.conv2d(pictures, kernels, stride=stride, padding=kernel // 2)
    return found.flatten(2).transpose(1, 2).reshape(-1, weights)
