"""What the head of centres learns: categories of pixels, centres of things and offsets to them, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasbuild.zoo.panoptic.head import STRIDE, UNIT, CentreOutputs
from nasbuild.zoo.panoptic.scene import VOID, Scene

IGNORED = -1
_WEIGHTS = {
    "centres": 200.0,
    "offsets": 0.16,
}  # of the losses, as in Panoptic-DeepLab: 0.01 for a pixel, in `UNIT`
_CUT = 4  # deviations of a centre's bell after which it counts as zero


@dataclass(frozen=True)
class CentreTargets:
    """Targets of one scene, or of n scenes with a first axis more.

    Attributes
    ----------
    categories
        Index of each pixel's category, int64 (height, width); -1 is void.
    centres
        Bells of height 1 around the centres of things, (1, height / 4, width / 4).
    offsets
        From a pixel to the centre of its thing, in `UNIT` pixels, (2, height / 4, width / 4).
    things
        1 for the pixels of things that are told apart, (1, height / 4, width / 4).
    known
        0 where a centre may be or not: in void and crowds, (1, height / 4, width / 4).
    """

    categories: Tensor
    centres: Tensor
    offsets: Tensor
    things: Tensor
    known: Tensor

    def to(self, device: torch.device) -> CentreTargets:
        """The targets on a device."""
        return CentreTargets(*(getattr(self, one.name).to(device) for one in fields(self)))


def centre_targets(scene: Scene, index_of: Mapping[int, tuple[int, bool]], sigma: float) -> CentreTargets:
    """The targets of a scene whose sides are multiples of 4.

    The centre of a thing is the mean of its visible pixels. Targets at a quarter of the size are those of the pixel
    in the middle of each 4 x 4.

    Parameters
    ----------
    index_of
        Category id -> its index, and whether it is one of things.
    sigma
        Deviation of a centre's bell, in pixels.
    """
    ids = scene.segments
    table_size = int(ids.max()) + 1 if scene.described else 1
    if table_size > 1 << 16:  # COCO's ids have 24 bits
        values, flat = np.unique(ids, return_inverse=True)
        compact = flat.reshape(ids.shape)
        position = {int(value): n for n, value in enumerate(values)}
    else:
        compact, position = ids, {int(n): int(n) for n in range(table_size)}
    count = len(position)
    category = np.full(count, IGNORED, np.int64)
    thing, known = np.zeros(count, bool), np.zeros(count, bool)
    for one in scene.described:
        if one.id not in position:
            continue
        number, is_thing = index_of[one.category]
        n = position[one.id]
        category[n] = number
        thing[n], known[n] = is_thing and not one.crowd, not one.crowd
    if VOID in position:
        category[position[VOID]], thing[position[VOID]], known[position[VOID]] = IGNORED, False, False
    height, width = ids.shape
    areas = np.maximum(np.bincount(compact.ravel(), minlength=count), 1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rows = np.bincount(compact.ravel(), y.ravel(), count) / areas
    columns = np.bincount(compact.ravel(), x.ravel(), count) / areas
    middle = slice(STRIDE // 2, None, STRIDE)
    small, at_y, at_x = compact[middle, middle], y[middle, middle], x[middle, middle]
    offsets = np.stack([rows[small] - at_y, columns[small] - at_x]).astype(np.float32) / UNIT
    things = thing[small]
    centres = np.zeros(small.shape, np.float32)
    for n in np.flatnonzero(thing & (np.bincount(compact.ravel(), minlength=count) > 0)):
        bell = _bell(at_y[:, 0], rows[n], sigma)[:, None] * _bell(at_x[0], columns[n], sigma)
        np.maximum(centres, bell, out=centres)
    return CentreTargets(
        torch.from_numpy(category[compact]),
        torch.from_numpy(centres)[None],
        torch.from_numpy(offsets * things),
        torch.from_numpy(things.astype(np.float32))[None],
        torch.from_numpy(known[small].astype(np.float32))[None],
    )


def stack_targets(targets: Sequence[CentreTargets]) -> CentreTargets:
    """Targets of several scenes of one size, with a first axis more."""
    return CentreTargets(
        *(torch.stack([getattr(one, part.name) for one in targets]) for part in fields(CentreTargets))
    )


def centre_loss(outputs: CentreOutputs, targets: CentreTargets) -> Tensor:
    """The loss of Panoptic-DeepLab (Cheng et al., CVPR 2020, §3.2), without its selection of hard pixels.

    Cross-entropy of the labelled pixels, plus 200 times the squared error of the centres where they are known, plus
    0.01 times the absolute error of the offsets in pixels, within things.
    """
    size = targets.categories.shape[-2:]
    logits = F.interpolate(outputs.categories.float(), size=size, mode="bilinear", align_corners=False)
    labelled = (targets.categories != IGNORED).sum().clamp(min=1)
    semantic = F.cross_entropy(logits, targets.categories, ignore_index=IGNORED, reduction="sum") / labelled
    squares = (outputs.centres.float() - targets.centres) ** 2 * targets.known
    distances = (outputs.offsets.float() - targets.offsets).abs() * targets.things
    return (
        semantic
        + _WEIGHTS["centres"] * squares.sum() / targets.known.sum().clamp(min=1)
        + _WEIGHTS["offsets"] * distances.sum() / targets.things.sum().clamp(min=1)
    )


def _bell(at: np.ndarray, center: float, sigma: float) -> np.ndarray:
    distance = np.abs(at - center)
    return np.where(distance > _CUT * sigma, 0, np.exp(-(distance**2) / (2 * sigma**2))).astype(np.float32)
