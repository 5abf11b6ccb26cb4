"""Building by the prediction y', which includes interactions; bounds on targets hold for y' as well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nasbuild.builder._beam_search import LISTED, WIDTH, best_predicted_picks
from nasbuild.builder._best_context import best_context_modules
from nasbuild.builder._bound_columns import bounded, limits_of, on_targets
from nasbuild.builder._bound_names import ExactCost, resolve_names
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._bounds import Bound, loosened
from nasbuild.builder._infeasible import nothing_within, nothing_within_layerwise
from nasbuild.builder._knapsack_problem import Problem, rounding_slack
from nasbuild.builder._layerwise import is_layerwise, layerwise_space
from nasbuild.builder._layerwise_topk import layerwise_topk
from nasbuild.builder._opaque_costs import build_if_opaque
from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._scored_modules import scored_modules
from nasbuild.builder._topk import PREDICTION_POOL, Built, best_by_prediction, describe, require_positive
from nasbuild.builder._within_bounds import expected_values
from nasbuild.errors import Infeasible
from nasbuild.score import Fit, TargetFit

_RERANKED = 4_000  # architectures of a small space that y' re-ranks if pairs do not make up all of y'
_ROUNDING = 1e-6


@dataclass(frozen=True)
class PredictedBuild:
    """Architectures built by prediction.

    Attributes
    ----------
    built
        Best y' first.
    proven
        Whether nothing that can be built from the scored modules has a better y'.
    pool
        Number of the best by score that y' selected from, for recipes without a sum over pairs of
        stages; None for the others.
    gap
        Upper bound on how much the best y' may exceed the first one, in the target's unit. Known only
        where stages are too deep to list; infinite elsewhere, also if ``proven``.

    Examples
    --------
    >>> from nasbuild.builder import build_predicted
    >>> found = build_predicted(fit, "acc", 3)
    >>> len(found.built), found.proven
    (3, True)
    """

    built: list[Built]
    proven: bool
    pool: int | None
    gap: float = np.inf


def build_predicted(
    fit: Fit, target: str | None, n: int, bounds: Sequence[Bound] = (), *, k: int | None = None
) -> PredictedBuild:
    """Returns the ``n`` architectures with the best prediction y' within bounds.

    If y' is a sum over pairs of stages, up to a million combinations are all compared. Larger
    spaces are searched by a beam search from the best by score (`best_predicted_picks`). For other
    recipes, y' selects among the `PREDICTION_POOL` best by score.

    Parameters
    ----------
    target
        The target to optimise; None if the fit has only one.
    bounds
        As in `build_within`, but a bound on a target holds for its y'.
    k
        Use only ``k`` modules of each stage: those of the highest expected best context
        (`best_context_modules`).

    Raises
    ------
    NasbuildError
        If ``n`` or ``k`` is below 1, or a bound names nothing that is known.
    Infeasible
        If nothing is found within the bounds; the message names the nearest values found.

    Examples
    --------
    >>> from nasbuild.builder import build_predicted
    >>> found = build_predicted(fit, "acc", 3, read_bounds(["layers <= 4"]))
    >>> [sum(map(len, one.architecture)) for one in found.built]
    [4, 4, 4]
    """
    require_positive("the number of architectures", n)
    first = fit.of(target)
    exact, others = resolve_names(fit, first, [bound.name for bound in bounds])
    targets = [first, *others]
    build = partial(_by_sums, fit, targets, k)
    checked = build_if_opaque(fit, exact, bounds, n, build)
    if checked is None:
        return build(exact, bounds, n)
    return PredictedBuild(best_by_prediction(first, checked, n), proven=False, pool=None)


def _by_sums(
    fit: Fit,
    targets: Sequence[TargetFit],
    k: int | None,
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
    n: int,
) -> PredictedBuild:
    """`build_predicted` where every cost is a sum over stages and pairs of stages."""
    first = targets[0]
    sign = first.target.sign
    on_labels = [bound for bound in bounds if bound.name not in exact]
    if k is None and is_layerwise(targets, exact):
        return _deep(fit, targets, n, exact, bounds)
    table = scored_modules(targets)
    if k is not None:
        require_positive("the number of modules per stage", k)
        table = table.select(best_context_modules(first.scorer, sign, table, k))
    table, costs, most = bounded(table, targets, exact, bounds)
    problem = Problem(tuple(sign * scores[:, 0] for scores in table.scores), costs, most)
    limits = most + rounding_slack(problem)
    on_costs = [i for i, bound in enumerate(bounds) if bound.name in exact]
    starts = _starts(problem, on_costs, max(n, PREDICTION_POOL))
    if not len(starts):
        raise nothing_within(problem, bounds, fit, exact)
    pairs = [one.scorer.pairs(table.codes) for one in targets]
    known = tuple(pair for pair in pairs if pair is not None)
    proven, pool = False, len(starts)
    if len(known) == len(pairs):
        held = on_targets(targets, exact, bounds, limits)
        predicted = PairwisePrediction(
            table.scores, known, tuple(c[:, on_costs] for c in costs), limits[on_costs], held
        )
        # If pairs are not all of y', the best of many by pairs are re-ranked by y', and nothing is proven.
        exactly = all(one.scorer.exact_pairs for one in targets)
        listed = math.prod(len(scores) for scores in table.scores) <= LISTED
        more = n if exactly else max(n, _RERANKED if listed else WIDTH)
        starts, proven = best_predicted_picks(predicted, sign, starts, more)
        proven, pool = proven and exactly, None
    built = describe(first, [table.architecture(pick) for pick in starts.tolist()])
    within = _within(fit, built, on_labels)
    return PredictedBuild(best_by_prediction(first, within, n), proven, pool)


def _deep(
    fit: Fit, targets: Sequence[TargetFit], n: int, exact: Mapping[str, ExactCost], bounds: Sequence[Bound]
) -> PredictedBuild:
    """`build_predicted` layer by layer, for stages that are too deep to list."""
    first = targets[0]
    on_labels = [bound for bound in bounds if bound.name not in exact]
    sums = all(one.scorer.pairs([[] for _ in fit.space.stages]) is not None for one in targets)
    limits, costs = limits_of(targets, exact, bounds)
    whole = layerwise_space(targets, fit, costs, limits, interactions=sums)
    found = layerwise_topk(whole, first.target.sign, n if sums else max(n, PREDICTION_POOL))
    if not found.architectures:
        raise nothing_within_layerwise(fit, targets, exact, bounds)
    within = _within(fit, describe(first, found.architectures), on_labels)
    proven = sums and found.n_proven >= min(n, len(found.architectures))
    gap = 0.0
    if sums and not proven:
        ends = first.scorer.labels_at(first.target.sign * np.array([found.values[0], found.upper]))
        gap = abs(float(ends[1] - ends[0])) if np.isfinite(found.upper) else np.inf
    return PredictedBuild(
        best_by_prediction(first, within, n), proven, None if sums else len(found.architectures), gap
    )


def _starts(problem: Problem, exact: list[int], n: int) -> np.ndarray:
    """The best by score within the bounds; if there are none, those that violate target bounds least."""
    found = bounded_topk(problem, n).picks
    on_sums = [k for k in range(len(problem.bounds)) if k not in exact]
    if len(found) or not on_sums:
        return found
    unit = [sum(float(np.ptp(c[:, k])) for c in problem.costs) or 1.0 for k in on_sums]
    least = tuple(-(c[:, on_sums] / unit).sum(axis=1) for c in problem.costs)
    return bounded_topk(
        Problem(least, tuple(c[:, exact] for c in problem.costs), problem.bounds[exact]), n
    ).picks


def _within(fit: Fit, built: list[Built], bounds: list[Bound]) -> list[Built]:
    """Filters to architectures whose y' is within the bounds on targets.

    Raises
    ------
    Infeasible
        If none are; the message names the values of the nearest one.
    """
    if not bounds:
        return built
    signs, most = (
        np.array(part, dtype=np.float64) for part in zip(*((b.sign, b.value) for b in bounds), strict=True)
    )
    value = np.column_stack(
        [expected_values(fit, b.name, [one.architecture for one in built])[0] for b in bounds]
    )
    beyond = signs * (value - most)
    # Bounds were applied on the scale on which scores add up; converting back rounds.
    beyond[beyond <= _ROUNDING * np.maximum(np.abs(most), np.abs(value))] = 0
    kept = np.flatnonzero(~beyond.any(axis=1))
    if not len(kept):
        nearest = int(np.argmin((beyond / np.maximum(np.ptp(value, axis=0), 1e-300)).sum(axis=1)))
        needed = [
            loosened(b, v) for b, v, over in zip(bounds, value[nearest], beyond[nearest], strict=True) if over
        ]
        raise Infeasible(
            "no architecture was found whose predictions are within all bounds",
            where="--where",
            todo=f"loosen them: the nearest needs {' and '.join(needed)}",
        )
    return [built[i] for i in kept]
