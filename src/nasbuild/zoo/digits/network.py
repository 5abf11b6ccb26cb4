"""The networks of the digits-macro space: small chains of inverted bottlenecks for 8x8 images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from nasbuild.zoo.digits.space import OPS, STRIDES, WIDTHS, check_arch


class ConvNorm(nn.Module):
    """A padded convolution without bias, batch norm, and ReLU if ``relu``."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.conv = nn.Conv2d(
            width_in, width_out, kernel, stride=stride, padding=pad, groups=groups, bias=False
        )
        # Trainings are short, so running statistics must forget the first steps faster than by default.
        self.norm = nn.BatchNorm2d(width_out, momentum=0.3)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map ``batch x width_in x h x w`` to ``batch x width_out x h/stride x w/stride``."""
        y = self.norm(self.conv(x))
        return y.relu_() if self.relu else y


class InvertedBottleneck(nn.Module):
    """Expand (1x1), depthwise (k x k), project (1x1), each with batch norm; MobileNetV2, figure 4d.

    With expansion 1 there is no first convolution. A residual is added if the shape is kept.

    Parameters
    ----------
    width_in, width_out
        Channels before and after.
    expand
        Channels inside, as a multiple of ``width_in``.
    kernel
        Odd kernel size of the depthwise convolution, in pixels.
    stride
        Stride of the depthwise convolution.
    """

    def __init__(self, width_in: int, width_out: int, *, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        inside = width_in * expand
        parts = [ConvNorm(width_in, inside, 1)] if expand > 1 else []
        parts.append(ConvNorm(inside, inside, kernel, stride=stride, groups=inside))
        parts.append(ConvNorm(inside, width_out, 1, relu=False))
        self.layers = nn.Sequential(*parts)
        self.residual = stride == 1 and width_in == width_out

    def parts(self) -> list[ConvNorm]:
        """The two or three convolutions in order."""
        return cast(list[ConvNorm], list(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``batch x width_in x h x w`` to ``batch x width_out x h/stride x w/stride``."""
        y = self.layers(x)
        return x + y if self.residual else y


class DigitsNetwork(nn.Module):
    """Stem (3x3 convolution), three stages, mean over pixels, linear head.

    Parameters
    ----------
    arch
        Stage -> names of the ops of its layers, e.g. ``[["mb_e1_k3"], ["mb_e3_k3"], ["mb_e6_k5"]]``.

    Raises
    ------
    NasbuildError
        If the architecture is not in the space.
    """

    def __init__(self, arch: Sequence[Sequence[str]]) -> None:
        super().__init__()
        check_arch(arch)
        width = WIDTHS[0]
        self.stem = ConvNorm(1, width, 3)
        stages = []
        for ops, width_out, stride in zip(arch, WIDTHS, STRIDES, strict=True):
            layers = []
            for position, op in enumerate(ops):
                # Only the first layer of a stage changes resolution and width.
                step = stride if position == 0 else 1
                layers.append(InvertedBottleneck(width, width_out, stride=step, **OPS[op]))
                width = width_out
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(width, 10)

    def blocks(self) -> list[InvertedBottleneck]:
        """The layers of all stages in order."""
        stages = cast(list[nn.Sequential], list(self.stages))
        return cast(list[InvertedBottleneck], [block for stage in stages for block in stage])

    def forward(self, x: Tensor) -> Tensor:
        """Map images, ``batch x 1 x 8 x 8``, to the logits of the ten digits, ``batch x 10``."""
        return self.head(self.stages(self.stem(x)).mean(dim=(2, 3)))


def build_network(arch: Sequence[Sequence[str]], *, seed: int = 0) -> DigitsNetwork:
    """Build the network of ``arch`` with the initial weights that it has after ``torch.manual_seed(seed)``.

    They are drawn by a separate generator, so that the global random state does not change, and another thread that
    draws at the same time changes nothing.

    Examples
    --------
    >>> from nasbuild.zoo.digits import build_network
    >>> import torch
    >>> network = build_network([["mb_e1_k3"], ["mb_e3_k3"], ["mb_e1_k3"]], seed=1)
    >>> tuple(network(torch.zeros(2, 1, 8, 8)).shape)
    (2, 10)
    """
    with torch.device("meta"):
        network = DigitsNetwork(arch)
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    # In the order of the constructors, which is the order of the modules.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
            if module.bias is not None:
                end = 1 / math.sqrt(module.weight[0].numel())
                nn.init.uniform_(module.bias, -end, end, generator=generator)
    return network
