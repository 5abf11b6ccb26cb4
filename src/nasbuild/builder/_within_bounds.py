"""Building by summed score within bounds on costs and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.builder._bound_names import (
    ExactCost,
    StageCost,
    exact_values,
    of_stages,
    resolve_name,
    resolve_names,
)
from nasbuild.builder._bounded_topk import Problem, bounded_topk
from nasbuild.builder._bounds import Bound, loosened
from nasbuild.builder._layerwise import is_layerwise, layerwise_space, of_cost
from nasbuild.builder._layerwise_topk import layerwise_topk
from nasbuild.builder._opaque_costs import build_checked, has_opaque_costs
from nasbuild.builder._part_grid import Limits
from nasbuild.builder._scored_modules import ScoredModules, scored_modules
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.errors import Infeasible, NasbuildError
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
    """
    require_positive("the number of architectures", n)
    require_positive("the number of stages that differ", apart)
    first = fit.of(target)
    exact, others = resolve_names(fit, first, [bound.name for bound in bounds])
    targets = [first, *others]
    if has_opaque_costs(exact):
        found = build_checked(
            fit,
            exact,
            bounds,
            n,
            lambda costs, limits, count: _within_sums(fit, targets, count, costs, limits, apart).built,
            lambda one: one.architecture,
        )
        found.sort(key=lambda one: -first.target.sign * one.score)
        return BoundedBuild(found[:n], 0, np.inf)
    return _within_sums(fit, targets, n, exact, bounds, apart)


