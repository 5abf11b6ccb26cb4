"""Segments from what the head of centres predicts (Panoptic-DeepLab, Cheng et al., CVPR 2020, §3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasbuild.zoo.panoptic.head import STRIDE, UNIT, CentreOutputs
from nasbuild.zoo.panoptic.scene import VOID, Category, Prediction, Segment


@dataclass(frozen=True)
class Grouping:
    """Settings of the grouping of pixels into segments.

    Attributes
    ----------
    centre
        A centre is a local maximum of at least this height, 0 to 1.
    apart
        Side of the window in which a centre is the largest, in pixels of the outputs; odd.
    most
        Maximum number of things in a picture.
    sure
        Smallest mean probability of a segment's category; less sure segments become void.
    least_thing, least_stuff
        Smallest share of the picture that a thing, or a category of stuff, covers; smaller ones become void.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic.grouping import Grouping
    >>> Grouping().centre
    0.1
    """

    centre: float = 0.1
    apart: int = 5
    most: int = 100
    sure: float = 0.3
    least_thing: float = 0.0005
    least_stuff: float = 0.003


@torch.inference_mode()
def group(
    outputs: CentreOutputs,
    size: tuple[int, int],
    categories: Sequence[Category],
    settings: Grouping | None = None,
) -> list[Prediction]:
    """Segments of n pictures, as `panoptic_quality` takes them.

    A pixel of a thing joins the centre nearest to where its offset points. The category of a thing is the one of the
    highest summed probability among things. A segment that is too small or too unsure is void.

    Parameters
    ----------
    size
        Height and width of the pictures in pixels.
    """
    settings = settings or Grouping()
    probabilities = _enlarged(outputs.categories, size).softmax(1).cpu()
    offsets = _enlarged(outputs.offsets, size).cpu()
    heights = outputs.centres.float()
    largest = F.max_pool2d(heights, settings.apart, 1, settings.apart // 2)
    peaks = torch.where((heights == largest) & (heights >= settings.centre), heights, 0).cpu()[:, 0]
    is_thing = torch.tensor([one.thing for one in categories])
    return [
        _one(p, o, _centres(k, settings.most), categories, is_thing, settings)
        for p, o, k in zip(probabilities, offsets, peaks, strict=True)
    ]


def _enlarged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Outputs at the size of the pictures, without what they were padded with."""
    x = F.interpolate(x.float(), scale_factor=STRIDE, mode="bilinear", align_corners=False)
    return x[:, :, : size[0], : size[1]]


def _centres(peaks: Tensor, most: int) -> Tensor:
    """Rows and columns of the highest peaks in pixels of the picture, (things, 2)."""
    rows, columns = torch.nonzero(peaks, as_tuple=True)
    best = peaks[rows, columns].argsort(descending=True, stable=True)[:most]
    found = torch.stack([rows[best], columns[best]], 1).float()
    # Targets are those of the pixel in the middle.
    return (found + 0.5) * STRIDE


def _one(
    probabilities: Tensor,
    offsets: Tensor,
    centres: Tensor,
    categories: Sequence[Category],
    is_thing: Tensor,
    settings: Grouping,
) -> Prediction:
    height, width = probabilities.shape[1:]
    best = probabilities.argmax(0)
    ids, described = torch.full((height, width), VOID, dtype=torch.int32), list[Segment]()
    pixels = height * width

    def add(mask: Tensor, among: Tensor, least: float) -> None:
        """A segment of these pixels, if it is large and sure enough."""
        area = int(mask.sum())
        if area < max(1.0, least * pixels):
            return
        means = torch.where(among, probabilities[:, mask].mean(1), -1.0)
        category = int(means.argmax())
        if float(means[category]) < settings.sure:
            return
        one = Segment(len(described) + 1, categories[category].id)
        described.append(one)
        ids[mask] = one.id

    of_thing = is_thing[best]
    if len(centres) and bool(of_thing.any()):
        rows, columns = torch.nonzero(of_thing, as_tuple=True)
        aims = torch.stack([rows, columns], 1).float() + UNIT * offsets[:, rows, columns].T
        nearest = torch.cdist(aims, centres).argmin(1)
        owner = torch.full((height, width), -1)
        owner[rows, columns] = nearest
        for n in nearest.unique().tolist():
            add(owner == n, is_thing, settings.least_thing)
    for n in best.unique().tolist():
        if not is_thing[n]:
            only = torch.zeros_like(is_thing)
            only[n] = True
            add(best == n, only, settings.least_stuff)
    return Prediction(np.ascontiguousarray(ids.numpy()), tuple(described))
