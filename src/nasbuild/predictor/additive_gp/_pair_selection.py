"""Which pairs of choices interact: forward selection, with a threshold for all pairs that are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import t as student

from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_columns import PairColumns

CHANCE = 0.01
"""Probability that any pair is named in a table without interactions."""
LEAD = 2.0
"""Least distance from 0, in deviations, of a named pair beside any other pair in its place."""
_MOST = 20  # named pairs
_WIDTH = 2.0  # prior deviation of log variances around those of the fit
_PRIOR = 10.0  # variance of a named pair's own part, in mean squares of the labels
_LEAST_VARIANCE = 1e-9
_CHUNK = 2_000
_ITERATIONS = 60


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
        for pair in selected:
            own = self.columns.column(pair)
            total += self.prior * np.outer(own, own)
        return total

    @cached_property
    def kernels(self) -> list[np.ndarray]:
        """The kernels of interactions, then that of the noise."""
        return [*self.beside, np.eye(len(self.z))]

    def with_pairs(self, selected: Sequence[int], start: PairProblem) -> tuple[PairProblem, float]:
        """The problem with variances found beside some pairs, and its negative log density in nats.

        ``start`` has the variances of the fit, which are the prior's centre.
        """
        centre = np.log(np.maximum(start.variances, _LEAST_VARIANCE))
        kernels = Kernels.of([self.fixed(selected), *self.kernels])

        def objective(log: np.ndarray) -> tuple[float, np.ndarray]:
            away, theta = (log - centre) / _WIDTH, np.exp(log)
            found = kernels.minus_log_density(self.z, np.append(1.0, theta), 0.0)
            if found is None:
                return 1e10, np.zeros(len(log))
            return found[0] + 0.5 * float(away @ away), found[1][1:-1] * theta + away / _WIDTH

        first = np.log(np.maximum(self.variances, _LEAST_VARIANCE))
        best = minimize(objective, first, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
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
    lead
        The least distance from 0 that remains beside any one other pair.
    """

    mean: np.ndarray
    std: np.ndarray
    evidence: np.ndarray
    lead: np.ndarray


@dataclass(frozen=True)
class Selection:
    """The pairs that interact, in the order in which they were found, and the problem with their own parts.

    Attributes
    ----------
    problem
        With the variances found beside the selected pairs.
    selected
        Pairs with a part of their own, named or not.
    named
        Those that stand out, and that no other pair could stand in for.
    limit
        Least distance from 0, in deviations, of a pair that stands out.
    objective
        Negative log density of the labels in nats, with log(pairs) more for each selected pair.
    """

    problem: PairProblem
    selected: tuple[int, ...]
    named: tuple[int, ...]
    limit: float
    objective: float


def select_pairs(problem: PairProblem) -> Selection:
    """Add the pair that stands out most, as long as one does, and find the variances anew each time.

    A pair stands out if its e is further from 0 than Student's t is by chance for any of the pairs (Bonferroni). Its e
    is judged with a part of its own that has no prior, so nothing pulls it to 0. A named pair also stays `LEAD` deviations
    from 0 when any other pair is added beside it: else the rows do not tell which of the two it is.
    """
    start, selected = problem, list[int]()
    value = 0.0
    while len(selected) < _MOST and problem.count:
        limit = _limit(problem, selected)
        evidence = np.abs(estimates(problem, selected).evidence)
        evidence[selected] = 0.0
        best = int(np.argmax(evidence))
        if evidence[best] < limit:
            break
        selected.append(best)
        problem, value = problem.with_pairs(selected, start)
    if not selected:
        return Selection(problem, (), (), _limit(problem, []) if problem.count else np.inf, value)
    limit, named = _limit(problem, selected), list[int]()
    for pair in selected:
        others = [other for other in selected if other != pair]
        found = estimates(problem, others, among=pair)
        if abs(found.evidence[pair]) >= limit and found.lead[pair] >= LEAD:
            named.append(pair)
    value += len(selected) * float(np.log(problem.count))
    return Selection(problem, tuple(selected), tuple(named), limit, value)


def estimates(problem: PairProblem, selected: Sequence[int], among: int | None = None) -> PairEstimates:
    """What the rows say about every pair, where some have a part of their own.

    The mean without a prior is that of universal kriging (Rasmussen & Williams, 2006, section 2.7). ``lead`` is
    found for the pair ``among`` only.
    """
    factor = cho_factor(problem.covariance(selected), lower=True)
    alpha = cho_solve(factor, problem.z)
    inverse = cho_solve(factor, np.eye(len(problem.z)))
    mean, variance, evidence = (np.zeros(problem.count) for _ in range(3))
    weight = problem.variances[:-1] @ problem.weights
    lead = np.zeros(problem.count)
    reference = None if among is None else _score(problem.columns.column(among), inverse, alpha)
    rivals = np.full(problem.count, np.inf)
    is_selected = np.zeros(problem.count, dtype=bool)
    is_selected[list(selected)] = True
    for some in _chunks(problem.count):
        p, q = problem.columns.pairs[some].T
        own = problem.columns.held[:, p] * problem.columns.held[:, q]
        cross = weight[some] * problem.columns.kernel[:, p] * problem.columns.kernel[:, q]
        prior = weight[some] * problem.columns.sizes[p] * problem.columns.sizes[q]
        solved = inverse @ own
        size, score = (own * solved).sum(axis=0), own.T @ alpha
        size = np.maximum(size, 1e-300)
        # A part of its own without a prior.
        known, shared = inverse @ cross, (cross * solved).sum(axis=0)
        free = cross.T @ alpha + (1 - shared) * score / size
        left = np.maximum(prior - (cross * known).sum(axis=0), 0) + (1 - shared) ** 2 / size
        evidence[some] = free / np.sqrt(left)
        # The posterior of the model, in which only selected pairs have a part of their own.
        extra = np.where(is_selected[some], problem.prior, 0.0)
        mean[some] = cross.T @ alpha + extra * score
        both = (cross * known).sum(axis=0) + 2 * extra * shared + extra**2 * size
        variance[some] = np.maximum(prior + extra - both, 0)
        if reference is not None and among is not None:
            solved_one, size_one, score_one = reference
            overlap = (own.T @ solved_one) / np.sqrt(size * size_one)
            ahead = score_one / np.sqrt(size_one) - overlap * score / np.sqrt(size)
            beside = np.sign(score_one) * ahead / np.sqrt(np.maximum(1 - overlap**2, 1e-12))
            rivals[some] = np.where(is_selected[some], np.inf, beside)
    if among is not None:
        rivals[among] = np.inf
        lead[among] = rivals.min() / problem.spread
    std = np.sqrt(variance) * problem.spread
    return PairEstimates(mean, std, evidence / problem.spread, lead)


def _score(column: np.ndarray, inverse: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, float, float]:
    solved = inverse @ column
    return solved, float(column @ solved), float(column @ alpha)


def _limit(problem: PairProblem, selected: Sequence[int]) -> float:
    """Quantile of Student's t, two-sided, with the degrees of freedom that sums and pairs leave."""
    covariance = problem.covariance(selected)
    used = float(np.trace(np.linalg.solve(covariance, problem.additive)))
    freedom = max(len(problem.z) - used - len(selected), 1.0)
    return float(student.isf(CHANCE / 2 / problem.count, freedom))


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))