def _within_sums(
    fit: Fit,
    targets: Sequence[TargetFit],
    n: int,
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
    apart: int,
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
            raise nothing_within_deep(fit, targets, exact, bounds)
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


def limits_of(
    targets: Sequence[TargetFit], exact: Mapping[str, ExactCost], bounds: Sequence[Bound]
) -> tuple[Limits, list[StageCost]]:
    """Converts bounds to the `Limits` of a grid, and returns the exact cost of each bounded column."""
    place = {one.target.name: t for t, one in enumerate(targets)}
    on_costs = [bound for bound in bounds if bound.name in exact]
    on_targets = []
    for bound in bounds:
        if bound.name not in exact:
            t = place[bound.name]
            most = bound.sign * sum_at(targets[t], bound.value)
            on_targets.append((t, bound.sign, most + _ROUNDING * abs(most)))
    limits = Limits(
        np.array([float(bound.sign) for bound in on_costs]),
        np.array([bound.sign * bound.value for bound in on_costs], dtype=np.float64),
        tuple(on_targets),
    )
    return limits, [of_stages(exact[bound.name]) for bound in on_costs]


def sum_at(target_fit: TargetFit, label: float) -> float:
    """`Scorer.sum_at`, infinite for labels that overflow on that scale."""
    with np.errstate(over="ignore"):
        return target_fit.scorer.sum_at(label)


def bounded(
    table: ScoredModules,
    targets: Sequence[TargetFit],
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
) -> tuple[ScoredModules, tuple[np.ndarray, ...], np.ndarray]:
    """Computes the costs of modules that are bounded.

    Parameters
    ----------
    table
        Modules with the scores of ``targets``, in their order.
    exact
        Exactly known costs by name.

    Returns
    -------
    The modules whose costs are known; for each stage their costs, (modules, bounds); and the upper
    limit of each sum, (bounds,). Costs of targets are on the scales on which scores add up.
    """
    places = {target_fit.target.name: t for t, target_fit in enumerate(targets)}
    found, most = [], []
    for bound in bounds:
        if bound.name in exact:
            cost = of_stages(exact[bound.name])
            found.append([bound.sign * cost.of_modules(u, own) for u, own in enumerate(table.codes)])
            most.append(bound.sign * bound.value)
        else:
            t = places[bound.name]
            found.append([bound.sign * scores[:, t] for scores in table.scores])
            most.append(bound.sign * sum_at(targets[t], bound.value))
    costs = [
        np.stack([c[u] for c in found], axis=1) if found else np.zeros((len(codes), 0))
        for u, codes in enumerate(table.codes)
    ]
    known = [np.flatnonzero(~np.isnan(cost).any(axis=1)) for cost in costs]
    for u, some in enumerate(known):
        if len(costs[u]) and not len(some):
            names = " and ".join(dict.fromkeys(b.name for b in bounds if b.name in exact))
            raise NasbuildError(
                f"the table does not determine how much the modules of {table.space.stages[u].name} "
                f"contribute to {names}",
                where="--where",
                todo="declare what each choice costs: costs: in the space, or --costs with a file",
            )
    costs = tuple(cost[k] for cost, k in zip(costs, known, strict=True))
    return table.select(known), costs, np.array(most, dtype=np.float64)


def on_targets(
    targets: Sequence[TargetFit], exact: Mapping[str, ExactCost], bounds: Sequence[Bound], most: np.ndarray
) -> tuple[tuple[int, int, float], ...]:
    """Bounds on predictions: (target, sign, upper limit of sign × prediction), from the limits of `bounded`."""
    place = {one.target.name: t for t, one in enumerate(targets)}
    return tuple(
        (place[b.name], b.sign, float(m)) for b, m in zip(bounds, most, strict=True) if b.name not in exact
    )


def predicted_bound_names(fit: Fit, bounds: Sequence[Bound]) -> list[str]:
    """Names of bounded targets, which are predicted instead of known exactly, each once."""
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
    """
    found = resolve_name(fit, name)
    if isinstance(found, TargetFit):
        return found.scorer.predict(architectures)
    return exact_values(fit, found, architectures), np.zeros(len(architectures))


def nothing_within(
    problem: Problem, bounds: Sequence[Bound], fit: Fit, exact: Mapping[str, ExactCost]
) -> Infeasible:
    """The error for bounds that nothing satisfies, with the nearest value of each that can be met."""

    def nearest(k: int) -> float | None:
        rest = [i for i in range(len(bounds)) if i != k]
        scores = tuple(-cost[:, k] for cost in problem.costs)
        others = Problem(scores, tuple(c[:, rest] for c in problem.costs), problem.bounds[rest])
        found = bounded_topk(others, 1)
        return -float(others.values(found.picks)[0]) if len(found) else None

    return _loosened(bounds, fit, exact, nearest)


def nothing_within_deep(
    fit: Fit, targets: Sequence[TargetFit], exact: Mapping[str, ExactCost], bounds: Sequence[Bound]
) -> Infeasible:
    """`nothing_within` for spaces that are built layer by layer."""

    def nearest(k: int) -> float | None:
        name, sign = bounds[k].name, bounds[k].sign
        rest = [bound for i, bound in enumerate(bounds) if i != k]
        if name in exact:
            limits, costs = limits_of(targets, exact, [bounds[k], *rest])
            whole = of_cost(layerwise_space(targets, fit, costs, limits, interactions=False), 0)
        else:
            place = next(t for t, one in enumerate(targets) if one.target.name == name)
            order = [targets[place], *(one for t, one in enumerate(targets) if t != place)]
            limits, costs = limits_of(order, exact, rest)
            whole = layerwise_space(order, fit, costs, limits, interactions=False)
        found = layerwise_topk(whole, -sign, 1)
        return -float(found.values[0]) if found.architectures else None

    return _loosened(bounds, fit, exact, nearest)


def _loosened(
    bounds: Sequence[Bound],
    fit: Fit,
    exact: Mapping[str, ExactCost],
    nearest: Callable[[int], float | None],
) -> Infeasible:
    options = []
    for k, bound in enumerate(bounds):
        least = nearest(k)
        if least is not None:
            value = bound.sign * least
            if bound.name not in exact:
                value = float(fit.of(bound.name).scorer.labels_at(np.array([value]))[0])
            options.append(loosened(bound, value))
    todo = f"loosen one of them: {', or '.join(options)}"
    if not options:
        todo = "loosen several bounds: no single one is enough"
    return Infeasible("nothing is within all bounds", where="--where", todo=todo)
