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
LEAD = 3.0
"""Nats by which a named pair is ahead of any other pairs in its place: odds of 20 to 1."""
_MOST = 20  # selected pairs
_ROWS_FOR_EACH = 12  # at least, for each selected pair or row
_DOUBT = 2.0  # nats: a 95 % interval of the noise
_NOISE_STEP, _NOISE_STEPS = 1.4, 20
_ROUNDS = 20  # in which pairs are replaced
_WIDTH, _NOISE_WIDTH = (
    2.0,
    0.5,
)  # prior deviation of log variances around those of the fit; few rows say little of noise
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


@dataclass(frozen=True)
class Selection:
    """The pairs that interact, and the problem with their own parts.

    Attributes
    ----------
    problem
        With the variances found beside the selected pairs.
    selected
        Pairs with a part of their own, named or not, in the order in which they were found. So are rows that no pair
        explains, after all pairs (`PairProblem.column`).
    named
        Those that stand out, and that no other pairs could stand in for.
    limit
        Least distance from 0, in deviations, of a pair that stands out.
    objective
        Negative log density of the labels in nats, with `PairProblem.penalty` more for each selected one.
    """

    problem: PairProblem
    selected: tuple[int, ...]
    named: tuple[int, ...]
    limit: float
    objective: float

    @property
    def pairs(self) -> tuple[int, ...]:
        """The selected pairs, without rows."""
        return tuple(one for one in self.selected if one < self.problem.count)


def select_pairs(problem: PairProblem) -> Selection:
    """Add the pair that stands out most, as long as one does; none is named yet.

    A pair stands out if its e is further from 0 than Student's t is by chance for any of the pairs (Bonferroni). Its e
    is judged with a part of its own that has no prior, so nothing pulls it to 0. Variances are found anew each time.

    A single row may be off as well, by a pair that no other row has or by a mistake. So rows compete with pairs.
    """
    return _added(problem, problem, (), None) if problem.count else Selection(problem, (), (), np.inf, 0.0)


def name_pairs(best: Selection, problem: PairProblem) -> Selection:
    """Try to do without each of the selected pairs and rows, and name the pairs that are needed.

    Each interaction is taken to be 0 in turn, and others are added in its place. If these are more probable, they are
    taken. Else a pair is named if it is ahead by `LEAD` nats: the rows tell that it is this one. ``problem`` is that of
    the fit.
    """
    ahead: dict[int, float] = {}
    for _ in range(_ROUNDS):
        ahead = {}
        # What the kernels of all pairs explain as well needs no part of its own, on either side.
        objective = _removed(best, problem).objective
        for pair in best.selected:
            others = tuple(other for other in best.selected if other != pair)
            without = _removed(_added(best.problem.without(pair), problem, others, pair), problem)
            ahead[pair] = without.objective - objective
            if ahead[pair] < 0:
                own, value = replace(without.problem, beside=problem.beside).with_pairs(
                    without.selected, problem
                )
                value += len(without.selected) * problem.penalty
                best = replace(without, problem=own, objective=value)
                break
        else:
            break
    leading = [pair for pair in best.pairs if ahead.get(pair, -1.0) >= LEAD]
    if not leading:
        return replace(best, named=())
    # Rows that no pair explains show how wide the noise is: they count when a pair is judged at last.
    noisy = _with_much_noise(best.problem, best.pairs, problem)
    named = tuple(pair for pair in leading if _stands_out(noisy, best.pairs, pair))
    return replace(best, problem=noisy, selected=best.pairs, named=named)


def _with_much_noise(found: PairProblem, pairs: Sequence[int], start: PairProblem) -> PairProblem:
    """The problem with the most noise that the labels still allow: its profile likelihood is `_DOUBT` nats below the best.

    Few rows may be explained without any noise, by luck.
    """
    found, _ = found.with_pairs(pairs, start)
    best = np.inf
    for step in np.arange(_NOISE_STEPS):
        noise = float(found.variances[-1]) * (_NOISE_STEP if step else 1.0)
        more, value = found.with_pairs(pairs, start, noise)
        best = min(best, value)
        if value > best + _DOUBT:
            break
        found = more
    return found


def _added(
    problem: PairProblem, start: PairProblem, selected: tuple[int, ...], forbidden: int | None
) -> Selection:
    """Some pairs and those that stand out beside them, one after the other. ``start`` has the fit's variances."""
    problem, value = problem.with_pairs(selected, start)
    while True:
        limit = _limit(problem, selected)
        found = estimates(problem, selected)
        evidence = np.abs(np.append(found.evidence, found.of_rows))
        evidence[[*selected, *([] if forbidden is None else [forbidden])]] = 0.0
        pair = int(np.argmax(evidence))
        if evidence[pair] < limit or len(selected) >= min(_MOST, len(problem.z) // _ROWS_FOR_EACH):
            break
        selected = (*selected, pair)
        problem, value = problem.with_pairs(selected, start)
    return Selection(problem, selected, (), limit, value + len(selected) * problem.penalty)


def _removed(found: Selection, start: PairProblem) -> Selection:
    """Without what makes the labels no more probable than its penalty."""
    for one in found.selected:
        selected = tuple(other for other in found.selected if other != one)
        problem, value = found.problem.with_pairs(selected, start)
        value += len(selected) * problem.penalty
        if value < found.objective:
            found = replace(found, problem=problem, selected=selected, objective=value)
    return found


def _stands_out(problem: PairProblem, selected: Sequence[int], pair: int) -> bool:
    evidence = estimates(problem, [other for other in selected if other != pair]).evidence[pair]
    return abs(evidence) >= _limit(problem, selected)


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


def _limit(problem: PairProblem, selected: Sequence[int]) -> float:
    """Quantile of Student's t, two-sided, with the degrees of freedom that sums and pairs leave."""
    covariance = problem.covariance(selected)
    used = float(np.trace(np.linalg.solve(covariance, problem.additive)))
    freedom = max(len(problem.z) - used - len(selected), 1.0)
    return float(student.isf(CHANCE / 2 / problem.count, freedom))


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))
