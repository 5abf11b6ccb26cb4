"""Costs that a space declares, taken apart into stages and products of neighbouring ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.space import Cost, CostProduct, Space, group_codes


@dataclass(frozen=True)
class DeclaredCost:
    """A cost that the space declares, as sums over stages and products of neighbouring ones."""

    space: Space
    cost: Cost

    @property
    def neighbours(self) -> bool:
        return any(isinstance(t, CostProduct) and t.of("previous") for t in (*self.cost.sum, *self.cost.mean))

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """What modules of a stage add by themselves, the constant spread over the stages, (modules,)."""
        inner = group_codes(codes).evaluate(lambda some: self.cost.inner(self.space, stage, some))
        return inner + self.cost.constant / len(self.space.stages)

    def vectors(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """What modules bring to products with the stage before and the one after, (modules, 2 r)."""
        rank = self._rank
        return group_codes(codes).evaluate(
            lambda some: np.concatenate(self.cost.links(self.space, stage, some), axis=1), (2 * rank,)
        )

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two stages that follow each other, both ways, what vectors are multiplied by; none if nothing is."""
        rank = self._rank
        if not rank:
            return {}
        link = np.zeros((2 * rank, 2 * rank))
        link[rank:, :rank] = np.eye(rank)
        found = {}
        for u in range(len(self.space.stages) - 1):
            found[u, u + 1], found[u + 1, u] = link, link.T
        return found

    @property
    def _rank(self) -> int:
        stage = self.space.stages[0]
        code = np.zeros((1, stage.depths[0], len(stage.features)), dtype=np.int16)
        return self.cost.links(self.space, 0, code)[0].shape[1]
