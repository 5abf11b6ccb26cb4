"""The kinds of heads: how each is built, what it learns, and how its outputs become segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from nasbuild.zoo.panoptic.centre_training import centre_loss, centre_targets, stack_targets
from nasbuild.zoo.panoptic.grouping import group
from nasbuild.zoo.panoptic.head import CentreHead
from nasbuild.zoo.panoptic.scene import Category, Prediction, Scene

HeadName = Literal["centres", "maskformer"]


@dataclass(frozen=True)
class HeadSettings:
    """Shape of a head.

    Attributes
    ----------
    name
        ``centres``: Panoptic-DeepLab's two branches (Cheng et al., CVPR 2020) on a feature pyramid; ``maskformer``:
        MaskFormer's (Cheng et al., NeurIPS 2021), of transformers.
    width
        Channels; a multiple of 32 for ``maskformer``.
    queries, layers
        Of ``maskformer``: the maximum number of segments in a picture, and layers of its transformer decoder.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import HeadSettings
    >>> HeadSettings().name
    'centres'
    """

    name: HeadName = "centres"
    width: int = 32
    queries: int = 100
    layers: int = 6


@dataclass(frozen=True)
class HeadKind:
    """What a kind of head does.

    Attributes
    ----------
    build
        From channels of the features, number of categories and settings to a head.
    targets
        From a scene, category id -> (index, thing), and the deviation of centres' bells in pixels to its targets.
    stack
        From targets of several scenes to those of a batch, which have ``to(device)``.
    loss
        From outputs and targets of a batch to a number.
    segments
        From outputs, height and width of the pictures, and categories to segments.
    """

    build: Callable[[Sequence[int], int, HeadSettings], nn.Module]
    targets: Callable[[Scene, Mapping[int, tuple[int, bool]], float], Any]
    stack: Callable[[Sequence[Any]], Any]
    loss: Callable[[Any, Any], Tensor]
    segments: Callable[[Any, tuple[int, int], Sequence[Category]], list[Prediction]]


def head_kind(name: HeadName) -> HeadKind:
    """A kind by name; ``maskformer`` loads transformers."""
    if name == "centres":
        return HeadKind(
            lambda widths, categories, settings: CentreHead(widths, categories, settings.width),
            centre_targets,
            stack_targets,
            centre_loss,
            group,
        )
    from nasbuild.zoo.panoptic.mask_segments import mask_targets, segments_of_masks, stack_mask_targets
    from nasbuild.zoo.panoptic.maskformer import MaskFormerHead, mask_loss

    return HeadKind(
        lambda widths, categories, settings: MaskFormerHead(
            widths, categories, settings.width, queries=settings.queries, layers=settings.layers
        ),
        lambda scene, index_of, _sigma: mask_targets(scene, index_of),
        stack_mask_targets,
        mask_loss,
        segments_of_masks,
    )
