"""The prediction y' as sums over stages and pairs of stages, which makes swaps of modules cheap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class PairSums(Protocol):
    """Sums of pair terms: of stages (`nasbuild.predictor.Pairs`), or also of layers (`PairTables`)."""

    def values(self, picks: np.ndarray) -> np.ndarray: ...

    def swaps(self, picks: np.ndarray, stage: int, /) -> np.ndarray: ...

    def all_combinations(self) -> np.ndarray: ...


@dataclass(frozen=True)
class PairwisePrediction:
    """y' and costs of all combinations of some modules, on the scales on which scores add up.

    A *pick* is one module per stage, by position. Where a space is built layer by layer, slots stand
    for stages and options for modules.

    Attributes
    ----------
    scores
        For each stage, (modules, targets).
    pairs
        For each target, its pair terms.
    costs
        For each stage, exact costs, (modules, bounds).
    upper
        Upper limit of each summed cost, (bounds,).
    on_targets
        Bounds on y': (target, sign, upper limit of sign × prediction).
    cost_pairs
        For each exact cost, its pair terms or None; empty if no cost has any.
    """

    scores: tuple[np.ndarray, ...]
    pairs: tuple[PairSums, ...]
    costs: tuple[np.ndarray, ...]
    upper: np.ndarray
    on_targets: tuple[tuple[int, int, float], ...]
    cost_pairs: Sequence[PairSums | None] = ()

    def values(self, picks: np.ndarray) -> np.ndarray:
        """y' of picks (picks, stages), (picks, targets)."""
        total = sum(score[picks[:, u]] for u, score in enumerate(self.scores))
        return total + np.column_stack([pair.values(picks) for pair in self.pairs])

    def swaps(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """y' with a stage of each pick replaced by every module, (picks, modules, targets)."""
        total = np.stack([pair.swaps(picks, stage) for pair in self.pairs], axis=-1)
        total += self.scores[stage]
        rest = [score[picks[:, u]] for u, score in enumerate(self.scores) if u != stage]
        return total + sum(rest, np.zeros((len(picks), total.shape[-1])))[:, None]

    def swap_costs(self, picks: np.ndarray, stage: int) -> np.ndarray:
        """Costs with a stage of each pick replaced by every module, (picks, modules, bounds)."""
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
        """Whether picks are within the bounds on exact costs, (picks,) bool."""
        return np.all(self.costs_of(picks) <= self.upper, axis=1)

    def within(self, values: np.ndarray) -> np.ndarray:
        """Whether predictions (..., targets) are within the bounds on targets, (...) bool."""
        return self.excess(values) == 0

    def excess(self, values: np.ndarray) -> np.ndarray:
        """Summed excess of predictions (..., targets) over the bounds on targets, (...)."""
        total = np.zeros(values.shape[:-1])
        for target, sign, most in self.on_targets:
            total += np.maximum(sign * values[..., target] - most, 0)
        return total
