"""Masks, and latents of masked images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_opening

from nasbuild.errors import NasbuildError
from nasbuild.zoo.diffusion.latents import FoldedArrays, masked_latents
from nasbuild.zoo.diffusion.masks import draw_masks, enlarge


@pytest.mark.parametrize("kind", ["boxes", "strokes", "mixed"])
@pytest.mark.parametrize("side", [8, 16, 64])
def test_masks_cover_25_to_60_percent(kind, side):
    masks = draw_masks(range(60), side, seed=3, kind=kind)
    assert masks.shape == (60, 1, side, side)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    areas = masks.mean((1, 2, 3))
    assert float(areas.min()) >= 0.25
    assert float(areas.max()) <= 0.6
    assert float(areas.std()) > 0.03


def test_a_mask_depends_only_on_its_number_and_seed():
    masks = draw_masks(range(10), 16, seed=5)
    assert torch.equal(draw_masks([7, 2], 16, seed=5), masks[[7, 2]])
    assert not torch.equal(draw_masks([7, 2], 16, seed=6), masks[[7, 2]])
    assert len({m.numpy().tobytes() for m in masks}) == 10


def test_mixed_masks_alternate_boxes_and_strokes():
    masks = draw_masks(range(6), 16, seed=1)
    assert torch.equal(masks[::2], draw_masks([0, 2, 4], 16, seed=1, kind="boxes"))
    assert torch.equal(masks[1::2], draw_masks([1, 3, 5], 16, seed=1, kind="strokes"))


def test_boxes_are_thick_and_strokes_are_not():
    # An eighth of the side is the least thickness of a box, so nothing of a union of boxes is thinner.
    masks = {
        kind: draw_masks(range(20), 16, seed=0, kind=kind)[:, 0].numpy() > 0 for kind in ("boxes", "strokes")
    }
    opened = {kind: [binary_opening(m, np.ones((2, 2))) for m in found] for kind, found in masks.items()}
    assert np.array_equal(opened["boxes"], masks["boxes"])
    assert not np.array_equal(opened["strokes"], masks["strokes"])


def test_enlarged_masks_consist_of_blocks():
    masks = draw_masks(range(3), 8, seed=0)
    grown = enlarge(masks, 4)
    assert grown.shape == (3, 1, 32, 32)
    assert np.array_equal(grown.numpy(), np.kron(masks.numpy(), np.ones((1, 1, 4, 4), np.float32)))


def test_folding_pixels_is_lossless():
    pixels = np.random.default_rng(0).integers(256, size=(5, 12, 12), dtype=np.uint8)
    arrays = FoldedArrays(pixels, 16)
    images = arrays.images(np.array([4, 0]))
    assert images.shape == (2, 1, 16, 16)
    assert np.array_equal(((images[:, 0, 2:14, 2:14] + 1) * 127.5).round().numpy(), pixels[[4, 0]])
    outside = images.clone()
    outside[:, :, 2:14, 2:14] = -1
    assert (outside == -1).all()
    latents = arrays.encode(images)
    assert latents.shape == (2, 4, 8, 8)
    assert torch.equal(arrays.decode(latents), images)
    # A latent pixel holds a block of two by two.
    assert latents[1, :, 3, 5].tolist() == images[1, 0, 6:8, 10:12].flatten().tolist()
    with pytest.raises(NasbuildError, match="padded to 15"):
        FoldedArrays(pixels, 15)


def test_masked_latents_are_grey_under_the_mask_only():
    pixels = np.random.default_rng(0).integers(256, size=(4, 16, 16), dtype=np.uint8)
    arrays = FoldedArrays(pixels, 16)
    images = arrays.images(np.arange(4))
    masks = draw_masks(range(4), 8, seed=0)
    hidden = masked_latents(arrays, images, masks)
    assert torch.equal(hidden, arrays.encode(images) * (1 - masks))
