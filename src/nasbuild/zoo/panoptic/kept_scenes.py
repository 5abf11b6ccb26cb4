"""Keeps scenes in memory after they were read or drawn for the first time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nasbuild.zoo.panoptic.scene import Category, PanopticData, Scene


@dataclass(frozen=True, eq=False)
class KeptScenes:
    """Scenes of other data, each read once; ids take as few bytes as they can.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import FashionScenes, KeptScenes
    >>> scenes = FashionScenes(np.full((20, 28, 28), 200, np.uint8), np.arange(20) % 10, count=3, side=96)
    >>> kept = KeptScenes(scenes)
    >>> bool((kept[2].image == scenes[2].image).all()), len(kept)
    (True, 3)
    """

    data: PanopticData
    _kept: dict[int, tuple[np.ndarray, np.ndarray, tuple]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def categories(self) -> tuple[Category, ...]:
        """Categories of the data."""
        return self.data.categories

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Scene:
        if index not in self._kept:
            scene = self.data[index]
            ids = scene.segments.astype(np.min_scalar_type(int(scene.segments.max())))
            self._kept[index] = scene.image, ids, scene.described
        image, ids, described = self._kept[index]
        return Scene(image, ids.astype(np.int32), described)
