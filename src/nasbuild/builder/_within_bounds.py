"""Building by summed score within bounds on costs and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nasbuild.builder._bound_columns import bounded, limits_of
from nasbuild.builder._bound_names import (
    ExactCost,
    exact_values,
    resolve_name,
    resolve_names,
)
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._bounds import Bound
from nasbuild.builder._infeasible import nothing_within, nothing_within_layerwise
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._layerwise import is_layerwise, layerwise_space
from nasbuild.builder._layerwise_topk import layerwise_topk
from nasbuild.builder._opaque_costs import build_if_opaque
from nasbuild.builder._scored_modules import scored_modules
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.score import Fit, TargetFit
from nasbuild.space import Architecture

_ROUNDING = 1e-9


@dataclass(frozen=True)
class BoundedBuild:
    """Architectures built within bounds.

    Attributes
    ----------
    built
        Best score first.
    n_proven
        How many of the first architectures are proven to be the best.
    gap
        Upper bound on how much the best score may exceed the first one's, in the target's unit;
        infinite if unknown, 0 if proven.

    Examples
    --------
    >>> from nasbuild.builder import build_within
    >>> found = build_within(fit, "acc", 3, read_bounds(["layers <= 4"]))
    >>> len(found.built), found.n_proven, found.gap
    (3, 3, 0.0)
    """

    built: list[Built]
    n_proven: int
    gap: float = 0.0


def build_within(
    fit: Fit, target: str | None, n: int, bounds: Sequence[Bound], *, apart: int = 1
) -> BoundedBuild:
    """Returns the ``n`` best architectures by summed module score within bounds, best first.

    A bound on a target holds for its summed module scores, which are the expected label without
    interactions (recipe ``default``: on the scale on which scores add up). A bound on ``layers``, a
    declared cost, or a metric that the table shows to be an exact sum, holds exactly. Modules whose
    cost the table does not determine are left out.

    Parameters
    ----------
    target
        The target to optimise; None if the fit has only one.
    bounds
        On targets of the fit, on ``layers``, on declared costs, or on exact sums.
    apart
        Number of stages in which each architecture must differ from every earlier one, at least.

    Raises
    ------
    NasbuildError
        If ``n`` or ``apart`` is below 1, or a bound names nothing that is known.
    Infeasible
        If nothing is within the bounds. The message names, for each bound, the nearest value that
        can be met while the others hold.

    Examples
    --------
    >>> from nasbuild.builder import build_within
    >>> found = build_within(fit, "acc", 2, read_bounds(["layers <= 4"]))
    >>> [sum(map(len, one.architecture)) for one in found.built]
    [4, 4]
    >>> build_within(fit, "acc", 1, read_bounds(["layers <= 2"]))
    Traceback (most recent call last):
        ...
    nasbuild.errors.Infeasible: --where: nothing is within all bounds; loosen one of them: layers <= 3
    """
    require_positive("the number of architectures", n)
    require_positive("the number of stages that differ", apart)
    first = fit.of(target)
    exact, others = resolve_names(fit, first, [bound.name for bound in bounds])
    targets = [first, *others]
    build = partial(_within_sums, fit, targets, apart)
    checked = build_if_opaque(fit, exact, bounds, n, build)
    if checked is None:
        return build(exact, bounds, n)
    checked.sort(key=lambda built: -first.target.sign * built.score)
    return BoundedBuild(checked[:n], 0, np.inf)


def _within_sums(
    fit: Fit,
    targets: Sequence[TargetFit],
    apart: int,
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
    n: int,
) -> BoundedBuild:
    """`build_within` where every cost is a sum over stages and pairs of stages."""
    first = targets[0]
    sign = first.target.sign
    if is_layerwise(targets, exact):
        limits, costs = limits_of(targets, exact, bounds)
        found = layerwise_topk(
            layerwise_space(targets, fit, costs, limits, interactions=False), sign, n, apart
        )
        if not found.architectures:
            raise nothing_within_layerwise(fit, targets, exact, bounds)
        built = describe(first, found.architectures)
        return BoundedBuild(built, found.n_proven, found.upper - float(found.values[0]))
    table, costs, most = bounded(scored_modules(targets), targets, exact, bounds)
    problem = Problem(tuple(sign * scores[:, 0] for scores in table.scores), costs, most)
    best = bounded_topk(problem, n, apart)
    if not len(best):
        raise nothing_within(problem, bounds, fit, exact)
    architectures = [table.architecture(pick) for pick in best.picks]
    gap = 0.0 if best.n_proven else best.upper - float(problem.values(best.picks[:1])[0])
    return BoundedBuild(describe(first, architectures), best.n_proven, gap)


def predicted_bound_names(fit: Fit, bounds: Sequence[Bound]) -> list[str]:
    """Names of bounded targets, which are predicted instead of known exactly, each once.

    Examples
    --------
    >>> from nasbuild.builder import predicted_bound_names
    >>> predicted_bound_names(fit, read_bounds(["acc >= 90", "layers <= 4"]))
    ['acc']
    """
    names = dict.fromkeys(bound.name for bound in bounds)
    return [name for name in names if isinstance(resolve_name(fit, name), TargetFit)]


def expected_values(
    fit: Fit, name: str, architectures: Sequence[Architecture]
) -> tuple[np.ndarray, np.ndarray]:
    """Expected values of a metric, and their standard deviations.

    Returns
    -------
    The exact cost of that name with deviation 0, if there is one; else y' of the target. Each is
    (architectures,), in the metric's unit.

    Raises
    ------
    NasbuildError
        If the name is neither an exact cost nor a target of the fit.

    Examples
    --------
    >>> from nasbuild.builder import expected_values
    >>> value, std = expected_values(fit, "layers", table.architectures[:3])
    >>> value.tolist(), std.tolist()
    ([3.0, 5.0, 4.0], [0.0, 0.0, 0.0])
    """
    found = resolve_name(fit, name)
    if isinstance(found, TargetFit):
        return found.scorer.predict(architectures)
    return exact_values(fit, found, architectures), np.zeros(len(architectures))


def within_bounds(fit: Fit, architectures: Sequence[Architecture], bounds: Sequence[Bound]) -> np.ndarray:
    """Whether architectures are within bounds, (architectures,) bool.

    Targets count by their prediction y', exact costs by their value. Unknown values are not within.

    Examples
    --------
    >>> from nasbuild.builder import within_bounds
    >>> within_bounds(fit, table.architectures[:3], read_bounds(["layers <= 3"])).tolist()
    [True, False, False]
    """
    inside = np.ones(len(architectures), dtype=bool)
    for bound in bounds if len(architectures) else ():
        value, _ = expected_values(fit, bound.name, architectures)
        # Costs are sums over layers, which round: a value at the bound is within.
        inside &= bound.sign * (value - bound.value) <= _ROUNDING * np.maximum(
            abs(bound.value), np.abs(value)
        )
    return inside
