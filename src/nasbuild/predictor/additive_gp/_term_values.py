"""Values of modules, f_u, from the terms and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from nasbuild.predictor.additive_gp._design_matrix import NOTHING, Term
from nasbuild.predictor.additive_gp._entries import Entries


@dataclass(frozen=True)
class Values:
    """f_u of modules, by posterior mean and samples.

    The columns of all terms stand side by side, so that one product serves all terms.

    Attributes
    ----------
    used
        Each term with its variance.
    first
        Where each term's columns begin, (terms,).
    weights
        Posterior mean, then samples, (columns of all terms, 1 + samples).
    centre
        Value of the table's mean row, (stages, 1 + samples).
    """

    used: tuple[tuple[Term, float], ...]
    first: np.ndarray
    weights: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(
        cls, used: Sequence[tuple[Term, float, np.ndarray, np.ndarray]], stages: int, samples: int
    ) -> Values:
        """From each term with its variance, mean rows (stages, columns) and weights (columns, 1 + samples)."""
        first = np.cumsum([0, *(len(term.keys) for term, _, _, _ in used)])
        weights = np.concatenate([np.zeros((0, 1 + samples)), *(w for _, _, _, w in used)])
        nothing = np.zeros((stages, 1 + samples))
        centre = sum((mean @ w for _, _, mean, w in used), nothing)
        return cls(tuple((t, v) for t, v, _, _ in used), first, weights, centre)

    def at(self, stage: int, found: Mapping[str, Entries], modules: int) -> np.ndarray:
        """Values of modules of a stage, from the entries of each term, (modules, 1 + samples)."""
        entries = [found.get(term.name, NOTHING) for term, _ in self.used]
        parts = [term.known(e) for (term, _), e in zip(self.used, entries, strict=True)]
        if not parts:
            return np.zeros((modules, self.weights.shape[1]))
        rows = np.concatenate([e.rows for e in parts])
        columns = np.concatenate([e.keys + first for e, first in zip(parts, self.first, strict=False)])
        values = np.concatenate([e.values for e in parts])
        matrix = csr_matrix((values, (rows, columns)), shape=(modules, len(self.weights)))
        total = matrix @ self.weights - self.centre[stage]
        for (term, theta), e, part in zip(self.used, entries, parts, strict=True):
            if len(part.rows) < len(e.rows):
                # Keys that the table lacks keep their prior.
                prior = term.prior(e, modules, total.shape[1] - 1)
                total[:, 1:] += np.sqrt(theta) * prior
        return total
