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

    Examples
    --------
    >>> codes = [module_codes(stage, depth=1) for stage in space.stages]
    >>> pairs = gp.pairs(codes)
    >>> pairs.values(np.array([[0, 0, 0], [2, 2, 2]])).shape
    (2,)
    """

    factors: tuple[np.ndarray, ...]
    links: Mapping[tuple[int, int], np.ndarray]

    @classmethod
    def none(cls, sizes: Sequence[int]) -> Pairs:
        """No interactions, for given numbers of modules of the stages.

        Examples
        --------
        >>> from nasbuild.predictor import Pairs
        >>> Pairs.none([3, 3]).all_combinations().tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        """
        links = {(u, v): np.zeros((0, 0)) for u, v in permutations(range(len(sizes)), 2)}
        return cls(tuple(np.zeros((size, 0)) for size in sizes), links)

    def values(self, picks: np.ndarray) -> np.ndarray:
        """Sum over all pairs of stages, (picks,), for picks of one module for each stage (picks, stages).

        Examples
        --------
        >>> from nasbuild.predictor import Pairs
        >>> pairs = Pairs((np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]])), {(0, 1): np.array([[1.0]])})
        >>> pairs.values(np.array([[0, 0], [1, 1]])).tolist()
        [3.0, 10.0]
        """
        x = [factor[picks[:, u]] for u, factor in enumerate(self.factors)]
        total = np.zeros(len(picks))
        for u, v in combinations(range(len(x)), 2):
            total += ((x[u] @ self.links[u, v]) * x[v]).sum(axis=1)
        return total

    def all_combinations(self) -> np.ndarray:
        """Sum over all pairs of stages for every combination, (combinations,); the last stage's module changes fastest.

        Examples
        --------
        >>> from nasbuild.predictor import Pairs
        >>> pairs = Pairs((np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]])), {(0, 1): np.array([[1.0]])})
        >>> pairs.all_combinations().tolist()
        [3.0, 5.0, 6.0, 10.0]
        """
        sizes = tuple(len(factor) for factor in self.factors)
        total = np.zeros(sizes)
        for u, v in combinations(range(len(sizes)), 2):
            shape = [size if w in (u, v) else 1 for w, size in enumerate(sizes)]
            total += (self.factors[u] @ self.links[u, v] @ self.factors[v].T).reshape(shape)
        return total.ravel()

    def swaps(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """`values` of each pick with each module of a stage put in, (picks, modules).

        Examples
        --------
        >>> from nasbuild.predictor import Pairs
        >>> pairs = Pairs((np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]])), {(0, 1): np.array([[1.0]])})
        >>> pairs.swaps(np.array([[0, 0]]), stage=1).tolist()
        [[3.0, 5.0]]
        """
        own, around = self.factors[stage], np.zeros((len(picks), self.factors[stage].shape[1]))
        for v, factor in enumerate(self.factors):
            if v != stage:
                around += factor[picks[:, v]] @ self.links[v, stage]
        rest = self.values(picks) - (around * own[picks[:, stage]]).sum(axis=1)
        return around @ own.T + rest[:, None]
