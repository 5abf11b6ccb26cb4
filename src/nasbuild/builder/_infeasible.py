"""The error for bounds that nothing satisfies: the nearest value of each bound that can be met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nasbuild.builder._bound_columns import limits_of
from nasbuild.builder._bound_names import ExactCost
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._bounds import Bound, loosened
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._layerwise import layerwise_space, of_cost
from nasbuild.builder._layerwise_topk import layerwise_topk
from nasbuild.errors import Infeasible
from nasbuild.score import Fit, TargetFit


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


def nothing_within_layerwise(
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
