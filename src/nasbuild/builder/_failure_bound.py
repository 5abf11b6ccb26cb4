"""The fitted probability that an evaluation fails, as a cost that can be bounded like any other."""

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
"""Name of the bound on the fitted log-odds of failing."""


def failure_bound(probability: float) -> Bound:
    """Returns the bound that keeps the fitted probability of failing at or below ``probability``.

    It can be used with a fit whose ``failures`` are known.

    Examples
    --------
    >>> from nasbuild.builder import failure_bound
    >>> failure_bound(0.5)
    Bound(name='log odds of failing', sign=1, value=0.0)
    """
    return Bound(FAILURE_LOG_ODDS, 1, float(np.log(probability) - np.log1p(-probability)))


@dataclass(frozen=True)
class FailureLogOdds:
    """Log-odds of failing: a sum over stages, plus products of neighbouring stages from declared costs."""

    failures: Failures

    @property
    def neighbours(self) -> bool:
        return any(cost.neighbours for cost, _ in self._costs)

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Contribution of each module of a stage, (modules,)."""
        return self.failures.of_modules(stage, codes)

    def vectors(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Factors of modules in products with neighbouring stages, (modules, rank), all costs side by side."""
        return np.column_stack(
            [np.zeros((len(codes), 0)), *(cost.vectors(stage, codes) for cost, _ in self._costs)]
        )

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """For two stages, in both orders, the matrix between their factors; empty without products."""
        weighted = [(cost.links(), weight) for cost, weight in self._costs]
        pairs = dict.fromkeys(pair for links, _ in weighted for pair in links)
        return {
            pair: np.asarray(block_diag(*(weight * links[pair] for links, weight in weighted)))
            for pair in pairs
        }

    @cached_property
    def _costs(self) -> list[tuple[DeclaredCost, float]]:
        """Declared costs with products of neighbours, and their weights."""
        columns = self.failures.columns
        weights = self.failures.weights[columns.first_cost :].tolist()
        found = [
            (DeclaredCost(columns.space, c), w) for c, w in zip(columns.costs, weights, strict=True) if w
        ]
        return [(cost, weight) for cost, weight in found if cost.links()]
