"""Between segments and the masks of MaskFormer: its targets, and the segments that it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasbuild.zoo.panoptic.head import STRIDE
from nasbuild.zoo.panoptic.maskformer import MaskOutputs, MaskTargets
from nasbuild.zoo.panoptic.scene import VOID, Category, Prediction, Scene, Segment


@dataclass(frozen=True)
class Masking:
    """Settings of the inference of MaskFormer (Cheng et al., NeurIPS 2021, §3.3).

    Attributes
    ----------
    sure
        Smallest probability of a query's category; less sure queries are left out.
    kept
        Smallest share of a mask that its query wins against the others; otherwise its pixels become void.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic.mask_segments import Masking
    >>> Masking().sure
    0.8
    """

    sure: float = 0.8
    kept: float = 0.8


def mask_targets(scene: Scene, index_of: Mapping[int, tuple[int, bool]]) -> tuple[Tensor, Tensor]:
    """Categories (segments,) and masks (segments, height, width) of a scene's segments without crowds.

    Parameters
    ----------
    index_of
        Category id -> its index, and whether it is one of things.
    """
    occurring = set(np.unique(scene.segments).tolist())
    found = [one for one in scene.described if one.id in occurring and not one.crowd]
    ids = np.array([one.id for one in found], np.int32)
    masks = scene.segments == ids[:, None, None]
    return torch.tensor([index_of[one.category][0] for one in found], dtype=torch.int64), torch.from_numpy(
        masks
    )


def stack_mask_targets(targets: Sequence[tuple[Tensor, Tensor]]) -> MaskTargets:
    """Targets of several scenes of one size."""
    return MaskTargets(tuple(one for one, _ in targets), tuple(one for _, one in targets))


@torch.inference_mode()
def segments_of_masks(
    outputs: MaskOutputs,
    size: tuple[int, int],
    categories: Sequence[Category],
    settings: Masking | None = None,
) -> list[Prediction]:
    """Segments of n pictures, as `panoptic_quality` takes them.

    A pixel joins the query with the highest product of the category's and the mask's probability. Segments of one
    category of stuff are one.

    Parameters
    ----------
    size
        Height and width of the pictures in pixels.
    """
    settings = settings or Masking()
    probabilities = outputs.categories[-1].float().softmax(-1)
    return [
        _one(p, m, size, categories, settings)
        for p, m in zip(probabilities, outputs.masks[-1].float(), strict=True)
    ]


def _one(
    probabilities: Tensor,
    masks: Tensor,
    size: tuple[int, int],
    categories: Sequence[Category],
    settings: Masking,
) -> Prediction:
    best, category = probabilities.max(-1)
    queries = torch.nonzero((category < len(categories)) & (best >= settings.sure))[:, 0]
    ids, described = torch.full(size, VOID, dtype=torch.int32), list[Segment]()
    if len(queries):
        enlarged = F.interpolate(masks[queries][None], scale_factor=STRIDE, mode="bilinear")[0]
        inside = enlarged[:, : size[0], : size[1]].sigmoid()
        winner = (inside * best[queries, None, None]).argmax(0)
        of_stuff: dict[int, int] = {}
        for n, query in enumerate(queries.tolist()):
            mask, whole = winner == n, inside[n] >= 0.5
            won = mask & whole
            if not bool(won.any()) or int(mask.sum()) < settings.kept * int(whole.sum()):
                continue
            found = categories[int(category[query])]
            number = of_stuff.get(found.id, len(described) + 1)
            if number > len(described):
                described.append(Segment(number, found.id))
            if not found.thing:
                of_stuff[found.id] = number
            ids[won.cpu()] = number
    return Prediction(np.ascontiguousarray(ids.numpy()), tuple(described))
