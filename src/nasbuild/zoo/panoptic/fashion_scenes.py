"""Scenes made of Fashion-MNIST's pictures on textures: panoptic data that needs no download of gigabytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic.fashion_items import item_mask, paint, turned
from nasbuild.zoo.panoptic.scene import VOID, Category, Scene, Segment
from nasbuild.zoo.panoptic.textures import TEXTURES, enlarged, regions, texture

Split = Literal["train", "validation", "test"]

_ITEMS = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
FASHION_CATEGORIES = (
    *(Category(n, name, thing=True) for n, name in enumerate(_ITEMS, 1)),
    *(Category(n, name, thing=False) for n, name in enumerate(TEXTURES, len(_ITEMS) + 1)),
)
"""Ten categories of things, of which several look alike, and five of stuff."""

_LEAST_AREA, _LEAST_SHARE = 20, 0.15  # what is visible of a segment, else void


@dataclass(frozen=True)
class FashionScenes:
    """Scenes of Fashion-MNIST items that occlude each other, on textures; each is drawn when it is asked for.

    A scene has 2 to 4 textures with smooth boundaries and, per 128 x 128 pixels, 3 to 9 items. They are turned by up
    to 20°, mirrored, 0.8 to 2.2 times as large, in random colours, with shadows, uneven light and noise. Items may
    reach beyond the frame. A segment of which fewer than 20 pixels, or less than 15 % of an item, can be seen
    becomes void. The splits use disjoint pictures: the first five sixths of Fashion-MNIST's training pictures, the
    last sixth, and its test pictures. Another processor may round single pixels otherwise.

    Attributes
    ----------
    pixels, labels
        Grey pictures, uint8 (n, 28, 28), and their labels 0 to 9.
    split
        Changes the scenes, as does ``seed``.
    count
        Number of scenes.
    side
        Height and width of a scene in pixels, from 48.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import FashionScenes
    >>> pictures = np.full((20, 28, 28), 200, np.uint8)
    >>> scenes = FashionScenes(pictures, np.arange(20) % 10, count=3, side=96)
    >>> len(scenes), scenes[0].image.shape, len(scenes.categories)
    (3, (96, 96, 3), 15)
    """

    pixels: np.ndarray
    labels: np.ndarray
    split: Split = "train"
    count: int = 1000
    side: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.labels) or not len(self.pixels):
            raise NasbuildError(f"there are {len(self.pixels)} pictures and {len(self.labels)} labels")
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[1] != shape[2]:
            raise NasbuildError(
                f"pictures are {self.pixels.dtype} {shape}", allowed="uint8 (n, side, side), such as 28 x 28"
            )
        if self.labels.min() < 0 or self.labels.max() >= len(_ITEMS):
            raise NasbuildError(
                f"labels are {self.labels.min()} to {self.labels.max()}", allowed="0 to 9, as Fashion-MNIST's"
            )
        if self.side < 48 or self.count < 1:
            raise NasbuildError(
                f"{self.count} scenes of side {self.side}", allowed="1 scene or more, of side 48 or more"
            )

    @property
    def categories(self) -> tuple[Category, ...]:
        """`FASHION_CATEGORIES`."""
        return FASHION_CATEGORIES

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        if not -self.count <= index < self.count:
            raise IndexError(f"there are {self.count} scenes, and no scene {index}")
        number = ("train", "validation", "test").index(self.split)
        rng = np.random.default_rng((self.seed, number, index % self.count))
        side = self.side
        names = rng.choice(list(TEXTURES), size=rng.integers(2, 5), replace=False).tolist()
        ids = regions(rng, side, len(names)).astype(np.int32) + 1
        image = np.empty((side, side, 3), np.float32)
        for one, name in enumerate(names, 1):
            np.copyto(image, texture(rng, side, name), where=(ids == one)[:, :, None])
        described = [Segment(one, _id_of(name)) for one, name in enumerate(names, 1)]
        whole = dict[int, int]()
        area = (side / 128) ** 2
        for _ in range(max(2, round(rng.uniform(3, 9) * area))):
            row = int(rng.integers(len(self.labels)))
            one = len(described) + 1
            described.append(Segment(one, int(self.labels[row]) + 1))
            mask = item_mask(self.pixels[row], int(self.labels[row]))
            turn = rng.uniform(0.8, 2.2), np.deg2rad(rng.uniform(-20, 20)), rng.random() < 0.5
            grey, cover = turned(self.pixels[row], *turn), turned(mask * np.uint8(255), *turn)
            whole[one] = paint(image, ids, one, grey, cover, rng)
        _light(image, rng)
        kept = _hide_slivers(ids, described, whole)
        return Scene(np.clip(image, 0, 255).astype(np.uint8), ids, kept)


def load_fashion_scenes(
    folder: str | Path, split: Split = "train", count: int = 1000, *, side: int = 128, seed: int = 0
) -> FashionScenes:
    """Scenes of the Fashion-MNIST (Xiao et al., 2017) in a folder of its four ``.gz`` files.

    Raises
    ------
    NasbuildError
        If a file is missing or damaged, or there is no such split.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import load_fashion_scenes
    >>> load_fashion_scenes("nowhere")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere/train-images-idx3-ubyte.gz: no such file; install Fashion-MNIST there
    """
    from nasbuild.zoo.ofa.images import fashion_mnist

    train, test = fashion_mnist(folder)
    first = len(train.labels) * 5 // 6
    parts = {
        "train": (train.pixels[:first], train.labels[:first]),
        "validation": (train.pixels[first:], train.labels[first:]),
        "test": (test.pixels, test.labels),
    }
    if split not in parts:
        raise NasbuildError(f"there is no split {split!r}", allowed=list(parts))
    return FashionScenes(*parts[split], split, count, side, seed)


def _light(image: np.ndarray, rng: np.random.Generator) -> None:
    """Uneven light of a random colour, and noise of the sensor."""
    side = len(image)
    light = enlarged(rng.uniform(0.7, 1.2, (3, 3)).astype(np.float32), side)[:, :, None]
    image *= light * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    image += rng.standard_normal((side, side, 1), dtype=np.float32) * np.float32(rng.uniform(1, 8))


def _hide_slivers(
    ids: np.ndarray, described: Sequence[Segment], whole: dict[int, int]
) -> tuple[Segment, ...]:
    """Make void of what is hardly visible; the segments that stay."""
    visible = np.bincount(ids.ravel(), minlength=len(described) + 1)
    kept = tuple(
        one for one in described if visible[one.id] >= max(_LEAST_AREA, _LEAST_SHARE * whole.get(one.id, 0))
    )
    stays = np.zeros(len(described) + 1, bool)
    stays[[one.id for one in kept]] = True
    ids[~stays[ids]] = VOID
    return kept


def _id_of(name: str) -> int:
    return next(one.id for one in FASHION_CATEGORIES if one.name == name)
