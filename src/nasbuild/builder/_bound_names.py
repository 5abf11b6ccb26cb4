"""Resolves the name in a bound: a cost that is known exactly, or a target that is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.builder._bounds import Bound
from nasbuild.builder._declared_costs import DeclaredCost
from nasbuild.builder._exact_costs import NotExact, TableSum, exact_sum
from nasbuild.builder._failure_bound import FAILURE_LOG_ODDS, FailureLogOdds
from nasbuild.errors import NasbuildError
from nasbuild.objective import signed
from nasbuild.score import Fit, TargetFit
from nasbuild.space import Architecture, Cost, Space

LAYERS, DEPTH = "layers", "depth"
"""Names of the bound on the number of layers."""


@dataclass(frozen=True)
class LayerCount:
    """The number of layers; features of the whole architecture do not count as a layer."""

    space: Space

    @property
    def neighbours(self) -> bool:
        return False

    def links(self) -> dict[tuple[int, int], np.ndarray]:
        """Empty: stages contribute independently."""
        return {}

    def vectors(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:  # noqa: ARG002
        """Factors of rank 0, (modules, 0)."""
        return np.zeros((len(codes), 0))

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Number of layers of each module of a stage, (modules,)."""
        if self.space.stages[stage].is_globals:
            return np.zeros(len(codes))
        return np.array([float(len(code)) for code in codes])


@dataclass(frozen=True)
class OpaqueCost:
    """A declared cost that can only be computed for whole architectures, not per stage."""

    space: Space
    cost: Cost


StageCost = LayerCount | TableSum | DeclaredCost | FailureLogOdds
ExactCost = StageCost | OpaqueCost


def exact_cost(fit: Fit, name: str) -> ExactCost | NotExact | None:
    """The exactly known cost of a name; None if there is none, so that the name may be a target."""
    space = fit.space
    if name == FAILURE_LOG_ODDS and fit.failures is not None:
        return FailureLogOdds(fit.failures)
    if name in space.costs:
        cost = space.costs[name]
        return (
            DeclaredCost(space, cost)
            if cost.is_sum(space) and not cost.needs_globals
            else OpaqueCost(space, cost)
        )
    if name in (LAYERS, DEPTH) and name not in fit.table.columns:
        return LayerCount(space)
    return exact_sum(fit, name) if name in fit.table.columns else None


def is_exact(fit: Fit, name: str) -> bool:
    """Whether a name stands for an exactly known cost.

    These are the number of layers, costs that the space declares, and metrics that the table shows
    to be exact sums over the layers.

    Examples
    --------
    >>> from nasbuild.builder import is_exact
    >>> is_exact(fit, "layers"), is_exact(fit, "acc")
    (True, False)
    """
    return isinstance(exact_cost(fit, name), ExactCost)


def resolve_name(fit: Fit, name: str, where: str = "--where") -> ExactCost | TargetFit:
    """Resolves a name in a bound.

    Returns
    -------
    A declared cost, the number of layers, or an exact sum that the table proves; else the target.

    Raises
    ------
    NasbuildError
        If nothing of this name can be bounded.
    """
    exact = exact_cost(fit, name)
    if isinstance(exact, ExactCost):
        return exact
    for target_fit in fit.targets:
        if target_fit.target.name == name:
            return target_fit
    if isinstance(exact, NotExact):
        raise _not_exact(name, exact, where)
    raise NasbuildError(
        f"{name!r} is neither a target of this fit nor a metric of its table",
        where=where,
        allowed=dict.fromkeys(
            [*(one.target.name for one in fit.targets), LAYERS, *fit.space.costs, *fit.table.columns]
        ),
    )


