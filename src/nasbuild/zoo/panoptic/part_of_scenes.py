"""The first scenes of other data."""

from __future__ import annotations

from dataclasses import dataclass

from nasbuild.zoo.panoptic.scene import Category, PanopticData, Scene


@dataclass(frozen=True, eq=False)
class PartOfScenes:
    """The first ``count`` scenes of other data, or all if it has fewer or ``count`` is None."""

    data: PanopticData
    count: int | None = None

    @property
    def categories(self) -> tuple[Category, ...]:
        """Categories of the data."""
        return self.data.categories

    def __len__(self) -> int:
        return min(len(self.data), self.count or len(self.data))

    def __getitem__(self, index: int) -> Scene:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} scenes, and no scene {index}")
        return self.data[index % len(self)]
