"""Thompson sampling within bounds on costs and targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nasbuild.builder._bound_columns import bounded
from nasbuild.builder._bound_names import resolve_names
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._bounds import Bound
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._layerwise import is_layerwise
from nasbuild.builder._opaque_costs import has_opaque_costs
from nasbuild.builder._scored_modules import ScoredModules, scored_modules
from nasbuild.builder._thompson_sampling import in_turn
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.builder._within_bounds import build_within, within_bounds
from nasbuild.errors import Infeasible
from nasbuild.score import COMPARED, Fit, Scorer, TargetFit
from nasbuild.space import Architecture, group_codes

_PRICES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Prices of a cost, in ranges of the scores per range of the cost: the best modules at each are candidates."""
_FIRST_PICKS, _MAX_PICKS = 8, 1_024  # picks of a member that are checked, at first and in total
_POOL_FACTOR, _MIN_POOL = 8, 64  # best by score that members select from, if modules can't be listed


def propose_within(fit: Fit, target: str | None, n: int, bounds: Sequence[Bound]) -> list[Built]:
    """Proposes ``n`` unlabelled architectures within bounds, by Thompson sampling.

    As `propose`, but each member takes the best within the bounds. Bounds on exact costs hold
    exactly, bounds on targets for the prediction y'. Candidates are the modules that are among the
    best of their stage at one of several prices on their costs.

    Parameters
    ----------
    target
        The target to optimise; None if the fit has only one.
    bounds
        As in `build_predicted`.

    Returns
    -------
    Fewer than ``n`` architectures if there are no more; none if nothing is within the bounds.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1, or a bound names nothing that is known.

    Examples
    --------
    >>> from nasbuild.builder import propose_within
    >>> found = propose_within(fit, "acc", 3, read_bounds(["layers <= 4"]))
    >>> max(sum(map(len, one.architecture)) for one in found)
    4
    """
    require_positive("the number of architectures", n)
    fit = fit.with_unseen()
    first = fit.of(target)
    exact, others = resolve_names(fit, first, [bound.name for bound in bounds])
    targets = [first, *others]
    if has_opaque_costs(exact) or is_layerwise(targets, exact):
        return _of_built(fit, first, n, bounds)
    table, costs, most = bounded(scored_modules(targets), targets, exact, bounds)
    if not all(table.codes):
        return []
    sign = first.target.sign
    kept = [_candidates(sign * scores[:, 0], cost) for scores, cost in zip(table.scores, costs, strict=True)]
    table, costs = table.select(kept), tuple(c[k] for c, k in zip(costs, kept, strict=True))
    by_stage = [sign * scores for scores in _member_scores(first.scorer, table)]
    turns = [
        _best_first(fit, table, Problem(tuple(s[member] for s in by_stage), costs, most), bounds)
        for member in range(first.scorer.members)
    ]
    return describe(first, in_turn(first.scorer, turns, n))


def _of_built(fit: Fit, first: TargetFit, n: int, bounds: Sequence[Bound]) -> list[Built]:
    """`propose_within` if modules can't be listed: members select in turn among the best by score."""
    network = first.scorer.canonical_key
    labelled = {network(a) for a in first.scorer.architectures}
    try:
        built = build_within(fit, first.target.name, max(_POOL_FACTOR * n, _MIN_POOL), bounds).built
    except Infeasible:
        return []
    architectures = [one.architecture for one in built]
    inside = within_bounds(fit, architectures, bounds)
    pool = [a for a, good in zip(architectures, inside, strict=True) if good and network(a) not in labelled]
    if not pool:
        return []
    scores = np.zeros((first.scorer.members, len(pool)))
    for u, stage in enumerate(fit.space.stages):
        codes = [stage.encode(a.modules[u]) for a in pool]
        scores += (
            group_codes(codes)
            .evaluate(lambda own, u=u: first.scorer.member_scores(u, own).T, (len(scores),))
            .T
        )
    order = np.argsort(-first.target.sign * scores, axis=1, kind="stable").tolist()
    chosen: dict[int, None] = {}
    for place in range(len(pool)):
        for member in order:
            if len(chosen) < n:
                chosen.setdefault(next((i for i in member if i not in chosen), member[place]))
    return describe(first, [pool[i] for i in chosen])


def _candidates(scores: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Positions of the modules of a stage that are among its best at some prices on costs, ascending."""
    if len(scores) <= COMPARED:
        return np.arange(len(scores))
    span = float(np.ptp(scores)) or 1.0
    units = [span / (float(np.ptp(c)) or 1.0) for c in costs.T]
    keys = [scores]
    for price in _PRICES:
        keys += [scores - price * unit * c for unit, c in zip(units, costs.T, strict=True)]
        keys.append(scores - price * (costs * units).sum(axis=1))
    keys += [-c for c in costs.T]
    return np.unique(np.concatenate([np.argsort(-p, kind="stable")[:COMPARED] for p in keys]))


def _member_scores(scorer: Scorer, table: ScoredModules) -> Iterator[np.ndarray]:
    """Yields the scores of the modules of each stage by every member, (members, modules)."""
    for u, codes in enumerate(table.codes):
        yield (
            group_codes(codes).evaluate(lambda own, u=u: scorer.member_scores(u, own).T, (scorer.members,)).T
        )


def _best_first(
    fit: Fit, table: ScoredModules, problem: Problem, bounds: Sequence[Bound]
) -> Iterator[Architecture]:
    """Yields architectures within the bounds by one member's scores, best first."""
    checked, n = 0, _FIRST_PICKS
    while True:
        picks = bounded_topk(problem, n).picks
        new = [table.architecture(pick) for pick in picks[checked:].tolist()]
        for architecture, inside in zip(new, within_bounds(fit, new, bounds), strict=True):
            if inside:
                yield architecture
        if len(picks) < n or n >= _MAX_PICKS:
            return
        checked, n = len(picks), 4 * n
