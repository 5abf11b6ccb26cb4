"""Small scenes, families and networks for the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasbuild.zoo.ofa import Family, StageShape
from nasbuild.zoo.panoptic import Category, Scene, Segment, scenes_family

CATEGORIES = (Category(7, "square", True), Category(3, "dark", False), Category(5, "bright", False))


def small_family() -> Family:
    """Two stages at strides 4 and 8."""
    return replace(
        scenes_family(),
        name="small",
        stem=8,
        first=8,
        mix=8,
        stages=(StageShape(8, 2, "relu", False, 2), StageShape(16, 2, "h_swish", True, 2)),
    )


class Squares:
    """Red squares on a dark and a bright half."""

    categories = CATEGORIES

    def __init__(self, count: int = 8, height: int = 32, width: int = 32, seed: int = 0) -> None:
        self.count, self.shape, self.seed = count, (height, width), seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng((self.seed, index))
        height, width = self.shape
        ids = np.ones(self.shape, np.int32)
        ids[height // 2 :] = 2
        image = np.where(ids == 1, 40, 200)[:, :, None].repeat(3, 2)
        described = [Segment(1, 3), Segment(2, 5)]
        for number, left in enumerate((1, width // 2 + 1), 3):
            top, column = rng.integers(1, height - 13), left + rng.integers(0, width // 2 - 13)
            ids[top : top + 12, column : column + 12] = number
            image[top : top + 12, column : column + 12] = (230, 20, 20)
            described.append(Segment(number, 7))
        return Scene(
            (image + rng.integers(0, 20, (height, width, 3))).astype(np.uint8), ids, tuple(described)
        )
