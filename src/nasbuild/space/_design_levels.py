"""The slots of a space with their levels, and how often levels and pairs of them occur in a design."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from nasbuild.space._space import Architecture, Space

Position = tuple[int, int, int]
"""Stage, layer (-1 for a shared feature), feature; the depth of a stage is (stage, -1, -1)."""
_MOST_LEVELS = 6_000
_AGAIN = 0.1  # what a pair is worth the next time
_RARE = 0.4  # weight of rare levels against that of pairs


class Levels:
    """The levels of all slots, numbered: choices at their places, and depths."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.start: dict[Position, int] = {}
        self.size: dict[Position, int] = {}
        total = 0
        for u, stage in enumerate(space.stages):
            slots: list[tuple[Position, int]] = [((u, -1, -1), len(stage.depths))]
            for p, feature in enumerate(stage.features):
                layers = [-1] if feature.name in stage.shared else range(max(stage.depths))
                slots += [((u, layer, p), len(feature.choices)) for layer in layers]
            for slot, size in slots:
                self.start[slot], self.size[slot] = total, size
                total += size
        self.total = total

    def of(self, codes: Sequence[np.ndarray]) -> dict[Position, int]:
        """The level of each slot that an architecture has."""
        found: dict[Position, int] = {}
        for u, (stage, code) in enumerate(zip(self.space.stages, codes, strict=True)):
            found[u, -1, -1] = self.start[u, -1, -1] + stage.depths.index(len(code))
            for p, feature in enumerate(stage.features):
                layers = [-1] if feature.name in stage.shared else range(len(code))
                for layer in layers:
                    found[u, layer, p] = self.start[u, layer, p] + int(code[max(layer, 0), p])
        return found


class Coverage:
    """How often each level and each pair of levels occurs."""

    def __init__(self, levels: Levels) -> None:
        self.levels = levels
        self._sizes = np.zeros(levels.total)
        for slot, start in levels.start.items():
            self._sizes[start : start + levels.size[slot]] = levels.size[slot]
        self._singles = np.zeros(levels.total)
        # What a pair is worth: less for each time that it occurred. For very many levels, pairs are not looked at.
        self._pairs = np.ones((levels.total,) * 2, dtype=np.float32) if levels.total <= _MOST_LEVELS else None
        self.rare = np.ones(levels.total)

    def add(self, levels: Sequence[int]) -> None:
        """Count the levels of a row."""
        index = np.asarray(levels)
        self._singles[index] += 1
        # A level as frequent as it should be is worth nothing, one that never occurs as much as half the pairs.
        self.rare = 1.0 - self._singles * self._sizes / self._singles.max()
        if self._pairs is not None:
            self._pairs[np.ix_(index, index)] *= _AGAIN

    def new(self, active: Sequence[int]) -> np.ndarray:
        """What pairs of each level with the active ones are worth, (levels,)."""
        if self._pairs is None:
            return np.zeros(self.levels.total)
        return self._pairs[np.asarray(active, dtype=np.int64)].sum(axis=0, dtype=np.float64)

    def worth(self, new: np.ndarray, count: int) -> np.ndarray:
        """What each level would add to ``count`` active ones."""
        return new + max(_RARE * count, 1.0 if self._pairs is None else 0.01) * self.rare


def codes_of(space: Space, architecture: Architecture) -> list[np.ndarray]:
    return [stage.encode(module) for stage, module in zip(space.stages, architecture.modules, strict=True)]


def pair_coverage(space: Space, architectures: Sequence[Architecture]) -> int:
    """How many pairs of choices or depths at different places occur together in some architecture.

    Examples
    --------
    >>> from nasbuild.space import balanced_sample, pair_coverage, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [2], features: {kernel: [3, 5, 7]}}]}")
    >>> pair_coverage(space, balanced_sample(space, 9))  # nine of kernels, and six with the only depth
    15
    """
    levels = Levels(space)
    seen: set[tuple[int, int]] = set()
    for architecture in architectures:
        seen.update(combinations(levels.of(codes_of(space, architecture)).values(), 2))
    return len(seen)
