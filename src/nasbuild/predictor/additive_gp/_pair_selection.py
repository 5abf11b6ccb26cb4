"""Which pairs of choices interact: forward selection, with a threshold for all pairs that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from nasbuild.predictor.additive_gp._pair_problem import PairProblem, estimates

CHANCE = 0.01
"""Probability that any pair is named in a table without interactions."""
LEAD = 3.0
"""Nats by which a named pair is ahead of any other pairs in its place: odds of 20 to 1."""
_MOST = 20  # selected pairs
_ROWS_FOR_EACH = 12  # at least, for each selected pair or row
_DOUBT = 2.0  # nats: a 95 % interval of the noise
_NOISE_STEP, _NOISE_STEPS = 1.4, 20
_ROUNDS = 20  # in which pairs are replaced


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


def _limit(problem: PairProblem, selected: Sequence[int]) -> float:
    """Quantile of Student's t, two-sided, with the degrees of freedom that sums and pairs leave."""
    covariance = problem.covariance(selected)
    used = float(np.trace(np.linalg.solve(covariance, problem.additive)))
    freedom = max(len(problem.z) - used - len(selected), 1.0)
    return float(student.isf(CHANCE / 2 / problem.count, freedom))
