"""Declared costs as sums over stages and products of neighbouring stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.space import Cost, CostProduct, Space, group_codes


@dataclass(frozen=True)
class DeclaredCost:
    """A cost that the space declares, as a sum over stages and products of neighbouring stages."""

    space: Space
    cost: Cost

    @property
    def neighbours(self) -> bool:
        return any(isinstance(t, CostProduct) and t.of("previous") for t in (*self.cost.sum, *self.cost.mean))

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Contribution of each module of a stage, (modules,), with an equal share of the constant."""
        inner = group_codes(codes).evaluate(lambda some: self.cost.inner(self.space, stage, some))
        return inner + self.cost.constant / len(self.space.stages)

    def vectors(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Factors of modules in products with the previous and the next stage, (modules, 2 × rank)."""
        rank = self._rank
        return group_codes(codes).evaluate(
            lambda some: np.concatenate(self.cost.links(self.space, stage, some), axis=1), (2 * rank,)
        )

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two neighbouring stages, in both orders, the matrix between their factors; empty if none."""
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
        code = np.zeros((1, stage.depths[-1], len(stage.features)), dtype=np.int16)
        return self.cost.links(self.space, 0, code)[0].shape[1]
