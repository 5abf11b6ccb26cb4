"""Labels of some rows, in which pairs of choices are looked for: the covariances, and what they say about every pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_columns import PairColumns

_WIDTH = 2.0  # prior deviation of log variances around those of the fit
_NOISE_WIDTH = 0.5  # the same of the noise, of which few rows say little
_PRIOR = 10.0  # variance of a named pair's own part, in mean squares of the labels
_LEAST_VARIANCE = 1e-9
_CHUNK = 2_000
_ITERATIONS, _TOLERANCE = 40, 1e-6


@dataclass(frozen=True)
class PairProblem:
    """Labels of some rows, with the covariances of a fit, in which pairs are looked for.

    Attributes
    ----------
    z
        Warped labels, given everything that is known exactly, (rows,).
    additive
        Covariance of the sums, (rows, rows).
    beside
        Kernels of interactions, (rows, rows) each; the first ``shared`` of them hold the pairs of `columns`.
    variances
        Of these kernels and of the noise, (kernels + 1,).
    weights
        Contribution of each of these kernels to `PairColumns`' weight, for variance 1, (kernels, pairs).
    spread
        Factor on all deviations.
    """

    columns: PairColumns
    z: np.ndarray
    additive: np.ndarray
    beside: Sequence[np.ndarray]
    variances: np.ndarray
    weights: np.ndarray
    spread: float = 1.0

    @property
    def count(self) -> int:
        """Number of pairs that are looked at."""
        return len(self.columns.pairs)

    @property
    def prior(self) -> float:
        """Prior variance of a named pair's own part."""
        return _PRIOR * float(np.mean(self.z**2))

    def covariance(self, selected: Sequence[int]) -> np.ndarray:
        """Covariance of the rows with the own parts of some pairs, (rows, rows)."""
        total = self.fixed(selected)
        for variance, kernel in zip(self.variances, self.kernels, strict=True):
            total += variance * kernel
        return total

    def fixed(self, selected: Sequence[int]) -> np.ndarray:
        """The part of the covariance whose variances are not found anew, (rows, rows)."""
        total = self.additive + JITTER * np.eye(len(self.z))
        for one in selected:
            own = self.column(one)
            total += self.prior * np.outer(own, own)
        return total

    def column(self, one: int) -> np.ndarray:
        """A pair's own column; after the pairs come the rows, whose columns hold them alone, (rows,)."""
        if one < self.count:
            return self.columns.column(one)
        return (np.arange(len(self.z)) == one - self.count).astype(float)

    def without(self, one: int) -> PairProblem:
        """The same where the interaction of a pair is 0: it is taken out of the kernels. A row has none.

        This is the covariance given e = 0, as all of it that hangs on e is a sum over kernels.
        """
        if one >= self.count:
            return self
        p, q = self.columns.pairs[one]
        own = self.columns.kernel[:, p] * self.columns.kernel[:, q]
        size = self.columns.sizes[p] * self.columns.sizes[q]
        if not size > 0:
            return self
        beside = [
            kernel - weight * np.outer(own, own) / size if weight else kernel
            for kernel, weight in zip(self.beside, self.weights[:, one], strict=True)
        ]
        return replace(self, beside=beside)

    @property
    def penalty(self) -> float:
        """Nats for which of all pairs and rows has a part of its own."""
        return float(np.log(self.count + len(self.z)))

    @cached_property
    def kernels(self) -> list[np.ndarray]:
        """The kernels of interactions, then that of the noise."""
        return [*self.beside, np.eye(len(self.z))]

    def with_pairs(
        self, selected: Sequence[int], start: PairProblem, noise: float | None = None
    ) -> tuple[PairProblem, float]:
        """The problem with variances found beside some pairs, and its negative log density in nats.

        ``start`` has the variances of the fit, which are the prior's centre. A ``noise`` that is given has no prior.
        """
        centre = np.log(np.maximum(start.variances, _LEAST_VARIANCE))
        width = np.append(np.full(len(centre) - 1, _WIDTH), _NOISE_WIDTH if noise is None else np.inf)
        kernels = Kernels.of([self.fixed(selected), *self.kernels])

        def objective(log: np.ndarray) -> tuple[float, np.ndarray]:
            away, theta = (log - centre) / width, np.exp(log)
            found = kernels.minus_log_density(self.z, np.append(1.0, theta), 0.0)
            if found is None:
                return 1e10, np.zeros(len(log))
            return found[0] + 0.5 * float(away @ away), found[1][1:-1] * theta + away / width

        first = np.log(np.maximum(self.variances, _LEAST_VARIANCE))
        bounds: list[tuple[float | None, float | None]] = [(None, None)] * len(first)
        if noise is not None:
            first[-1] = np.log(noise)
            bounds[-1] = first[-1], first[-1]
        best = minimize(
            objective,
            first,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _ITERATIONS, "ftol": _TOLERANCE},
        )
        return replace(self, variances=np.exp(best.x)), float(best.fun)


@dataclass(frozen=True)
class PairEstimates:
    """Interactions of all pairs on the warped scale, each (pairs,).

    Attributes
    ----------
    mean, std
        Posterior mean and deviation of e.
    evidence
        Distance of e from 0 in deviations, where the pair has a part of its own without a prior.
    of_rows
        The same of a part of each row alone, (rows,).
    """

    mean: np.ndarray
    std: np.ndarray
    evidence: np.ndarray
    of_rows: np.ndarray


def estimates(problem: PairProblem, selected: Sequence[int]) -> PairEstimates:
    """What the rows say about every pair, where some have a part of their own.

    The mean without a prior is that of universal kriging (Rasmussen & Williams, 2006, section 2.7).
    """
    factor = cho_factor(problem.covariance(selected), lower=True)
    alpha = cho_solve(factor, problem.z)
    inverse = cho_solve(factor, np.eye(len(problem.z)))
    mean, variance, evidence = (np.zeros(problem.count) for _ in range(3))
    weight = problem.variances[:-1] @ problem.weights
    extra = np.zeros(problem.count)
    extra[[one for one in selected if one < problem.count]] = problem.prior
    columns = problem.columns
    for some in _chunks(problem.count):
        p, q = columns.pairs[some].T
        own = columns.held[:, p] * columns.held[:, q]
        cross = weight[some] * columns.kernel[:, p] * columns.kernel[:, q]
        prior = weight[some] * columns.sizes[p] * columns.sizes[q]
        solved, known = inverse @ own, inverse @ cross
        size, score = np.maximum((own * solved).sum(axis=0), 1e-300), own.T @ alpha
        shared, inside = (cross * solved).sum(axis=0), (cross * known).sum(axis=0)
        # A part of its own without a prior.
        free = cross.T @ alpha + (1 - shared) * score / size
        left = np.maximum(prior - inside, 0) + (1 - shared) ** 2 / size
        evidence[some] = free / np.sqrt(left)
        # The posterior of the model, in which only selected pairs have a part of their own.
        more = extra[some]
        mean[some] = cross.T @ alpha + more * score
        variance[some] = np.maximum(prior + more - inside - 2 * more * shared - more**2 * size, 0)
    of_rows = alpha / np.sqrt(np.diag(inverse))
    return PairEstimates(
        mean, np.sqrt(variance) * problem.spread, evidence / problem.spread, of_rows / problem.spread
    )


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))
