"""Scenes made of Fashion-MNIST: masks, places, slivers, textures, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic import FASHION_CATEGORIES, FashionScenes, Segment, areas, load_fashion_scenes
from nasbuild.zoo.panoptic.fashion_items import item_mask, paint, turned
from nasbuild.zoo.panoptic.fashion_scenes import _hide_slivers
from nasbuild.zoo.panoptic.textures import TEXTURES, regions


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Twenty bright rectangles of random sizes, two of each label."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((20, 28, 28), np.uint8)
    for one in pixels:
        height, width = rng.integers(10, 27, 2)
        one[14 - height // 2 : 14 + height // 2, 14 - width // 2 : 14 + width // 2] = rng.integers(100, 256)
    return pixels, np.arange(20) % 10


def test_scenes_depend_on_seed_split_and_index_only():
    scenes = FashionScenes(*pictures(), count=50, side=64)
    found = [scenes[n] for n in range(50)]
    assert len({one.image.tobytes() for one in found}) == 50
    again = FashionScenes(*pictures(), count=9, side=64)[3]
    assert (again.image == found[3].image).all()
    assert (again.segments == found[3].segments).all()
    assert again.described == found[3].described
    assert (scenes[-1].image == found[-1].image).all()
    for other in (FashionScenes(*pictures(), side=64, seed=1), FashionScenes(*pictures(), "test", side=64)):
        assert (other[3].image != found[3].image).mean() > 0.9
    with pytest.raises(IndexError):
        _ = scenes[50]
    assert len(list(scenes)) == 50


def test_every_segment_is_described_large_enough_and_of_its_kind():
    scenes = FashionScenes(*pictures(), count=100)
    counts = dict.fromkeys((one.id for one in FASHION_CATEGORIES), 0)
    things, void = list[int](), 0
    for scene in scenes:
        sizes = areas(scene.segments)
        void += sizes.pop(0, 0)
        assert set(sizes) == {one.id for one in scene.described}
        assert min(sizes.values()) >= 20
        stuff = [one.category for one in scene.described if one.category > 10]
        assert len(set(stuff)) == len(stuff)
        things.append(len(scene.described) - len(stuff))
        for one in scene.described:
            counts[one.category] += 1
    assert min(counts.values()) > 20
    assert min(things) >= 1
    assert 3 < np.mean(things) < 9
    assert void < 0.02 * 100 * 128**2


def test_splits_use_disjoint_pictures(fashion_folder):
    parts = [load_fashion_scenes(fashion_folder, split) for split in ("train", "validation", "test")]
    assert [len(one.labels) for one in parts] == [50, 10, 40]
    assert len({picture.tobytes() for one in parts for picture in one.pixels}) == 100
    with pytest.raises(NasbuildError, match="there is no split 'val'; allowed: train, validation, test"):
        load_fashion_scenes(fashion_folder, "val")  # pyright: ignore[reportArgumentType]


def test_masks_have_no_specks_and_holes_only_where_things_have():
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 4:24] = 200
    picture[6:8, 6:8] = 0  # a dark spot
    picture[12:20, 12:20] = 0  # an opening
    picture[0, 0:3] = 200  # a speck
    picture[26, 5:25] = 200  # a strap
    shirt, bag = item_mask(picture, 6), item_mask(picture, 8)
    assert shirt[4:24, 4:24].all()
    assert (bag[4:24, 4:24] == ~((picture[4:24, 4:24] == 0) & (np.indices((20, 20)).min(0) >= 8))).all()
    assert not shirt[0].any()
    assert shirt[26].sum() == 20
    assert not item_mask(np.zeros((28, 28), np.uint8), 0).any()


def test_pictures_are_turned_about_their_centre():
    picture = np.random.default_rng(0).integers(256, size=(28, 28), dtype=np.uint8)
    for angle, mirror, expected in (
        (0, False, picture),
        (0, True, picture[:, ::-1]),
        (np.pi / 2, False, np.rot90(picture, -1)),
        (-np.pi / 2, True, np.rot90(picture[:, ::-1])),
        (np.pi, True, picture[::-1]),
    ):
        found = turned(picture, 1, angle, mirror) * 255
        # A value is off by less than the rounding of the angle's cosine times 28 pixels times 255.
        assert np.abs(found - np.pad(expected, 1)).max() <= 1
    large = turned(np.full((28, 28), 255, np.uint8), 2.2, 0.3, mirror=False)
    assert large.sum() == pytest.approx((28 * 2.2) ** 2, rel=0.01)
    centre = [float((np.arange(len(large)) * large.sum(axis)).sum() / large.sum()) for axis in (0, 1)]
    assert centre == pytest.approx([(len(large) - 1) / 2] * 2, abs=0.05)


def test_an_item_is_painted_where_its_segment_is():
    """White items on black: a pixel is the segment's if it is covered by more than half."""
    cover = turned(np.full((28, 28), 255, np.uint8), 1.3, 0.4, mirror=False)
    whole = set[int]()
    for seed in range(50):
        rng = np.random.default_rng(seed)
        image, ids = np.zeros((48, 48, 3), np.float32), np.full((48, 48), 9, np.int32)
        whole.add(paint(image, ids, 4, np.ones_like(cover), cover, rng))
        assert ((ids == 4) == (image[:, :, 1] > image[:, :, 1].max() / 2)).all()
        assert set(np.unique(ids)) <= {4, 9}
    assert whole == {int((cover > 0.5).sum())}


def test_hardly_visible_segments_become_void():
    ids = np.repeat(np.arange(1, 5, dtype=np.int32), (19, 20, 30, 31))[None]
    described = [Segment(n, n) for n in range(1, 5)]
    kept = _hide_slivers(ids, described, {3: 201, 4: 201})
    # 19 pixels are too few; 30 of 201 are less than 15 %, 31 are more.
    assert [one.id for one in kept] == [2, 4]
    assert areas(ids) == {0: 49, 2: 20, 4: 31}


def test_textures_have_the_period_of_their_phase():
    along = np.broadcast_to(np.arange(64, dtype=np.float32)[None, :] * np.float32(2 * np.pi / 8), (64, 64))
    across = along.T
    # The strongest waves a side of 64 pixels, down and right: checks have two squares a period.
    for name, waves in (("stripes", {(0, 8)}), ("checks", {(4, 4)}), ("dots", {(0, 8), (8, 0)})):
        found = TEXTURES[name](np.random.default_rng(0), along, across)
        assert 0 <= found.min() < found.max() <= 1
        spectrum = np.abs(np.fft.fft2(found - found.mean()))[:33, :33]
        assert divmod(int(spectrum.argmax()), 33) in waves
    assert TEXTURES["plain"](np.random.default_rng(0), along, across).std() > 0.05


def test_regions_are_smooth():
    found = regions(np.random.default_rng(1), 128, 4)
    assert set(np.unique(found)) <= {0, 1, 2, 3}
    boundary = (found[1:] != found[:-1]).mean() + (found[:, 1:] != found[:, :-1]).mean()
    assert boundary < 0.12


def test_impossible_scenes_are_refused():
    pixels, labels = pictures()
    with pytest.raises(NasbuildError, match="20 pictures and 19 labels"):
        FashionScenes(pixels, labels[1:])
    with pytest.raises(NasbuildError, match="labels are 1 to 10; allowed: 0 to 9"):
        FashionScenes(pixels, labels + 1)
    with pytest.raises(NasbuildError, match=r"pictures are uint8 \(20, 28, 27\)"):
        FashionScenes(pixels[:, :, 1:], labels)
    with pytest.raises(NasbuildError, match="of side 48 or more"):
        FashionScenes(pixels, labels, side=40)
