"""What a bound's name stands for: a cost known exactly, or a target that is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.build._exact import TableSum, Unproven, exact_sum
from nasbuild.errors import NasbuildError
from nasbuild.score import Learnt, Run
from nasbuild.space import Architecture, Space

LAYERS, DEPTH = "layers", "depth"
"""Names of the number of layers, which needs no target."""


@dataclass(frozen=True)
class LayerCount:
    """The number of layers; the features of the whole architecture are no layer."""

    space: Space
    neighbours: bool = False

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Layers of modules of a stage, (modules,)."""
        if self.space.stages[stage].is_globals:
            return np.zeros(len(codes))
        return np.array([float(len(code)) for code in codes])


ExactCost = LayerCount | TableSum


def exact_cost(run: Run, name: str) -> ExactCost | Unproven | None:
    """A cost of that name that is known exactly; None if the name says nothing beside a target or is unknown."""
    if name in (LAYERS, DEPTH) and name not in run.table.columns:
        return LayerCount(run.space)
    return exact_sum(run, name) if name in run.table.columns else None


def is_exact(run: Run, name: str) -> bool:
    """Whether a name stands for a cost that is known exactly: the number of layers, or what the space or the table tell."""
    return isinstance(exact_cost(run, name), ExactCost)


def resolved(run: Run, name: str, where: str = "--where") -> ExactCost | Learnt:
    """What a name in a bound stands for: the number of layers, an exact sum that the table proves, else a target.

    Raises
    ------
    NasbuildError
        If it stands for nothing that can be bounded.
    """
    exact = exact_cost(run, name)
    if isinstance(exact, ExactCost):
        return exact
    for learnt in run.learnt:
        if learnt.target.name == name:
            return learnt
    if isinstance(exact, Unproven):
        raise _not_exact(name, exact, where)
    raise NasbuildError(
        f"{name!r} is neither a target of this run nor a metric of its table",
        where=where,
        allowed=dict.fromkeys([*(one.target.name for one in run.learnt), LAYERS, *run.table.columns]),
    )


def _not_exact(name: str, why: Unproven, where: str) -> NasbuildError:
    if why.told:
        return NasbuildError(
            f"{name!r} is no target of this run, and in its table no exact sum over the layers",
            where=where,
            todo="if it is a measurement, fit it beside the others: --target may be given several times; "
            "if it is known by definition, declare it under costs: in the space",
        )
    return NasbuildError(
        f"the table can't show whether {name!r} is a sum over the layers: {why.unknowns:,} unknowns, {why.rows:,} rows",
        where=where,
        todo="declare what each choice costs: costs: in the space, or --costs with a file",
    )


def exact_values(run: Run, cost: ExactCost, architectures: Sequence[Architecture]) -> np.ndarray:
    """The cost of whole architectures, (architectures,); NaN where the table doesn't determine it."""
    codes = [[stage.encode(a.modules[u]) for a in architectures] for u, stage in enumerate(run.space.stages)]
    return np.sum([cost.of_modules(u, own) for u, own in enumerate(codes)], axis=0)
