"""Panoptic networks: a once-for-all backbone with a head; of fixed layers, or with shared weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbuild.zoo.ofa.family import Family, Layers
from nasbuild.zoo.ofa.static_network import Network
from nasbuild.zoo.ofa.supernet import Supernet
from nasbuild.zoo.panoptic.backbone import Features, SharedFeatures, levels
from nasbuild.zoo.panoptic.head_kinds import HeadName, HeadSettings, head_kind
from nasbuild.zoo.panoptic.scene import Category

_MEAN, _DEVIATION = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)  # of ImageNet, as once-for-all networks expect


class _Standardised(nn.Module):
    """Shared by both kinds: takes bytes, standardises them, and pads to the coarsest stride."""

    mean: Tensor
    head_name: HeadName
    deviation: Tensor

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).view(shape), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(_DEVIATION).view(shape), persistent=False)

    def standardised(self, pictures: Tensor) -> Tensor:
        x = (pictures.float() - self.mean) / self.deviation
        height, width = x.shape[2:]
        right, bottom = -width % self.stride, -height % self.stride
        if right or bottom:
            x = F.pad(x, (0, right, 0, bottom))
        return x.contiguous(memory_format=torch.channels_last)


class PanopticNetwork(_Standardised):
    """A backbone of fixed layers with a head.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.panoptic import PanopticNetwork, build_network, scenes_family
    >>> network = build_network(scenes_family(), scenes_family().largest, categories)
    >>> tuple(network.forward(torch.zeros(1, 3, 96, 96, dtype=torch.uint8)).categories.shape)
    (1, 2, 24, 24)
    """

    def __init__(self, backbone: Features, head: nn.Module, head_name: HeadName = "centres") -> None:
        super().__init__(levels(backbone.family)[-1].stride)
        self.backbone, self.head, self.head_name = backbone, head, head_name

    def forward(self, pictures: Tensor) -> Any:
        """Map pictures, (n, 3, height, width) of 0 to 255, to the outputs of the head."""
        return self.head(self.backbone(self.standardised(pictures)))


class SharedPanoptic(_Standardised):
    """All networks of a supernet with one head; each step of a training trains some of them.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.panoptic import build_shared, scenes_family
    >>> shared, family = build_shared(scenes_family(), categories).eval(), scenes_family()
    >>> x = torch.zeros(1, 3, 96, 96, dtype=torch.uint8)
    >>> one = shared.extract(family.largest)
    >>> torch.allclose(one(x).categories, shared.forward(x, family.largest).categories, atol=1e-5)
    True
    """

    def __init__(self, backbone: SharedFeatures, head: nn.Module, head_name: HeadName = "centres") -> None:
        super().__init__(levels(backbone.family)[-1].stride)
        self.backbone, self.head, self.head_name = backbone, head, head_name

    def forward(self, pictures: Tensor, layers: Layers) -> Any:
        """Map pictures, (n, 3, height, width) of 0 to 255, to the outputs for the network of these layers."""
        return self.head(self.backbone(self.standardised(pictures), layers))

    def extract(self, layers: Layers) -> PanopticNetwork:
        """The network of these layers, with a copy of its weights and of the head's."""
        import copy

        backbone = self.backbone.extract(layers)
        return PanopticNetwork(backbone, copy.deepcopy(self.head), self.head_name).train(self.training)


def build_network(
    family: Family, layers: Layers, categories: Sequence[Category], head: HeadSettings | None = None
) -> PanopticNetwork:
    """A network with random weights.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import build_network, scenes_family
    >>> sum(p.numel() for p in build_network(scenes_family(), scenes_family().largest, categories).parameters())
    283725
    """
    head = head or HeadSettings()
    return PanopticNetwork(Features(Network(family, layers)), _head(family, categories, head), head.name)


def build_shared(
    family: Family, categories: Sequence[Category], head: HeadSettings | None = None
) -> SharedPanoptic:
    """A supernet and a head with random weights.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import build_shared, scenes_family
    >>> build_shared(scenes_family(), categories).head_name
    'centres'
    """
    head = head or HeadSettings()
    return SharedPanoptic(SharedFeatures(Supernet(family)), _head(family, categories, head), head.name)


def _head(family: Family, categories: Sequence[Category], head: HeadSettings) -> nn.Module:
    return head_kind(head.name).build([level.width for level in levels(family)], len(categories), head)
