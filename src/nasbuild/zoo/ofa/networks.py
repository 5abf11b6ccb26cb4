"""Registered networks of once-for-all spaces, with random weights: for costs and latency."""

from __future__ import annotations

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Networks
from nasbuild.space import Space, load_space
from nasbuild.zoo.ofa.family import Family, fashion, layers_of, mobilenet_v3, proxylessnas


def fashion_ofa(space: Space) -> Networks:
    """fashion-ofa; the input is one grey image of 28 x 28."""
    return _networks(space, "fashion-ofa", fashion(), 28)


def mobilenet_v3_narrow(space: Space) -> Networks:
    """MobileNetV3 of width 1.0, with one image of 224 x 224 as input."""
    return _networks(space, "ofa-mobilenet-v3", mobilenet_v3(1.0), 224)


def mobilenet_v3_wide(space: Space) -> Networks:
    """MobileNetV3 of width 1.2, with one image of 224 x 224 as input."""
    return _networks(space, "ofa-mobilenet-v3", mobilenet_v3(1.2), 224)


def proxylessnas_wide(space: Space) -> Networks:
    """ProxylessNAS of width 1.3, with one image of 224 x 224 as input."""
    return _networks(space, "ofa-proxylessnas", proxylessnas(1.3), 224)


def _networks(space: Space, name: str, family: Family, side: int) -> Networks:
    if len(space.stages) != len(load_space(name).stages):
        raise NasbuildError(
            f"networks of {name} do not belong to space {space.name!r}", todo=f"use --space {name}"
        )

    def make(architecture):
        from nasbuild.zoo.ofa.static_network import Network

        return Network(family, layers_of(space, architecture))

    return Networks(make, (1, family.inputs, side, side))
