"""Interactions of pairs of stages in low rank: all swaps of a module cost as much as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Interactions of pairs of stages, for all combinations of some modules of each stage.

    Attributes
    ----------
    factors
        For each stage, (modules, rank).
    links
        For two stages u and v, (rank of u, rank of v): a pair of modules adds x_u link x_v.
    """

    factors: tuple[np.ndarray, ...]
    links: Mapping[tuple[int, int], np.ndarray]

    @classmethod
    def none(cls, sizes: Sequence[int]) -> Pairs:
        """No interactions, for given numbers of modules of the stages."""
        links = {(u, v): np.zeros((0, 0)) for u, v in permutations(range(len(sizes)), 2)}
        return cls(tuple(np.zeros((size, 0)) for size in sizes), links)

    def values(self, picks: np.ndarray) -> np.ndarray:
        """Sum over all pairs of stages, (picks,), for picks of one module for each stage (picks, stages)."""
        x = [factor[picks[:, u]] for u, factor in enumerate(self.factors)]
        total = np.zeros(len(picks))
        for u, v in combinations(range(len(x)), 2):
            total += ((x[u] @ self.links[u, v]) * x[v]).sum(axis=1)
        return total

    def all_combinations(self) -> np.ndarray:
        """Sum over all pairs of stages for every combination, (combinations,); the last stage's module changes fastest."""
        sizes = tuple(len(factor) for factor in self.factors)
        total = np.zeros(sizes)
        for u, v in combinations(range(len(sizes)), 2):
            shape = [size if w in (u, v) else 1 for w, size in enumerate(sizes)]
            total += (self.factors[u] @ self.links[u, v] @ self.factors[v].T).reshape(shape)
        return total.ravel()

    def swaps(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """`values` of each pick with each module of a stage put in, (picks, modules)."""
        own, around = self.factors[stage], np.zeros((len(picks), self.factors[stage].shape[1]))
        for v, factor in enumerate(self.factors):
            if v != stage:
                around += factor[picks[:, v]] @ self.links[v, stage]
        rest = self.values(picks) - (around * own[picks[:, stage]]).sum(axis=1)
        return around @ own.T + rest[:, None]
