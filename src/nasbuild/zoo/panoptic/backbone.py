"""Once-for-all networks without their classifier: features of pictures at strides 4 to 32."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa.family import Family, Layers, StageShape
from nasbuild.zoo.ofa.static_network import Backbone, Network
from nasbuild.zoo.ofa.supernet import Supernet

_FINEST = 4  # stride of the finest features


@dataclass(frozen=True)
class Level:
    """Features of one stride: the output of the last stage that has it.

    Attributes
    ----------
    stage
        Index of that stage, from 0.
    stride
        Pixels of the picture per pixel of the features, in each direction.
    width
        Channels.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Level
    >>> Level(stage=0, stride=4, width=16).stride
    4
    """

    stage: int
    stride: int
    width: int


def levels(family: Family) -> tuple[Level, ...]:
    """Levels of a family's features, from the finest, of stride 4 or more, to the coarsest.

    Raises
    ------
    NasbuildError
        If no stage has stride 4 or more.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import mobilenet_v3
    >>> from nasbuild.zoo.panoptic import levels
    >>> [(level.stage, level.stride, level.width) for level in levels(mobilenet_v3(1.0))]
    [(0, 4, 24), (1, 8, 40), (3, 16, 112), (4, 32, 160)]
    """
    found: dict[int, Level] = {}
    stride = family.stem_stride
    for index, shape in enumerate(family.stages):
        stride *= shape.stride
        if stride >= _FINEST:
            found[stride] = Level(index, stride, shape.width)
    if not found:
        raise NasbuildError(
            f"its stages end at stride {stride}",
            where=f"family {family.name}",
            allowed=f"a last stage of stride {_FINEST} or more",
        )
    return tuple(found.values())


def scenes_family() -> Family:
    """MobileNetV3 for pictures of 96 x 96: four stages at strides 4, 8, 16 and 32, of 1 to 3 layers.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import scenes_family
    >>> scenes_family().kernels, scenes_family().expands, [stage.width for stage in scenes_family().stages]
    ((3, 5), (2, 3, 4), [16, 24, 40, 64])
    """
    shapes = zip((16, 24, 40, 64), (False, True, False, True), strict=True)
    return Family(
        name="panoptic-scenes",
        inputs=3,
        classes=10,
        stem=16,
        stem_stride=2,
        first=16,
        first_activation="relu",
        first_shortcut=True,
        activation="h_swish",
        stages=tuple(
            StageShape(width, 2, "relu" if u < 2 else "h_swish", squeeze, 3)
            for u, (width, squeeze) in enumerate(shapes)
        ),
        final=None,
        mix=128,
        kernels=(3, 5),
        expands=(2, 3, 4),
    )


class Features(nn.Module):
    """The features of a network with fixed layers, without its classifier.

    Parameters
    ----------
    network
        Its parts are used, not copied.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.ofa import Network
    >>> from nasbuild.zoo.panoptic import Features, scenes_family
    >>> features = Features(Network(scenes_family(), scenes_family().largest))
    >>> [tuple(level.shape) for level in features.forward(torch.zeros(1, 3, 96, 96))]
    [(1, 16, 24, 24), (1, 24, 12, 12), (1, 40, 6, 6), (1, 64, 3, 3)]
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        _check_inputs(network)
        self.family, self.layers = network.family, network.layers
        self.first_conv, self.blocks = network.first_conv, network.blocks
        ends, last = [], 0
        for module in self.layers:
            last += len(module)
            ends.append(last)
        self._ends = tuple(ends[level.stage] for level in levels(self.family))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map pictures (n, 3, height, width) to features, one (n, width, height / stride, ...) per level."""
        x, found = self.first_conv(x), list[Tensor]()
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._ends:
                found.append(x)
        return found


class SharedFeatures(nn.Module):
    """The features of all networks of a supernet, without its classifier.

    Parameters
    ----------
    supernet
        Its parts are used, not copied.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.ofa import Supernet
    >>> from nasbuild.zoo.panoptic import SharedFeatures, scenes_family
    >>> shared, x = SharedFeatures(Supernet(scenes_family())).eval(), torch.zeros(1, 3, 96, 96)
    >>> layers = ((((2, 3),) * 2,) * 4)
    >>> pairs = zip(shared.forward(x, layers), shared.extract(layers).eval()(x), strict=True)
    >>> all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)
    True
    """

    def __init__(self, supernet: Supernet) -> None:
        super().__init__()
        _check_inputs(supernet)
        self.family = supernet.family
        # The classifier keeps its weights, so that a supernet's file fits, but learns nothing here.
        self.supernet = supernet.requires_grad_(True)
        for name, part in supernet.named_children():
            if name not in ("first_conv", "blocks"):
                part.requires_grad_(False)

    def forward(self, x: Tensor, layers: Layers) -> list[Tensor]:
        """Map pictures to the features of the network of these layers, as `Features` does."""
        x = self.supernet.begin(x)
        indices, found, position = self.supernet.indices(layers), list[Tensor](), 0
        ends = {level.stage for level in levels(self.family)}
        for u, module in enumerate(layers):
            for layer in module:
                x = self.supernet.blocks[indices[position]](x, *layer)
                position += 1
            if u in ends:
                found.append(x)
        return found

    def extract(self, layers: Layers) -> Features:
        """The features of one network, with a copy of its weights."""
        return Features(self.supernet.extract(layers))


def _check_inputs(backbone: Backbone) -> None:
    family = backbone.family
    if family.inputs != 3:
        raise NasbuildError(
            f"its pictures have {family.inputs} channels", where=f"family {family.name}", allowed="3"
        )
    if max(stage.stride for stage in family.stages) > 2:
        raise NasbuildError("a stage has a stride above 2", where=f"family {family.name}", allowed="1, 2")
