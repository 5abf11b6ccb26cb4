"""The multiple-choice knapsack problem of a build: one module per stage, bounds on summed costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import numpy as np

TOLERANCE = 1e-9  # relative to a bound's scale, allowed for rounding


@dataclass(frozen=True)
class Problem:
    """A multiple-choice knapsack: one module per stage, scores to maximise, costs with upper bounds.

    Attributes
    ----------
    scores
        For each stage, (modules,).
    costs
        For each stage, (modules, bounds).
    bounds
        Upper limit of each summed cost, (bounds,).
    """

    scores: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    bounds: np.ndarray

    effort: ClassVar[float] = 1.0
    """Factor on the number of combinations that are enumerated: smaller if evaluating one takes longer."""

    @property
    def stages(self) -> int:
        return len(self.scores)

    def of_bounds(self, kept: np.ndarray) -> Self:
        """The problem with only the bounds ``kept``."""
        if len(kept) == len(self.bounds):
            return self
        return replace(self, costs=tuple(c[:, kept] for c in self.costs), bounds=self.bounds[kept])

    def feasible(self, picks: np.ndarray) -> np.ndarray:
        """Whether picks (picks, stages) are within all bounds, (picks,) bool."""
        total = sum(cost[picks[:, u]] for u, cost in enumerate(self.costs))
        return np.all(total <= self.bounds + rounding_slack(self), axis=1)

    def values(self, picks: np.ndarray) -> np.ndarray:
        """Summed scores of picks (picks, stages), (picks,)."""
        return np.sum([score[picks[:, u]] for u, score in enumerate(self.scores)], axis=0)

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]:
        """Score and costs of the pick that maximises the score minus the priced costs."""
        picks = [int(np.argmax(s - c @ prices)) for s, c in zip(self.scores, self.costs, strict=True)]
        score = sum(float(s[p]) for s, p in zip(self.scores, picks, strict=True))
        return score, np.sum([c[p] for c, p in zip(self.costs, picks, strict=True)], axis=0)


def rounding_slack(problem: Problem | PricedProblem) -> np.ndarray:
    """Tolerance of each bound for rounding of sums, (bounds,)."""
    scale = np.where(np.isfinite(problem.bounds), np.abs(problem.bounds), 0) + sum(
        np.abs(c).max(axis=0) for c in problem.costs
    )
    return TOLERANCE * scale


class PricedProblem(Protocol):
    """A problem that `dual_prices` can price: one option per slot, or one part per stage."""

    @property
    def bounds(self) -> np.ndarray: ...

    @property
    def scores(self) -> tuple[np.ndarray, ...]: ...

    @property
    def costs(self) -> tuple[np.ndarray, ...]: ...

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]: ...
