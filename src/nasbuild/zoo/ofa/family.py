"""Shapes of once-for-all network families: everything around the layers that an architecture chooses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

from nasbuild.errors import NasbuildError
from nasbuild.space import Architecture, Space

Activation = Literal["relu", "relu6", "h_swish"]
Layers = tuple[tuple[tuple[int, int], ...], ...]
"""Stage -> layer -> (expand ratio, kernel size)."""

_DIVISOR = 8


@dataclass(frozen=True)
class StageShape:
    """Properties that all layers of a stage share.

    Attributes
    ----------
    width
        Output channels of every layer.
    stride
        Stride of the first layer; the others have 1.
    squeeze
        Whether its layers use squeeze-and-excitation (Hu et al., CVPR 2018).
    depth
        Layers in a supernet.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import StageShape
    >>> StageShape(width=16, stride=2, activation="relu", squeeze=False, depth=4).depth
    4
    """

    width: int
    stride: int
    activation: Activation
    squeeze: bool
    depth: int


@dataclass(frozen=True)
class Family:
    """A once-for-all network without its choices.

    Attributes
    ----------
    inputs, classes
        Channels of an image, and number of classes.
    stem, first
        Channels of the first convolution (3x3, ``stem_stride``) and of the fixed block after it.
    first_shortcut
        Whether the fixed block has a shortcut.
    activation
        Of the stem and the head; ``first_activation`` is that of the fixed block.
    final
        Channels of the 1x1 convolution before pooling in MobileNetV3, which mixes features after
        it; None in ProxylessNAS, which mixes them before.
    mix
        Input channels of the classifier.
    kernels, expands
        Choices of a layer, in ascending order.

    Examples
    --------
    >>> family.name, family.kernels, family.expands, [stage.width for stage in family.stages]
    ('fashion-ofa', (3, 5, 7), (3, 4, 6), [8, 16, 24, 32, 40])
    """

    name: str
    inputs: int
    classes: int
    stem: int
    stem_stride: int
    first: int
    first_activation: Activation
    first_shortcut: bool
    activation: Activation
    stages: tuple[StageShape, ...]
    final: int | None
    mix: int
    kernels: tuple[int, ...] = (3, 5, 7)
    expands: tuple[int, ...] = (3, 4, 6)

    @property
    def largest(self) -> Layers:
        """The layers of the largest network."""
        return tuple(((self.expands[-1], self.kernels[-1]),) * stage.depth for stage in self.stages)

    def check(self, layers: Layers) -> None:
        """Check that the layers belong to the family.

        Raises
        ------
        NasbuildError
            If they don't; names the first wrong stage.

        Examples
        --------
        >>> family.check(family.largest)
        >>> family.check(family.largest[:-1])
        Traceback (most recent call last):
            ...
        nasbuild.errors.NasbuildError: fashion-ofa: has 4 stages; allowed: 5
        """
        if len(layers) != len(self.stages):
            raise NasbuildError(f"has {len(layers)} stages", where=self.name, allowed=str(len(self.stages)))
        for u, (stage, module) in enumerate(zip(self.stages, layers, strict=True)):
            where = f"{self.name}, stage {u + 1}"
            if not 1 <= len(module) <= stage.depth:
                raise NasbuildError(f"has {len(module)} layers", where=where, allowed=f"1 to {stage.depth}")
            for expand, kernel in module:
                if expand not in self.expands or kernel not in self.kernels:
                    raise NasbuildError(
                        f"has a layer of expand {expand} and kernel {kernel}",
                        where=where,
                        allowed=f"expand {self.expands}, kernel {self.kernels}",
                    )


def mobilenet_v3(width: float = 1.2, *, classes: int = 1000) -> Family:
    """MobileNetV3 of Once-for-All (``ofa_mbv3_d234_e346_k357``); published for widths 1.0 and 1.2.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import mobilenet_v3
    >>> mobilenet_v3(1.0).name, [stage.width for stage in mobilenet_v3(1.0).stages]
    ('ofa-mobilenet-v3, width 1', [24, 40, 80, 112, 160])
    """
    stem, first, *widths = (divisible(w * width) for w in (16, 16, 24, 40, 80, 112, 160))
    return Family(
        name=f"ofa-mobilenet-v3, width {width:g}",
        inputs=3,
        classes=classes,
        stem=stem,
        stem_stride=2,
        first=first,
        first_activation="relu",
        first_shortcut=stem == first,
        activation="h_swish",
        stages=_mobilenet_stages(widths, (2, 2, 2, 1, 2)),
        final=divisible(960 * width),
        mix=divisible(1280 * width),
    )


def proxylessnas(width: float = 1.3, *, classes: int = 1000) -> Family:
    """ProxylessNAS of Once-for-All (``ofa_proxyless_d234_e346_k357``); published for width 1.3.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import proxylessnas
    >>> proxylessnas().final, len(proxylessnas().stages)
    (None, 6)
    """
    stem, first, *widths = (divisible(w * width) for w in (32, 16, 24, 40, 80, 96, 192, 320))
    shapes = zip(widths, (2, 2, 2, 1, 2, 1), (4, 4, 4, 4, 4, 1), strict=True)
    return Family(
        name=f"ofa-proxylessnas, width {width:g}",
        inputs=3,
        classes=classes,
        stem=stem,
        stem_stride=2,
        first=first,
        first_activation="relu6",
        first_shortcut=False,
        activation="relu6",
        stages=tuple(StageShape(w, s, "relu6", False, d) for w, s, d in shapes),
        final=None,
        mix=divisible(1280 * width),
    )


def fashion(width: float = 0.25) -> Family:
    """MobileNetV3 for grey images of 28 x 28: a quarter of the width, with a final resolution of 4 x 4.

    Examples
    --------
    >>> fashion().classes, fashion().inputs
    (10, 1)
    """
    base = mobilenet_v3(width, classes=10)
    stages = zip(base.stages, (1, 2, 1, 2, 1), strict=True)
    return replace(
        base,
        name="fashion-ofa" if width == 0.25 else f"fashion-ofa, width {width:g}",
        inputs=1,
        stages=tuple(replace(stage, stride=stride) for stage, stride in stages),
    )


def _mobilenet_stages(widths: list[int], strides: tuple[int, ...]) -> tuple[StageShape, ...]:
    squeezes = (False, True, False, True, True)
    return tuple(
        StageShape(width, stride, "relu" if u < 2 else "h_swish", squeeze, 4)
        for u, (width, stride, squeeze) in enumerate(zip(widths, strides, squeezes, strict=True))
    )


def layers_of(space: Space, architecture: Architecture) -> Layers:
    """Expand ratio and kernel size of every layer.

    Raises
    ------
    NasbuildError
        If the layers of the space have features other than expand and kernel.

    Examples
    --------
    >>> [len(stage) for stage in layers_of(space, sample(space, 1, 0)[0])]
    [4, 4, 4, 4, 3]
    """
    found = []
    for stage, module in zip(space.stages, architecture, strict=True):
        names = [feature.name for feature in stage.features]
        if sorted(names) != ["expand", "kernel"]:
            raise NasbuildError(
                f"layers have {', '.join(names) or 'no features'}",
                where=f"space {space.name}, {stage.name}",
                allowed="expand, kernel",
            )
        e, k = names.index("expand"), names.index("kernel")
        found.append(tuple((int(cast(int, layer[e])), int(cast(int, layer[k]))) for layer in module))
    return tuple(found)


def divisible(value: float) -> int:
    """The nearest multiple of 8 that is at most 10 % below a number of channels (MobileNetV2)."""
    nearest = max(_DIVISOR, int(value + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return nearest + _DIVISOR if nearest < 0.9 * value else nearest
