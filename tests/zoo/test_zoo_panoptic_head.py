"""Targets of the head of centres against loops over pixels; perfect outputs give the truth back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nasbuild.zoo.panoptic import Category, Scene, Segment, panoptic_quality
from nasbuild.zoo.panoptic.centre_training import centre_loss, centre_targets, stack_targets
from nasbuild.zoo.panoptic.grouping import Grouping, group
from nasbuild.zoo.panoptic.head import CentreHead, CentreOutputs

CATEGORIES = (Category(4, "shirt", True), Category(9, "grass", False), Category(2, "bag", True))
INDEX_OF = {4: (0, True), 9: (1, False), 2: (2, True)}


def blocks(*, large_ids: bool = False, crowd: bool = True) -> Scene:
    """Two shirts that touch, a bag, a crowd of bags, if any, and void on grass, of 4 x 4 blocks."""
    small = np.full((8, 10), 1)
    small[0:3, 0:3], small[0:3, 3:6], small[5:7, 1:4], small[5:8, 6:10], small[0, 8:] = 2, 3, 4, 5, 0
    if not crowd:
        small[small == 5] = 1
    segments = small.repeat(4, 0).repeat(4, 1).astype(np.int32)
    described = [Segment(1, 9), Segment(2, 4), Segment(3, 4), Segment(4, 2), Segment(5, 2, crowd=True)]
    if large_ids:
        segments *= 3_000_000
        described = [Segment(3_000_000 * one.id, one.category, one.crowd) for one in described]
    return Scene(np.zeros((32, 40, 3), np.uint8), segments, tuple(described))


@pytest.mark.parametrize("large_ids", [False, True])
def test_targets_are_those_of_loops_over_pixels(large_ids):
    scene, sigma = blocks(large_ids=large_ids), 3.0
    found = centre_targets(scene, INDEX_OF, sigma)
    described = {one.id: one for one in scene.described}
    of_thing = {one.id for one in scene.described if INDEX_OF[one.category][1] and not one.crowd}
    center = {one: np.argwhere(scene.segments == one).mean(0) for one in of_thing}
    for row in range(32):
        for column in range(40):
            one = described.get(int(scene.segments[row, column]))
            expected = -1 if one is None else INDEX_OF[one.category][0]
            assert found.categories[row, column] == expected
    for row in range(8):
        for column in range(10):
            y, x = 4 * row + 2, 4 * column + 2
            number = int(scene.segments[y, x])
            bells = [np.exp(-((np.array([y, x]) - at) ** 2).sum() / (2 * sigma**2)) for at in center.values()]
            assert found.centres[0, row, column] == pytest.approx(max(bells), abs=1e-3)
            assert found.things[0, row, column] == (number in of_thing)
            assert found.known[0, row, column] == (number != 0 and not described[number].crowd)
            expected = (center[number] - [y, x]) / 16 if number in of_thing else [0, 0]
            np.testing.assert_allclose(found.offsets[:, row, column], expected, atol=1e-6)


def perfect(scene: Scene) -> CentreOutputs:
    targets = stack_targets([centre_targets(scene, INDEX_OF, 3.0)])
    best = targets.categories[:, 2::4, 2::4].clamp(min=0)
    logits = 20 * F.one_hot(best, 3).permute(0, 3, 1, 2).float()
    return CentreOutputs(logits, targets.centres, targets.offsets)


def test_perfect_outputs_give_the_scene_back():
    scene = blocks(crowd=False)
    (found,) = group(perfect(scene), (32, 40), CATEGORIES)
    quality = panoptic_quality([(found, scene)], CATEGORIES)
    assert quality.rq == 100
    assert quality.pq > 98
    assert [one.category for one in found.described].count(4) == 2
    # A picture whose sides are no multiples of 4 is a part of the padded one.
    (part,) = group(perfect(scene), (30, 37), CATEGORIES)
    assert part.segments.shape == (30, 37)
    assert (part.segments == found.segments[:30, :37]).mean() > 0.99


def test_what_is_unsure_or_small_is_void():
    outputs = perfect(blocks(crowd=False))
    unsure = CentreOutputs(outputs.categories * 0.01, outputs.centres, outputs.offsets)
    (found,) = group(unsure, (32, 40), CATEGORIES, Grouping(sure=0.5))
    assert not found.segments.any()
    assert found.described == ()
    (found,) = group(outputs, (32, 40), CATEGORIES, Grouping(least_thing=0.2, least_stuff=0.2))
    assert [one.category for one in found.described] == [9]
    nowhere = CentreOutputs(outputs.categories, outputs.centres * 0, outputs.offsets)
    (found,) = group(nowhere, (32, 40), CATEGORIES)
    assert [one.category for one in found.described] == [9]  # things without a centre


def test_loss_is_that_of_its_formula_and_vanishes_for_perfect_outputs():
    scene = blocks()
    targets = stack_targets([centre_targets(scene, INDEX_OF, 3.0)] * 2)
    assert float(centre_loss(perfect(scene), stack_targets([centre_targets(scene, INDEX_OF, 3.0)]))) < 0.2
    torch.manual_seed(0)
    x = [torch.randn(2, n, 8, 10) for n in (3, 1, 2)]
    outputs = CentreOutputs(x[0], x[1].sigmoid(), x[2])
    logits = F.interpolate(x[0], scale_factor=4, mode="bilinear").log_softmax(1).numpy()
    labels = targets.categories.numpy()
    entropies = [-logits[n, labels[n, i, j], i, j] for n, i, j in np.argwhere(labels >= 0)]
    squares = [
        float(outputs.centres[n, 0, i, j] - targets.centres[n, 0, i, j]) ** 2
        for n, _, i, j in np.argwhere(targets.known.numpy() > 0)
    ]
    pixels = [  # in pixels, both directions summed
        16 * float((x[2][n, :, i, j] - targets.offsets[n, :, i, j]).abs().sum())
        for n, _, i, j in np.argwhere(targets.things.numpy() > 0)
    ]
    expected = np.mean(entropies) + 200 * np.mean(squares) + 0.01 * np.mean(pixels)
    assert float(centre_loss(outputs, targets)) == pytest.approx(expected, rel=1e-4)


def test_head_has_the_size_of_the_finest_features():
    features = [torch.zeros(2, w, 16 // k, 24 // k) for w, k in ((8, 1), (16, 2), (24, 4))]
    found = CentreHead((8, 16, 24), categories=5, width=8)(features)
    shapes = [tuple(one.shape) for one in (found.categories, found.centres, found.offsets)]
    assert shapes == [(2, 5, 16, 24), (2, 1, 16, 24), (2, 2, 16, 24)]
    assert 0 < float(found.centres.detach().min()) <= float(found.centres.detach().max()) < 0.5
