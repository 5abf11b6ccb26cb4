"""Supernets: shared weights for all networks of a family (Once-for-All, Cai et al., ICLR 2020)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbuild.zoo.ofa.depthwise import depthwise
from nasbuild.zoo.ofa.family import Family, Layers, StageShape, divisible
from nasbuild.zoo.ofa.static_network import Backbone, Network, Residual, SqueezeExcite, activation, pool


class ElasticConv(nn.Module):
    """A 1x1 convolution; narrower networks use its first channels."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width_out, 1, bias=False)

    def forward(self, x: Tensor, width: int) -> Tensor:
        return F.conv2d(x, self.conv.weight[:width, : x.shape[1]])


class ElasticNorm(nn.Module):
    """A batch norm; narrower networks use its first channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        bn, n = self.bn, x.shape[1]
        assert bn.running_mean is not None
        assert bn.running_var is not None
        running = bn.running_mean[:n], bn.running_var[:n]
        return F.batch_norm(x, *running, bn.weight[:n], bn.bias[:n], bn.training, bn.momentum or 0.0, bn.eps)


class ElasticDepthwise(nn.Module):
    """A depthwise convolution with a choice of kernel sizes.

    A smaller kernel is the centre of the next larger one, times a matrix that all channels share
    (Once-for-All, §3.3): ``7to5_matrix``, ``5to3_matrix``.
    """

    def __init__(self, width: int, kernels: tuple[int, ...], stride: int) -> None:
        super().__init__()
        self.kernels, self.stride = kernels, stride
        self.conv = nn.Conv2d(width, width, kernels[-1], stride, groups=width, bias=False)
        for smaller, larger in pairwise(kernels):
            self.register_parameter(f"{larger}to{smaller}_matrix", nn.Parameter(torch.eye(smaller**2)))

    def weight(self, width: int, kernel: int) -> Tensor:
        """The kernels of the first channels, (width, 1, kernel, kernel)."""
        weight = self.conv.weight[:width]
        for larger, smaller in pairwise(reversed(self.kernels)):
            if larger == kernel:
                break
            edge = (larger - smaller) // 2
            center = weight[:, :, edge : edge + smaller, edge : edge + smaller].flatten(1)
            transformed = F.linear(center, self.get_parameter(f"{larger}to{smaller}_matrix"))
            weight = transformed.view(width, 1, smaller, smaller)
        return weight

    def forward(self, x: Tensor, kernel: int) -> Tensor:
        return depthwise(x, self.weight(x.shape[1], kernel), self.stride)


class ElasticSqueezeExcite(SqueezeExcite):
    """Squeeze-and-excitation; narrower networks use its first channels."""

    def forward(self, x: Tensor) -> Tensor:
        width = x.shape[1]
        reduce, expand = self.fc.get_submodule("reduce"), self.fc.get_submodule("expand")
        assert isinstance(reduce, nn.Conv2d)
        assert isinstance(expand, nn.Conv2d)
        assert reduce.bias is not None
        assert expand.bias is not None
        middle = divisible(width // 4)
        y = F.relu(F.conv2d(pool(x), reduce.weight[:middle, :width], reduce.bias[:middle]))
        y = F.conv2d(y, expand.weight[:width, :middle], expand.bias[:width])
        return x * F.hardsigmoid(y)


class ElasticBottleneck(nn.Module):
    """An inverted bottleneck with a choice of expand ratios and kernel sizes."""

    def __init__(self, width_in: int, stride: int, family: Family, shape: StageShape) -> None:
        super().__init__()
        widest = divisible(round(width_in * family.expands[-1]))
        self.inverted_bottleneck = nn.ModuleDict(
            {"conv": ElasticConv(width_in, widest), "bn": ElasticNorm(widest)}
        )
        self.depth_conv = nn.ModuleDict(
            {"conv": ElasticDepthwise(widest, family.kernels, stride), "bn": ElasticNorm(widest)}
        )
        if shape.squeeze:
            self.depth_conv["se"] = ElasticSqueezeExcite(widest)
        self.point_linear = nn.ModuleDict(
            {"conv": ElasticConv(widest, shape.width), "bn": ElasticNorm(shape.width)}
        )
        self.act = activation(shape.activation)
        self.width = shape.width

    def forward(self, x: Tensor, expand: int, kernel: int) -> Tensor:
        widen, convolve, narrow = self.inverted_bottleneck, self.depth_conv, self.point_linear
        x = self.act(widen["bn"](widen["conv"](x, divisible(round(x.shape[1] * expand)))))
        x = self.act(convolve["bn"](convolve["conv"](x, kernel)))
        if "se" in convolve:
            x = convolve["se"](x)
        return narrow["bn"](narrow["conv"](x, self.width))


class Supernet(Backbone):
    """All networks of a family in one module, with the weight names of the published checkpoints.

    Examples
    --------
    >>> network = supernet.extract(layers)
    >>> x = torch.zeros(2, 1, 28, 28)
    >>> torch.allclose(network.eval()(x), supernet.eval()(x, layers), atol=1e-5)
    True
    """

    def __init__(self, family: Family) -> None:
        blocks, width = [], family.first
        for shape in family.stages:
            for position in range(shape.depth):
                stride = shape.stride if position == 0 else 1
                block = ElasticBottleneck(width, stride, family, shape)
                blocks.append(Residual(block, stride == 1 and width == shape.width))
                width = shape.width
        super().__init__(family, blocks)

    def forward(self, x: Tensor, layers: Layers) -> Tensor:
        """Map images (n, channels, height, width) to logits (n, classes) by the network of these layers.

        Examples
        --------
        >>> tuple(supernet(torch.zeros(2, 1, 28, 28), layers).shape)
        (2, 10)
        """
        x = self.begin(x)
        for index, layer in zip(
            self.indices(layers), (layer for module in layers for layer in module), strict=True
        ):
            x = self.blocks[index](x, *layer)
        return self.end(x)

    def indices(self, layers: Layers) -> list[int]:
        """Indices of the blocks that compute these layers: the first ones of every stage.

        Raises
        ------
        NasbuildError
            If the layers do not belong to the family.

        Examples
        --------
        >>> len(supernet.indices(layers)) == sum(len(stage) for stage in layers)
        True
        """
        self.family.check(layers)
        found, start = [], 1
        for shape, module in zip(self.family.stages, layers, strict=True):
            found += range(start, start + len(module))
            start += shape.depth
        return found

    @torch.no_grad()
    def extract(self, layers: Layers) -> Network:
        """The network of these layers as a separate module, with a copy of its weights.

        Examples
        --------
        >>> network = supernet.extract(layers)
        >>> sum(p.numel() for p in network.parameters()) < sum(p.numel() for p in supernet.parameters())
        True
        """
        indices = [0, *self.indices(layers)]
        network = Network(self.family, layers)
        shared = self.state_dict()
        weights = {}
        for key, value in network.state_dict().items():
            part, _, rest = key.partition(".")
            if part == "blocks":
                number, _, rest = rest.partition(".")
                index = indices[int(number)]
                source = f"blocks.{index}.{rest if index == 0 else _elastic(rest)}"
                if index and rest == "conv.depth_conv.conv.weight":
                    block = self.blocks[index].get_submodule("conv.depth_conv.conv")
                    assert isinstance(block, ElasticDepthwise)
                    weights[key] = block.weight(value.shape[0], value.shape[-1]).clone()
                    continue
            else:
                source = key
            # A narrower tensor is the beginning of the wider one.
            weights[key] = shared[source][tuple(slice(n) for n in value.shape)].clone()
        network.load_state_dict(weights)
        return network.train(self.training)


def _elastic(key: str) -> str:
    """The name in a supernet of a static block's weight: ``conv.point_linear.bn.weight``, ``...bn.bn.weight``."""
    *place, part, weight = key.split(".")
    return ".".join([*place, part, *([part] if part in ("conv", "bn") else []), weight])
