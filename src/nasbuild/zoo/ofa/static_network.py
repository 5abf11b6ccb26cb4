"""Networks of a family with fixed layers: ordinary modules with the weight names of published sub-networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nasbuild.zoo.ofa.family import Activation, Family, Layers, StageShape, divisible

_SQUEEZE = 4  # factor by which a squeeze reduces the channels


def activation(name: Activation) -> nn.Module:
    """The module of an activation."""
    return {"relu": nn.ReLU, "relu6": nn.ReLU6, "h_swish": nn.Hardswish}[name]()


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, activation: ``conv``, ``bn``, ``act``."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        norm: bool = True,
        act: Activation | None = None,
        squeeze: bool = False,
    ) -> None:
        groups = width_in if depthwise else 1
        parts: list[tuple[str, nn.Module]] = [
            ("conv", nn.Conv2d(width_in, width_out, kernel, stride, kernel // 2, groups=groups, bias=False))
        ]
        if norm:
            parts.append(("bn", nn.BatchNorm2d(width_out)))
        if act:
            parts.append(("act", activation(act)))
        if squeeze:
            parts.append(("se", SqueezeExcite(width_out)))
        super().__init__(OrderedDict(parts))


class SqueezeExcite(nn.Module):
    """Weights channels by their means over the image (Hu et al., CVPR 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        middle = divisible(width // _SQUEEZE)
        parts = [
            ("reduce", nn.Conv2d(width, middle, 1)),
            ("relu", nn.ReLU()),
            ("expand", nn.Conv2d(middle, width, 1)),
            ("h_sigmoid", nn.Hardsigmoid()),
        ]
        self.fc = nn.Sequential(OrderedDict(parts))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(pool(x))


class InvertedBottleneck(nn.Module):
    """Expansion, depthwise convolution, projection (MobileNetV2); no expansion at ratio 1."""

    def __init__(self, width_in: int, stride: int, expand: int, kernel: int, shape: StageShape) -> None:
        super().__init__()
        middle = divisible(round(width_in * expand)) if expand > 1 else width_in
        self.inverted_bottleneck = ConvNorm(width_in, middle, act=shape.activation) if expand > 1 else None
        self.depth_conv = ConvNorm(
            middle, middle, kernel, stride, depthwise=True, act=shape.activation, squeeze=shape.squeeze
        )
        self.point_linear = ConvNorm(middle, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        if self.inverted_bottleneck is not None:
            x = self.inverted_bottleneck(x)
        return self.point_linear(self.depth_conv(x))


class Residual(nn.Module):
    """A block with a shortcut, if input and output have the same shape."""

    def __init__(self, conv: nn.Module, shortcut: bool) -> None:
        super().__init__()
        self.conv = conv
        self.shortcut = shortcut

    def forward(self, x: Tensor, *chosen: int) -> Tensor:
        y = self.conv(x, *chosen)
        return x + y if self.shortcut else y


class Backbone(nn.Module):
    """Shared by networks and supernets of a family: stem, first block and head around ``blocks``."""

    def __init__(self, family: Family, blocks: Sequence[Residual]) -> None:
        super().__init__()
        self.family = family
        self.first_conv = ConvNorm(family.inputs, family.stem, 3, family.stem_stride, act=family.activation)
        fixed = StageShape(family.first, 1, family.first_activation, False, 1)
        first = Residual(InvertedBottleneck(family.stem, 1, 1, 3, fixed), family.first_shortcut)
        self.blocks = nn.ModuleList([first, *blocks])
        last = family.stages[-1].width
        if family.final is not None:
            self.final_expand_layer = ConvNorm(last, family.final, act=family.activation)
            self.feature_mix_layer = ConvNorm(family.final, family.mix, norm=False, act=family.activation)
        else:
            self.feature_mix_layer = ConvNorm(last, family.mix, act=family.activation)
        self.classifier = nn.Sequential(OrderedDict([("linear", nn.Linear(family.mix, family.classes))]))

    def begin(self, x: Tensor) -> Tensor:
        """Map images (n, channels, height, width) to the input of the first stage."""
        return self.blocks[0](self.first_conv(x))

    def end(self, x: Tensor) -> Tensor:
        """Map the output of the last stage to logits (n, classes)."""
        if self.family.final is not None:
            x = self.feature_mix_layer(pool(self.final_expand_layer(x)))
        else:
            x = pool(self.feature_mix_layer(x))
        return self.classifier(x.flatten(1))


class Network(Backbone):
    """A network with fixed layers.

    Raises
    ------
    NasbuildError
        If the layers do not belong to the family.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import Network
    >>> network = Network(family, layers)
    >>> tuple(network(torch.zeros(2, 1, 28, 28)).shape)
    (2, 10)
    """

    def __init__(self, family: Family, layers: Layers) -> None:
        family.check(layers)
        blocks, width = [], family.first
        for shape, module in zip(family.stages, layers, strict=True):
            for position, (expand, kernel) in enumerate(module):
                stride = shape.stride if position == 0 else 1
                block = InvertedBottleneck(width, stride, expand, kernel, shape)
                blocks.append(Residual(block, stride == 1 and width == shape.width))
                width = shape.width
        super().__init__(family, blocks)
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, channels, height, width) to logits (n, classes).

        Examples
        --------
        >>> from nasbuild.zoo.ofa import Network
        >>> tuple(Network(family, layers).forward(torch.zeros(2, 1, 28, 28)).shape)
        (2, 10)
        """
        x = self.begin(x)
        for block in self.blocks[1:]:
            x = block(x)
        return self.end(x)


def pool(x: Tensor) -> Tensor:
    """The mean over all pixels, as an image of one pixel."""
    return torch.mean(x, (2, 3), keepdim=True)
