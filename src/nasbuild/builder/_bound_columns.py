"""Bounds as columns of summed costs: what each module contributes, and the upper limit of each sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nasbuild.builder._bound_names import ExactCost, StageCost, of_stages
from nasbuild.builder._bounds import Bound
from nasbuild.builder._part_grid import Limits
from nasbuild.builder._scored_modules import ScoredModules
from nasbuild.errors import NasbuildError
from nasbuild.score import TargetFit

_ROUNDING = 1e-9


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
