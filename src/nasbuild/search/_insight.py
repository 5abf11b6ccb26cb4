"""The baseline Layer-Insight: a space reduced by the average effect of single layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import moocore
import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.objective import Target, labels
from nasbuild.space import Layer, Module, Space, Stage
from nasbuild.table import Table

_Key = TypeVar("_Key")
_MAX_MODULES = 200_000  # that a stage may keep


def layer_insight_space(table: Table, targets: Sequence[Target]) -> Space:
    """Reduces the space of a table to the layers that are non-dominated on average.

    For each place of a stage, layers are compared by the mean of every target over the rows that have
    them. Dominated layers are removed; depths are treated alike. In the paper (section 5.1, after its
    reference 25), a person selects by such statistics.

    Raises
    ------
    NasbuildError
        If the table lacks a target, or a stage would keep more than 200,000 modules.

    Examples
    --------
    >>> from nasbuild.search import layer_insight_space
    >>> from nasbuild.objective import parse_target
    >>> from nasbuild.space import count_architectures
    >>> from nasbuild.table import load_builtin
    >>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
    >>> reduced = layer_insight_space(table, [parse_target("acc", table), parse_target("macs", table)])
    >>> count_architectures(reduced) < count_architectures(table.space)
    True
    """
    values = np.full((len(table), len(targets)), np.nan)
    for t, target in enumerate(targets):
        known = labels(target, table)
        values[known.rows, t] = target.sign * known.values
    usable = np.flatnonzero(~np.isnan(values).any(axis=1))
    values = values[usable]
    stages = []
    for u, stage in enumerate(table.space.stages):
        modules = [table.architectures[i].modules[u] for i in usable]
        depths = _nondominated({d: values[[len(m) == d for m in modules]] for d in stage.depths})
        places = [_layers(modules, values, place) for place in range(max(depths))]
        stages.append(_listed(stage, tuple(sorted(depths)), places))
    return replace(table.space, name=f"{table.space.name[:190]}-insight", stages=tuple(stages))


def _layers(modules: Sequence[Module], values: np.ndarray, place: int) -> list[Layer]:
    """Non-dominated layers at a place, in order of appearance."""
    rows: dict[Layer, list[int]] = {}
    for row, module in enumerate(modules):
        if len(module) > place:
            rows.setdefault(module[place], []).append(row)
    return _nondominated({layer: values[own] for layer, own in rows.items()})


def _nondominated(groups: dict[_Key, np.ndarray]) -> list[_Key]:
    """Keys of groups (rows, targets) whose mean no other mean dominates; larger is better.

    Groups without rows are left out.
    """
    groups = {key: rows for key, rows in groups.items() if len(rows)}
    means = np.array([rows.mean(axis=0) for rows in groups.values()])
    kept = moocore.is_nondominated(means, maximise=True, keep_weakly=True)
    return [key for key, keep in zip(groups, kept, strict=True) if keep]


def _listed(stage: Stage, depths: tuple[int, ...], places: Sequence[Sequence[Layer]]) -> Stage:
    """The stage with the modules that can be composed of the given layers of each place."""
    shared = [p for p, f in enumerate(stage.features) if f.name in stage.shared]
    kept: list[Module] = []
    for depth in depths:
        # A module's layers agree in what the stage shares.
        groups: list[dict[Layer, list[Layer]]] = []
        for place in places[:depth]:
            groups.append({})
            for layer in place:
                groups[-1].setdefault(tuple(layer[p] for p in shared), []).append(layer)
        for common in groups[0]:
            options = [group.get(common, []) for group in groups]
            size = int(np.prod([len(o) for o in options], dtype=np.float64))
            if len(kept) + size > _MAX_MODULES:
                raise NasbuildError(
                    f"stage {stage.name} would keep more than {_MAX_MODULES:,} modules",
                    todo="search with method layer in the full space",
                )
            kept += itertools.product(*options)
    if stage.modules is not None:
        allowed = set(stage.modules)
        kept = [module for module in kept if module in allowed]
    # If the remaining layers can't be combined, the stage stays as it is.
    if not kept:
        return stage
    return replace(stage, depths=tuple(sorted({len(m) for m in kept})), modules=tuple(kept))
