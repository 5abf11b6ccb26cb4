"""MaskFormer's head: its loss against all matchings, its segments against transformers' own, targets against sets."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic import Category, Scene, Segment
from nasbuild.zoo.panoptic.mask_segments import mask_targets, segments_of_masks
from nasbuild.zoo.panoptic.maskformer import MaskFormerHead, MaskOutputs, MaskTargets, mask_loss

CATEGORIES = (Category(4, "shirt", True), Category(9, "grass", False), Category(2, "bag", True))


def focal(logits, truth):
    p = torch.where(truth, logits.sigmoid(), 1 - logits.sigmoid())
    return (torch.where(truth, 0.25, 0.75) * (1 - p) ** 2 * -p.log()).mean()


def dice(logits, truth):
    p = logits.sigmoid()
    return 1 - (2 * p[truth].sum() + 1) / (p.sum() + truth.sum() + 1)


def test_loss_is_that_of_the_best_of_all_matchings():
    torch.manual_seed(0)
    logits, masks = torch.randn(1, 1, 4, 4), torch.randn(1, 1, 4, 8, 8)  # 3 categories, 4 queries
    labels, truths = torch.tensor([2, 0]), torch.rand(2, 8, 8) > 0.6
    found = mask_loss(MaskOutputs(logits, masks), MaskTargets((labels,), (truths,)))
    probability, best = logits[0, 0].softmax(-1), None
    for chosen in permutations(range(4), 2):
        cost = sum(
            -probability[q, c] + 20 * focal(masks[0, 0, q], t) + dice(masks[0, 0, q], t)
            for q, c, t in zip(chosen, labels, truths, strict=True)
        )
        if best is None or cost < best[0]:
            best = cost, chosen
    wanted = torch.full((4,), 3)
    wanted[list(best[1])] = labels
    entropy = F.cross_entropy(logits[0, 0], wanted, torch.tensor([1, 1, 1, 0.1]))
    pairs = list(zip(best[1], truths, strict=True))
    parts = [sum(f(masks[0, 0, q], t) for q, t in pairs) / 2 for f in (focal, dice)]
    assert float(found) == pytest.approx(float(entropy + 20 * parts[0] + parts[1]), rel=1e-5)


def test_layers_add_up_and_scenes_without_segments_count():
    torch.manual_seed(0)
    outputs = MaskOutputs(torch.randn(2, 2, 4, 4), torch.randn(2, 2, 4, 8, 8, requires_grad=True))
    none = torch.zeros(0, dtype=torch.int64), torch.zeros(0, 8, 8, dtype=torch.bool)
    some = torch.tensor([1]), torch.rand(1, 8, 8) > 0.5
    targets = MaskTargets((some[0], none[0]), (some[1], none[1]))
    each = [
        mask_loss(MaskOutputs(outputs.categories[n : n + 1], outputs.masks[n : n + 1]), targets)
        for n in (0, 1)
    ]
    assert float(mask_loss(outputs, targets).detach()) == pytest.approx(float(sum(each).detach()), rel=1e-6)
    empty = mask_loss(outputs, MaskTargets((none[0],) * 2, (none[1],) * 2))
    entropies = [-one.log_softmax(-1)[..., 3].mean() for one in outputs.categories]
    assert float(empty.detach()) == pytest.approx(float(sum(entropies)), rel=1e-5)
    empty.backward()


@pytest.mark.parametrize("seed", range(5))
def test_segments_are_those_of_transformers(seed):
    from transformers.models.maskformer.image_processing_pil_maskformer import compute_segments

    torch.manual_seed(seed)
    logits = torch.randn(1, 1, 12, 4)
    masks = F.interpolate(8 * torch.randn(1, 12, 3, 3), size=(8, 10), mode="bilinear")[None]
    (found,) = segments_of_masks(MaskOutputs(logits, masks), (32, 40), CATEGORIES)
    label = logits[0, 0].argmax(-1)
    sure = logits + 100 * F.one_hot(label, 4)
    (found,) = segments_of_masks(MaskOutputs(sure, masks), (32, 40), CATEGORIES)
    # Scores of 1: transformers weighs masks with them before it compares them with 0.5; we do not.
    kept = label < 3
    inside = F.interpolate(masks[0], scale_factor=4, mode="bilinear")[0][kept].sigmoid()
    scores = torch.ones(int(kept.sum()))
    ids, described = compute_segments(inside.clone(), scores, label[kept], 0.5, 0.8, {1})
    # Pixels that a query wins with less than 0.5 are void here.
    expected = np.where(inside.max(0).values.numpy() >= 0.5, ids.numpy(), 0)
    assert (found.segments == expected).all()
    categories = {one["id"]: CATEGORIES[one["label_id"]].id for one in described}
    assert {one.id: one.category for one in found.described} == categories
    unsure = MaskOutputs(0 * logits, masks)
    assert not segments_of_masks(unsure, (32, 40), CATEGORIES)[0].described


def test_targets_are_the_segments_without_crowds():
    ids = np.array([[0, 5, 5, 9_000_000]] * 4, np.int32)
    scene = Scene(np.zeros((4, 4, 3), np.uint8), ids, (Segment(5, 2), Segment(9_000_000, 4, crowd=True)))
    labels, masks = mask_targets(scene, {4: (0, True), 9: (1, False), 2: (2, True)})
    assert labels.tolist() == [2]
    assert masks.tolist() == [[[False, True, True, False]] * 4]


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(NasbuildError, match=r"has 48 channels; allowed: multiples of 32"):
        MaskFormerHead((8, 16), 3, 48)
    with pytest.raises(NasbuildError, match=r"features of one stride; allowed: two strides or more"):
        MaskFormerHead((8,), 3, 32)


def test_head_takes_channels_last_features():
    head = MaskFormerHead((8, 16), 3, 32, queries=5, layers=2).to(memory_format=torch.channels_last)
    features = [
        torch.randn(2, w, n, n).contiguous(memory_format=torch.channels_last) for w, n in ((8, 8), (16, 4))
    ]
    found = head(features)
    assert found.categories.shape == (2, 2, 5, 4)
    assert found.masks.shape == (2, 2, 5, 8, 8)
