"""A light panoptic head: categories of pixels, centres of things, and offsets to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4
"""Pixels of the picture per pixel of the outputs, in each direction."""
UNIT = 16
"""Pixels per unit of a predicted offset, so that networks predict numbers around 1."""


@dataclass(frozen=True)
class CentreOutputs:
    """What the head computes for n pictures, at a quarter of their height and width.

    Attributes
    ----------
    categories
        Logits, (n, categories, height / 4, width / 4).
    centres
        How near the centre of a thing is, 0 to 1 after training, (n, 1, height / 4, width / 4).
    offsets
        From a pixel to the centre of its thing, rows then columns, in `UNIT` pixels, (n, 2, height / 4, width / 4).
    """

    categories: Tensor
    centres: Tensor
    offsets: Tensor


class FeaturePyramid(nn.Module):
    """Adds coarse features to finer ones (Lin et al., CVPR 2017), down to the finest; one map of ``width`` channels.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.panoptic.head import FeaturePyramid
    >>> pyramid = FeaturePyramid((16, 24), width=8)
    >>> tuple(pyramid([torch.zeros(1, 16, 6, 6), torch.zeros(1, 24, 3, 3)]).shape)
    (1, 8, 6, 6)
    """

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(w, width, 1, bias=False) for w in widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in widths)
        self.smooth = nn.ModuleList(_separable(width, width) for _ in widths[:-1])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map features, the finest first, to one map at the finest stride."""
        y = None
        for index in reversed(range(len(features))):
            x = self.norms[index](self.lateral[index](features[index]))
            y = F.relu(x) if y is None else self.smooth[index](F.relu(x + _resized(y, x)))
        assert y is not None
        return y


class CentreHead(nn.Module):
    """Panoptic-DeepLab's two branches (Cheng et al., CVPR 2020) on a feature pyramid.

    Parameters
    ----------
    widths
        Channels of the features, the finest first.
    categories
        Number of categories.
    width
        Channels of the pyramid and the branches.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.panoptic.head import CentreHead
    >>> found = CentreHead((16, 24), categories=5)([torch.zeros(1, 16, 6, 6), torch.zeros(1, 24, 3, 3)])
    >>> tuple(found.categories.shape), tuple(found.offsets.shape)
    ((1, 5, 6, 6), (1, 2, 6, 6))
    """

    def __init__(self, widths: Sequence[int], categories: int, width: int = 32) -> None:
        super().__init__()
        self.pyramid = FeaturePyramid(widths, width)
        self.semantic = nn.Sequential(_separable(width, width), nn.Conv2d(width, categories, 1))
        self.things = _separable(width, width)
        self.centre = nn.Conv2d(width, 1, 1)
        self.offset = nn.Conv2d(width, 2, 1)
        # At first no pixel is a centre: most are none.
        nn.init.constant_(self.centre.bias, -3.0)  # pyright: ignore[reportArgumentType]

    def forward(self, features: Sequence[Tensor]) -> CentreOutputs:
        """Map the features of a backbone to categories, centres and offsets."""
        x = self.pyramid(features)
        things = self.things(x)
        return CentreOutputs(self.semantic(x), torch.sigmoid(self.centre(things)), self.offset(things))


def _separable(width_in: int, width_out: int) -> nn.Module:
    """A depthwise 5x5 and a 1x1 convolution, as in Panoptic-DeepLab."""
    return nn.Sequential(
        nn.Conv2d(width_in, width_in, 5, 1, 2, groups=width_in, bias=False),
        nn.BatchNorm2d(width_in),
        nn.ReLU(),
        nn.Conv2d(width_in, width_out, 1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
    )


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
