"""Depthwise convolution with a fast gradient on CPUs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def depthwise(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """Convolve each channel of ``x`` with its own kernel, padded so that stride 1 keeps the size.

    Parameters
    ----------
    x
        (n, channels, height, width)
    weight
        (channels, 1, kernel, kernel)

    Notes
    -----
    Equal to `torch.nn.functional.conv2d` with ``groups`` up to rounding. On a CPU the gradient for kernels of size 5
    or 7 takes up to sixty times as long as the convolution. If a kernel has at least as many weights as the image
    has pixels, the gradient is computed as a matrix product per channel instead.
    """
    if _quick(x, weight):
        return _Small.apply(x, weight, stride)  # pyright: ignore[reportReturnType]
    return _convolve(x, weight, stride)


def _quick(x: Tensor, weight: Tensor) -> bool:
    """Whether the matrix product is faster."""
    return x.device.type == "cpu" and weight[0].numel() >= max(25, x.shape[2] * x.shape[3])


def _convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=x.shape[1])


class _Small(torch.autograd.Function):
    """The convolution of small images."""

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
            # Gradient of each pair of input and output pixels; that of a weight is the sum over the pairs it connects.
            pairs = x.flatten(2).permute(1, 2, 0) @ gradient.flatten(2).transpose(0, 1)
            connections = _connections(x.shape[2], x.shape[3], weight.shape[-1], ctx.stride).to(x.dtype)
            to_weight = (pairs.flatten(1) @ connections).view_as(weight)
        return to_x, to_weight, None


@lru_cache(maxsize=64)
def _connections(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """Which weight connects which pixels, as 0 and 1, (input pixels x output pixels, weights).

    Computed by convolving images of a single pixel with kernels of a single weight.
    """
    pixels, weights = height * width, kernel * kernel
    images = torch.eye(pixels).view(pixels, 1, height, width)
    kernels = torch.eye(weights).view(weights, 1, kernel, kernel)
    found = F.conv2d(images, kernels, stride=stride, padding=kernel // 2)
    return found.flatten(2).transpose(1, 2).reshape(-1, weights)
