"""Interactions between pairs of stages, as products of the stages' kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import Term
from nasbuild.predictor.additive_gp._low_rank_pairs import Pairs
from nasbuild.predictor.additive_gp._term_rows import Rows
from nasbuild.predictor.additive_gp._terms import REACH_LAYER, reach

_LEAST = 1e-3  # variance of a term below which it is left out
_WIDEST = 512
_RANK = 1e-12  # share of the largest eigenvalue below which a direction is rounding


@dataclass(frozen=True)
class Interaction:
    """Kernel sum over pairs of stages u < v of k_u k_v, each k_u centred over the table.

    k_u is the additive kernel of stage u by the terms that look at single layers. As it is centred, a function of this
    kernel has mean 0 over the table for every module of a stage. It therefore contains nothing of a module's own share
    (a functional analysis of variance; Durrande et al., 2013).

    Attributes
    ----------
    theta
        Variance of each term, as found without interactions; 0 for terms left out, (terms,).
    features
        Rows of the table's architectures, centred; for each stage (architectures, columns).
    means
        The mean that was subtracted, (columns,) for each stage.
    size
        Mean of the diagonal, by which the kernel is divided.
    """

    theta: np.ndarray
    features: tuple[np.ndarray, ...]
    means: tuple[np.ndarray, ...]
    size: float

    @classmethod
    def of(
        cls,
        terms: Sequence[Term],
        rows: Rows,
        theta: np.ndarray,
    ) -> Interaction:
        """From the rows of architectures."""
        used = [
            reach(t.name) == REACH_LAYER and v > _LEAST and len(t.keys) <= _WIDEST
            for t, v in zip(terms, theta, strict=True)
        ]
        theta = np.where(used, theta, 0.0)
        if not terms:
            return cls(theta, (), (), 0.0)
        raw = _features(rows, theta)
        means = tuple(f.mean(axis=0) for f in raw)
        features = tuple(f - m for f, m in zip(raw, means, strict=True))
        plain = cls(theta, features, means, 1.0)
        return cls(theta, features, means, float(plain.diagonal(features).mean()))

    def at(self, rows: Rows) -> tuple[np.ndarray, ...]:
        """Features of other architectures, from rows as in `of`."""
        return tuple(f - m for f, m in zip(_features(rows, self.theta), self.means, strict=True))

    def kernel(self, a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> np.ndarray:
        """(rows of a, rows of b)."""
        total = np.zeros((len(a[0]), len(b[0])))
        squares = np.zeros_like(total)
        for left, right in zip(a, b, strict=True):
            own = left @ right.T
            total += own
            squares += own * own
        # The square of a sum has every pair twice.
        return (total * total - squares) / (2 * self.size)

    def pairs(self, modules: Sequence[Rows], weights: np.ndarray) -> Pairs:
        """``kernel(a, features) @ weights`` for every architecture a of some modules of each stage.

        Parameters
        ----------
        modules
            Rows of modules of each stage alone.
        weights
            (rows of the table,).
        """
        factors, bases = [], []
        for own, mean in zip(modules, self.means, strict=True):
            raw = _features(own, self.theta)[0] - mean
            # Columns are nearly collinear: a few directions span all of them.
            size, basis = np.linalg.eigh(raw.T @ raw)
            bases.append(basis[:, size > _RANK * size.max(initial=0)])
            factors.append(raw @ bases[-1])
        links = {}
        for u, v in combinations(range(len(factors)), 2):
            link = (self.features[u] * weights[:, None]).T @ self.features[v] / self.size
            links[u, v] = bases[u].T @ link @ bases[v]
            links[v, u] = links[u, v].T
        return Pairs(tuple(factors), links)

    def diagonal(self, a: Sequence[np.ndarray]) -> np.ndarray:
        """Diagonal of ``kernel(a, a)``, (rows,)."""
        own = np.stack([(f * f).sum(axis=1) for f in a])
        return (own.sum(axis=0) ** 2 - (own * own).sum(axis=0)) / (2 * self.size)


def _features(rows: Rows, theta: np.ndarray) -> list[np.ndarray]:
    """Scaled columns of each stage, (rows, columns)."""
    used = [t for t, v in enumerate(theta) if v > 0]
    return [
        np.concatenate(
            [np.zeros((rows.count, 0)), *(np.sqrt(theta[t]) * rows.dense(t, u) for t in used)], axis=1
        )
        for u in range(len(rows.stages))
    ]