def bounds_on_targets(fit: Fit, bounds: Sequence[Bound]) -> list[Bound]:
    """The same bounds by the names of the fit: of metrics, and of targets that are ``-metric`` or ``+metric``.

    Examples
    --------
    >>> from nasbuild import score
    >>> from nasbuild.builder import Bound, bounds_on_targets
    >>> from nasbuild.predictor import recipe
    >>> signed = score.fit(fit.table, ["-loss"], recipe=recipe("ridge"), baselines=False)
    >>> bounds = bounds_on_targets(signed, [Bound("loss", 1, 0.5), Bound("layers", 1, 4)])
    >>> bounds[0], [str(bound) for bound in bounds]
    (Bound(name='-loss', sign=-1, value=-0.5), ['loss <= 0.5', 'layers <= 4'])
    """
    names = [one.target.name for one in fit.targets]
    own = fit.space.columns
    found = []
    for bound in bounds:
        # The user's own name of the column is the metric's, too.
        metric = None if own is None or bound.name in fit.table.columns else own.metric_of(bound.name)
        bound = bound if metric is None else replace(bound, name=metric)
        alias = next((name for name in names if signed(name) in ((1, bound.name), (-1, bound.name))), None)
        if alias is None or bound.name in names or is_exact(fit, bound.name):
            found.append(bound)
        else:
            sign = signed(alias)[0]
            found.append(Bound(alias, sign * bound.sign, sign * bound.value))
    return found


def _not_exact(name: str, why: NotExact, where: str) -> NasbuildError:
    if why.disproven:
        return NasbuildError(
            f"{name!r} is not a target of this fit, and in its table not an exact sum over the layers",
            where=where,
            todo="if it is a measurement, fit it as well: --target may be given several times; "
            "if it is known by definition, declare it under costs: in the space",
        )
    return NasbuildError(
        f"the table can't show whether {name!r} is a sum over the layers: "
        f"{why.unknowns:,} unknowns, {why.rows:,} rows",
        where=where,
        todo="declare what each choice costs: costs: in the space, or --costs with a file",
    )


def of_stages(cost: ExactCost) -> StageCost:
    """Narrows the type: opaque costs have been replaced by sums at this point."""
    assert not isinstance(cost, OpaqueCost)
    return cost


def joint_costs(
    cost: StageCost, stages: Sequence[int], codes: Sequence[Sequence[np.ndarray]], picks: np.ndarray
) -> np.ndarray:
    """Joint cost of modules of several stages, without products between stages, (picks,).

    NaN where it is not known. ``picks`` are positions in the ``codes`` of each stage, (picks, stages).
    """
    if isinstance(cost, TableSum):
        return cost.joint_costs(stages, codes, picks)
    own = [cost.of_modules(u, some) for u, some in zip(stages, codes, strict=True)]
    return np.sum([values[at] for values, at in zip(own, picks.T, strict=True)], axis=0)


def exact_values(fit: Fit, cost: ExactCost, architectures: Sequence[Architecture]) -> np.ndarray:
    """Cost of whole architectures, (architectures,); NaN where the table does not determine it."""
    if isinstance(cost, DeclaredCost | OpaqueCost):
        return cost.cost.values(fit.space, architectures)
    if isinstance(cost, FailureLogOdds):
        return cost.failures.log_odds(architectures)
    codes = [[stage.encode(a.modules[u]) for a in architectures] for u, stage in enumerate(fit.space.stages)]
    picks = np.repeat(np.arange(len(architectures))[:, None], len(codes), axis=1)
    total = joint_costs(cost, range(len(codes)), codes, picks)
    for (u, v), link in cost.links().items():
        if u < v:
            total += ((cost.vectors(u, codes[u]) @ link) * cost.vectors(v, codes[v])).sum(axis=1)
    return total


def resolve_names(
    fit: Fit, first: TargetFit, names: Sequence[str]
) -> tuple[dict[str, ExactCost], list[TargetFit]]:
    """Splits bounded names into exact costs, by name, and targets other than ``first``, each once."""
    exact: dict[str, ExactCost] = {}
    others: dict[str, TargetFit] = {}
    for name in dict.fromkeys(names):
        found = resolve_name(fit, name)
        if isinstance(found, TargetFit):
            if name != first.target.name:
                others[name] = found
        else:
            exact[name] = found
    return exact, list(others.values())
