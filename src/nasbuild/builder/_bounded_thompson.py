"""What to evaluate next within bounds: what is best by one way or another of reading the labels, of what holds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nasbuild.builder._bound_names import resolve_names
from nasbuild.builder._bounded_topk import Problem, bounded_topk
from nasbuild.builder._bounds import Bound
from nasbuild.builder._layerwise import is_layerwise
from nasbuild.builder._opaque_costs import has_opaque_costs
from nasbuild.builder._scored_modules import ScoredModules, scored_modules
from nasbuild.builder._thompson_sampling import in_turn
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.builder._within_bounds import bounded, build_within, expected_values
from nasbuild.errors import Infeasible
from nasbuild.score import COMPARED, Fit, Scorer, TargetFit
from nasbuild.space import Architecture, group_codes

_PRICES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Of a bound, in spans of the scores per span of the cost: at each, the best modules take part."""
_AT_ONCE, _MOST = 8, 1_024  # picks of a member that are looked at, first and in the end
_ROUNDING = 1e-9
_MORE, _LEAST = 8, 64  # best ones by score that members choose from, where modules can't be listed


def propose_within(fit: Fit, target: str | None, n: int, bounds: Sequence[Bound]) -> list[Built]:
    """``n`` architectures without a label that are worth one and are within bounds, by Thompson sampling.

    As `propose`, but the best by one member's scores is the best within the bounds: exact costs hold exactly, bounds
    on targets for the prediction y'. Modules that are among the best of their stage once their costs are paid for, at
    one of several prices, take part. Fewer come back where there are no more.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1, or a bound names nothing that is known.
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
    each = [sign * scores for scores in _member_scores(first.scorer, table)]
    turns = [
        _best_first(fit, table, Problem(tuple(s[member] for s in each), costs, most), bounds)
        for member in range(first.scorer.members)
    ]
    return describe(first, in_turn(first.scorer, turns, n))


def _of_built(fit: Fit, first: TargetFit, n: int, bounds: Sequence[Bound]) -> list[Built]:
    """The same where modules can't be listed: members choose in turn among the best by score within the bounds."""
    network = first.scorer.canonical_key
    passed = {network(a) for a in first.scorer.architectures}
    try:
        built = build_within(fit, first.target.name, max(_MORE * n, _LEAST), bounds).built
    except Infeasible:
        return []
    architectures = [one.architecture for one in built]
    inside = within_bounds(fit, architectures, bounds)
    left = [a for a, good in zip(architectures, inside, strict=True) if good and network(a) not in passed]
    if not left:
        return []
    scores = np.zeros((first.scorer.members, len(left)))
    for u, stage in enumerate(fit.space.stages):
        codes = [stage.encode(a.modules[u]) for a in left]
        scores += (
            group_codes(codes)
            .evaluate(lambda own, u=u: first.scorer.member_scores(u, own).T, (len(scores),))
            .T
        )
    order = np.argsort(-first.target.sign * scores, axis=1, kind="stable").tolist()
    chosen: dict[int, None] = {}
    for place in range(len(left)):
        for member in order:
            if len(chosen) < n:
                chosen.setdefault(next((i for i in member if i not in chosen), member[place]))
    return describe(first, [left[i] for i in chosen])


def within_bounds(fit: Fit, architectures: Sequence[Architecture], bounds: Sequence[Bound]) -> np.ndarray:
    """Which architectures are within the bounds as far as is known, (architectures,) bool.

    By the prediction y' of targets, by the cost itself where it is exact; what is not known is not within.
    """
    inside = np.ones(len(architectures), dtype=bool)
    for bound in bounds if len(architectures) else ():
        value, _ = expected_values(fit, bound.name, architectures)
        # A cost is a sum over layers, which rounds: what is at the bound is within.
        inside &= bound.sign * (value - bound.value) <= _ROUNDING * np.maximum(
            abs(bound.value), np.abs(value)
        )
    return inside


def _candidates(scores: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Positions of the modules of a stage that may be its best at some prices on its costs, ascending."""
    if len(scores) <= COMPARED:
        return np.arange(len(scores))
    span = float(np.ptp(scores)) or 1.0
    units = [span / (float(np.ptp(c)) or 1.0) for c in costs.T]
    price_bounds = [scores]
    for price in _PRICES:
        price_bounds += [scores - price * unit * c for unit, c in zip(units, costs.T, strict=True)]
        price_bounds.append(scores - price * (costs * units).sum(axis=1))
    price_bounds += [-c for c in costs.T]
    return np.unique(np.concatenate([np.argsort(-p, kind="stable")[:COMPARED] for p in price_bounds]))


def _member_scores(scorer: Scorer, table: ScoredModules) -> Iterator[np.ndarray]:
    """Scores of the modules of each stage by every member, (members, modules)."""
    for u, codes in enumerate(table.codes):
        yield (
            group_codes(codes).evaluate(lambda own, u=u: scorer.member_scores(u, own).T, (scorer.members,)).T
        )


def _best_first(
    fit: Fit, table: ScoredModules, problem: Problem, bounds: Sequence[Bound]
) -> Iterator[Architecture]:
    """Architectures within the bounds by one member's scores, best first."""
    told, n = 0, _AT_ONCE
    while True:
        picks = bounded_topk(problem, n).picks
        new = [table.architecture(pick) for pick in picks[told:].tolist()]
        for architecture, inside in zip(new, within_bounds(fit, new, bounds), strict=True):
            if inside:
                yield architecture
        if len(picks) < n or n >= _MOST:
            return
        told, n = len(picks), 4 * n
