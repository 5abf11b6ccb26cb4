"""Scenes resized, cropped, mirrored and padded, picture and segments together."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic import (
    Augmentation,
    Scene,
    Segment,
    areas,
    augment_scene,
    crop_scene,
    drop_slivers,
    mirror_scene,
    pad_scene,
    resize_scene,
)


def coded_scene(seed: int = 0, height: int = 20, width: int = 30) -> Scene:
    """Blocks whose colour is their id, so that picture and segments can be compared."""
    ids = np.random.default_rng(seed).integers(1, 40, (height // 5, width // 5)).repeat(5, 0).repeat(5, 1)
    ids = ids.astype(np.int32)
    image = np.stack([ids * 6, ids * 3, ids], 2).astype(np.uint8)
    return Scene(
        image, ids, tuple(Segment(one, 1 + one % 3, one % 5 == 0) for one in np.unique(ids).tolist())
    )


def is_consistent(scene: Scene, before: Scene) -> bool:
    known = {one.id: one for one in before.described}
    occurring = set(areas(scene.segments)) - {0}
    return {one.id for one in scene.described} == occurring and all(
        known[one.id] == one for one in scene.described
    )


@pytest.mark.parametrize("size", [7, 13, 20, 33, 47])
def test_ids_are_resized_like_pillows_nearest_pixels(size):
    scene = coded_scene(size)
    found = resize_scene(scene, size)
    height, width = found.segments.shape
    assert (height, width) == (size, int(size * 1.5 + 0.5))
    expected = Image.fromarray(scene.segments).resize((width, height), Image.Resampling.NEAREST)
    # Pillow rounds a centre that lies between two pixels in floats, either way.
    clear = np.ix_(
        (2 * np.arange(height) + 1) * 20 % (2 * height) > 0, (2 * np.arange(width) + 1) * 30 % (2 * width) > 0
    )
    assert (found.segments[clear] == np.asarray(expected)[clear]).all()
    assert found.segments[clear].size > 50
    known = Image.fromarray(scene.image).resize((width, height), Image.Resampling.BILINEAR)
    assert (found.image == np.asarray(known)).all()
    assert is_consistent(found, scene)


@pytest.mark.parametrize(
    ("size", "short", "longest", "expected"),
    [
        ((480, 640), 800, 1333, (800, 1067)),  # as torchvision's and Detectron2's
        ((480, 1000), 800, 1333, (640, 1333)),
        ((640, 480), 800, 1333, (1067, 800)),
        ((100, 1), 1, 10, (10, 1)),
    ],
)
def test_the_longer_side_is_limited(size, short, longest, expected):
    scene = Scene(np.zeros((*size, 3), np.uint8), np.ones(size, np.int32), (Segment(1, 1),))
    assert resize_scene(scene, short, longest).segments.shape == expected


def test_parts_mirrors_and_pads():
    scene = coded_scene()
    part = crop_scene(scene, 3, 4, 6, 7)
    assert (part.segments == scene.segments[3:9, 4:11]).all()
    assert (part.image == scene.image[3:9, 4:11]).all()
    assert is_consistent(part, scene)
    assert len(part.described) < len(scene.described)
    mirrored = mirror_scene(scene)
    assert all(mirrored.segments[i, j] == scene.segments[i, -1 - j] for i in range(20) for j in range(30))
    assert (mirrored.image[:, :, 2] == mirrored.segments).all()
    padded = pad_scene(part, 8, 9, colour=(1, 2, 3))
    assert (padded.segments[:6, :7] == part.segments).all()
    assert not padded.segments[6:].any()
    assert not padded.segments[:, 7:].any()
    assert (padded.image[7, 8] == (1, 2, 3)).all()
    assert padded.described == part.described


def test_slivers_become_void():
    scene = coded_scene(1)
    sizes = areas(scene.segments)
    found = drop_slivers(scene, 50)
    for one, size in sizes.items():
        inside = found.segments[scene.segments == one]
        assert (inside == (0 if size < 50 else one)).all()
    assert 0 < len(found.described) < len(scene.described)
    assert is_consistent(found, scene)
    assert (found.image == scene.image).all()


def test_augmented_scenes_keep_picture_and_segments_together():
    scene = coded_scene(2, 40, 40)
    settings = Augmentation(short_side=(80, 80), crop=(48, 96), least_area=16)
    seen = set[bytes]()
    for seed in range(40):
        found = augment_scene(scene, settings, np.random.default_rng(seed))
        again = augment_scene(scene, settings, np.random.default_rng(seed))
        assert (found.segments == again.segments).all()
        assert (found.image == again.image).all()
        assert found.segments.shape == (48, 96)
        assert is_consistent(found, scene)
        kept = found.segments > 0
        # Blocks of ten pixels are blurred by one pixel at each side; inside them the blue is the id.
        assert (found.image[:, :, 2] == found.segments)[kept].mean() > 0.5
        assert not kept[:, 80:].any()
        assert min(n for one, n in areas(found.segments).items() if one) >= 16
        seen.add(found.segments.tobytes())
    assert len(seen) > 30


def test_half_of_the_scenes_are_mirrored():
    scene, rng = coded_scene(3), np.random.default_rng(0)
    found = [augment_scene(scene, Augmentation(least_area=1), rng).segments for _ in range(400)]
    mirrored = sum((one == scene.segments[:, ::-1]).all() for one in found)
    assert sum((one == scene.segments).all() for one in found) == 400 - mirrored
    assert abs(mirrored - 200) < 4 * 10  # four deviations of a fair coin
    still = augment_scene(scene, Augmentation(mirror=False, least_area=1), rng)
    assert (still.segments == scene.segments).all()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: crop_scene(coded_scene(), 15, 0, 6, 5),
            "part of 6 x 5 pixels from row 15, column 0; allowed",
        ),
        (lambda: crop_scene(coded_scene(), 0, 0, 0, 5), "part of 0 x 5"),
        (lambda: pad_scene(coded_scene(), 19, 40), "crop it first"),
        (lambda: Augmentation(crop=(0, 5)), "below 1"),
        (lambda: Augmentation(short_side=(9, 5)), "the smallest first"),
    ],
)
def test_impossible_sizes_are_refused(act, message):
    with pytest.raises(NasbuildError, match=message):
        act()
