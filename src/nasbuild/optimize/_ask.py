"""Plans what to evaluate next: random at first, then built and proposed from what has been learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasbuild.builder import LAYERS, within_bounds
from nasbuild.errors import Infeasible
from nasbuild.optimize._budget_turns import batch_by_turns
from nasbuild.optimize._learn import Learned
from nasbuild.optimize._next_batch import FAILURE_LIMITS, RANDOM, Candidate, Inside, random_batch
from nasbuild.optimize._reference_start import changed_batch, left_of_start
from nasbuild.optimize._round_summary import RoundPlan
from nasbuild.score import Failures, Fit
from nasbuild.search import Goal
from nasbuild.space import Architecture, Space


def plan_round(
    space: Space,
    goal: Goal,
    n: int,
    learned: Learned,
    seen: Sequence[Architecture],
    seed: int,
    *,
    start: int = 0,
) -> RoundPlan:
    """Plans ``n`` new architectures to evaluate; fewer if the space has no more.

    Budgets of the goal take turns (`batch_by_turns`).

    The plan depends on its arguments alone, so that a stopped loop continues as if it had never been stopped.

    Parameters
    ----------
    learned
        From all evaluations so far; without a fit, architectures are random.
    seen
        Evaluated or planned before, in that order; they are not planned again.
    start
        Number of architectures of `reference_start` that come before all others, whatever the bounds. As long as some of
        them are new, the plan has only these.

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
    if waiting := left_of_start(space, seed, seen, start):
        return _unpredicted(waiting[:n], len(names))
    # The first round is a prefix of any sample with this seed.
    rng = np.random.default_rng([seed, len(seen)] if seen else seed)
    asked: list[Candidate] = []
    # Once all likely successes have been asked for, the remaining candidates are used despite the risk.
    for known in dict.fromkeys((failures, None)):
        taken = [*seen, *(a.architecture for a in asked)]
        if fitted is not None:
            knowing = replace(fitted, failures=known)
            wanted = n - len(asked)
            asked += batch_by_turns(knowing, wanted, taken, targets=names, budgets=goal.alternatives)
            taken = [*seen, *(a.architecture for a in asked)]
        if len(asked) < n and start:
            # Random architectures of the whole space are far from the reference, and mostly ruined.
            inside = _inside(space, goal, fitted, known)
            some = changed_batch(space, n - len(asked), taken, [seed, len(seen)], inside)
            asked += [Candidate(one, RANDOM) for one in some]
            taken = [*seen, *(a.architecture for a in asked)]
        if len(asked) < n:
            asked += random_batch(space, n - len(asked), taken, rng, _inside(space, goal, fitted, known))
        if len(asked) == n:
            break
    if not asked and not seen:
        raise Infeasible(
            f"no random architecture is within {goal.bounds_text}",
            where="--where",
            todo="loosen the bounds",
        )
    architectures = [a.architecture for a in asked]
    failing = None if failures is None else failures.probability(architectures)
    if fitted is None or not asked:
        return replace(_unpredicted(asked, len(names)), note=learned.note, failing=failing)
    predictions = [fitted.of(name).scorer.predict(architectures) for name in names]
    predicted, std = (np.column_stack(part) for part in zip(*predictions, strict=True))
    return RoundPlan(tuple(asked), predicted, std, failing=failing)


def _unpredicted(asked: Sequence[Candidate], targets: int) -> RoundPlan:
    nothing = np.full((len(asked), targets), np.nan)
    return RoundPlan(tuple(asked), nothing, nothing)


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
        return lambda some: np.any([within_bounds(fitted, some, own) for own in goal.alternatives], axis=0)
    names = goal.costs | ({LAYERS} - set(space.metrics))
    exact = [tuple(bound for bound in own if bound.name in names) for own in goal.alternatives]
    own = replace(goal, bounds=exact[0], budgets=tuple(exact) if len(exact) > 1 else ())
    return lambda some: own.bounds_hold(own.exact(space, some))
