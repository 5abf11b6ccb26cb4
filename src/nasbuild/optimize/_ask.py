"""Plans what to evaluate next: random at first, then built and proposed from what has been learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasbuild.builder import LAYERS, format_bounds, within_bounds
from nasbuild.errors import Infeasible
from nasbuild.optimize._learn import Learned
from nasbuild.optimize._next_batch import FAILURE_LIMITS, Candidate, Inside, next_batch, random_batch
from nasbuild.optimize._round_summary import RoundPlan
from nasbuild.score import Failures, Fit
from nasbuild.search import Goal
from nasbuild.space import Architecture, Space


def plan_round(
    space: Space, goal: Goal, n: int, learned: Learned, seen: Sequence[Architecture], seed: int
) -> RoundPlan:
    """Plans ``n`` new architectures to evaluate; fewer if the space has no more.

    The plan depends on its arguments alone, so that a stopped loop continues as if it had never been stopped.

    Parameters
    ----------
    learned
        From all evaluations so far; without a fit, architectures are random.
    seen
        Evaluated or planned before, in that order; they are not planned again.

    Raises
    ------
    Infeasible
        If nothing is within bounds that are known exactly.

    Examples
    --------
    >>> from nasbuild.optimize import Learned, plan_round
    >>> plan = plan_round(space, goal, 3, Learned(), [first], seed=0)
    >>> [candidate.origin for candidate in plan.candidates]
    ['random', 'random', 'random']
    >>> plan = plan_round(space, goal, 3, Learned(state.fit), state.evaluated.architectures, seed=0)
    >>> plan.predicted.shape
    (3, 1)
    """
    fitted, failures = learned.fit, learned.failures
    names = [target.name for target in goal.targets]
    # The first round is a prefix of any sample with this seed.
    rng = np.random.default_rng([seed, len(seen)] if seen else seed)
    asked: list[Candidate] = []
    # Once all likely successes have been asked for, the remaining candidates are used despite the risk.
    for known in dict.fromkeys((failures, None)):
        taken = [*seen, *(a.architecture for a in asked)]
        if fitted is not None:
            knowing = replace(fitted, failures=known)
            asked += next_batch(knowing, n - len(asked), taken, targets=names, bounds=goal.bounds)
            taken = [*seen, *(a.architecture for a in asked)]
        if len(asked) < n:
            asked += random_batch(space, n - len(asked), taken, rng, _inside(space, goal, fitted, known))
        if len(asked) == n:
            break
    if not asked and not seen:
        raise Infeasible(
            f"no random architecture is within {format_bounds(goal.bounds)}",
            where="--where",
            todo="loosen the bounds",
        )
    architectures = [a.architecture for a in asked]
    failing = None if failures is None else failures.probability(architectures)
    if fitted is None or not asked:
        nothing = np.full((len(asked), len(names)), np.nan)
        return RoundPlan(tuple(asked), nothing, nothing, learned.note, failing)
    predictions = [fitted.of(name).scorer.predict(architectures) for name in names]
    predicted, std = (np.column_stack(part) for part in zip(*predictions, strict=True))
    return RoundPlan(tuple(asked), predicted, std, failing=failing)


def _inside(space: Space, goal: Goal, fitted: Fit | None, failures: Failures | None) -> Inside | None:
    """Tells which random architectures may be evaluated; None if all may.

    They are within the bounds as far as is known, and not more likely to fail than to succeed.
    """
    bounds = _inside_bounds(space, goal, fitted)
    if failures is None:
        return bounds

    def both(some: Sequence[Architecture]) -> np.ndarray:
        within = np.ones(len(some), dtype=bool) if bounds is None else bounds(some)
        return within & (failures.probability(some) <= FAILURE_LIMITS[1])

    return both


def _inside_bounds(space: Space, goal: Goal, fitted: Fit | None) -> Inside | None:
    if not goal.bounds:
        return None
    if fitted is not None:
        return lambda some: within_bounds(fitted, some, goal.bounds)
    names = goal.costs | ({LAYERS} - set(space.metrics))
    own = replace(goal, bounds=tuple(bound for bound in goal.bounds if bound.name in names))
    return lambda some: own.bounds_hold(own.exact(space, some))
