"""The prediction y' of architectures as sums over pairs of stages: all swaps of a module at the price of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class PairSums(Protocol):
    """What pairs of slots add: of whole stages (`nasbuild.predictor.Pairs`), or of layers as well."""

    def values(self, picks: np.ndarray) -> np.ndarray: ...

    def swaps(self, picks: np.ndarray, stage: int, /) -> np.ndarray: ...

    def all_combinations(self) -> np.ndarray: ...


@dataclass(frozen=True)
class PairwisePrediction:
    """y' of every combination of some modules, without listing them, on the scales on which scores add up.

    Attributes
    ----------
    scores
        For each stage, (modules, targets).
    pairs
        For each target, what pairs of stages add.
    costs, upper
        For each stage (modules, bounds), and the most of each sum, (bounds,): exact costs as they are.
    cost_pairs
        What pairs of stages add to each exact cost; None, or nothing at all, where they add nothing.
    on_targets
        Bounds on y' itself: which target, its sign (1, or -1 where it is turned), and the most of the two's product.
    """

    scores: tuple[np.ndarray, ...]
    pairs: tuple[PairSums, ...]
    costs: tuple[np.ndarray, ...]
    upper: np.ndarray
    on_targets: tuple[tuple[int, int, float], ...]
    cost_pairs: Sequence[PairSums | None] = ()

    def values(self, picks: np.ndarray) -> np.ndarray:
        """y' of picks, (picks, targets)."""
        total = sum(score[picks[:, u]] for u, score in enumerate(self.scores))
        return total + np.column_stack([pair.values(picks) for pair in self.pairs])

    def swaps(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """y' with every module of a stage in turn put into each pick, (picks, modules, targets)."""
        total = np.stack([pair.swaps(picks, stage) for pair in self.pairs], axis=-1)
        total += self.scores[stage]
        rest = [score[picks[:, u]] for u, score in enumerate(self.scores) if u != stage]
        return total + sum(rest, np.zeros((len(picks), total.shape[-1])))[:, None]

    def swap_costs(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """Costs with every module of a stage in turn put into each pick, (picks, modules, bounds)."""
        rest = [cost[picks[:, u]] for u, cost in enumerate(self.costs) if u != stage]
        total = self.costs[stage] + sum(rest, np.zeros((len(picks), len(self.upper))))[:, None]
        for k, pair in enumerate(self.cost_pairs):
            if pair is not None:
                total[..., k] += pair.swaps(picks, stage)
        return total

    def costs_of(self, picks: np.ndarray) -> np.ndarray:
        """Costs of picks, (picks, bounds)."""
        total = sum(
            (c[picks[:, u]] for u, c in enumerate(self.costs)), np.zeros((len(picks), len(self.upper)))
        )
        for k, pair in enumerate(self.cost_pairs):
            if pair is not None:
                total[:, k] += pair.values(picks)
        return total

    def affordable(self, picks: np.ndarray) -> np.ndarray:
        """Which picks stay within the bounds on exact costs, (picks,)."""
        return np.all(self.costs_of(picks) <= self.upper, axis=1)

    def within(self, values: np.ndarray) -> np.ndarray:
        """Which predictions (..., targets) are within the bounds on targets."""
        return self.excess(values) == 0

    def excess(self, values: np.ndarray) -> np.ndarray:
        """By how much predictions (..., targets) exceed the bounds on targets, all together, (...)."""
        total = np.zeros(values.shape[:-1])
        for target, sign, most in self.on_targets:
            total += np.maximum(sign * values[..., target] - most, 0)
        return total
