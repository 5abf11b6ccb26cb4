"""How likely a fit of failures holds architectures to fail, as a cost that can be bounded like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import block_diag

from nasbuild.builder._bounds import Bound
from nasbuild.builder._declared_costs import DeclaredCost
from nasbuild.score import Failures

FAILURE_LOG_ODDS = "log odds of failing"
"""Name of the bound."""


def failure_bound(probability: float) -> Bound:
    """The bound that holds the fitted probability of failing to so much at most; for runs that know `Failures`."""
    return Bound(FAILURE_LOG_ODDS, 1, float(np.log(probability) - np.log1p(-probability)))


@dataclass(frozen=True)
class FailureLogOdds:
    """Log odds of failing: a sum over stages, and of declared costs over products of neighbouring ones."""

    failures: Failures

    @property
    def neighbours(self) -> bool:
        return any(cost.neighbours for cost, _ in self._costs)

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """What modules of a stage add by themselves, (modules,)."""
        return self.failures.of_modules(stage, codes)

    def vectors(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """What modules bring to products with the stages before and after, those of every cost side by side."""
        return np.column_stack(
            [np.zeros((len(codes), 0)), *(cost.vectors(stage, codes) for cost, _ in self._costs)]
        )

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two stages, both ways, what vectors are multiplied by; none if nothing is."""
        each = [(cost.links(), weight) for cost, weight in self._costs]
        pairs = dict.fromkeys(pair for own, _ in each for pair in own)
        return {pair: np.asarray(block_diag(*(weight * own[pair] for own, weight in each))) for pair in pairs}

    @cached_property
    def _costs(self) -> list[tuple[DeclaredCost, float]]:
        """Costs that neighbours count in, with their weights."""
        columns = self.failures.columns
        weights = self.failures.weights[columns.first_cost :].tolist()
        found = [
            (DeclaredCost(columns.space, c), w) for c, w in zip(columns.costs, weights, strict=True) if w
        ]
        return [(cost, weight) for cost, weight in found if cost.links()]
