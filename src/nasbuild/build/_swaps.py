"""The prediction y' of architectures as sums over pairs of stages: all swaps of a module at the price of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import Pairs


@dataclass(frozen=True)
class Predicted:
    """y' of every combination of some modules, without listing them, on the scales on which scores add up.

    Attributes
    ----------
    scores
        For each stage, (modules, targets).
    pairs
        For each target, what pairs of stages add.
    costs, most
        For each stage (modules, bounds), and the most of each sum, (bounds,): exact costs as they are.
    on_targets
        Bounds on y' itself: which target, its sign (1, or -1 where it is turned), and the most of the two's product.
    """

    scores: tuple[np.ndarray, ...]
    pairs: tuple[Pairs, ...]
    costs: tuple[np.ndarray, ...]
    most: np.ndarray
    on_targets: tuple[tuple[int, int, float], ...]

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

    def spent(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """Costs with every module of a stage in turn put into each pick, (picks, modules, bounds)."""
        rest = [cost[picks[:, u]] for u, cost in enumerate(self.costs) if u != stage]
        return self.costs[stage] + sum(rest, np.zeros((len(picks), len(self.most))))[:, None]

    def within(self, values: np.ndarray) -> np.ndarray:
        """Which predictions (..., targets) are within the bounds on targets."""
        return self.over(values) == 0

    def over(self, values: np.ndarray) -> np.ndarray:
        """By how much predictions (..., targets) exceed the bounds on targets, all together, (...)."""
        total = np.zeros(values.shape[:-1])
        for target, sign, most in self.on_targets:
            total += np.maximum(sign * values[..., target] - most, 0)
        return total
