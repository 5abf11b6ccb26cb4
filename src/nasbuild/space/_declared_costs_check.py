"""Checks that a declared cost has a value for every architecture; a missing value is an error, not zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import shown
from nasbuild.space._choice import ABSENT, choice_key
from nasbuild.space._cost_terms import (
    LAST,
    CostFactor,
    CostProduct,
    CostValues,
    as_numbers,
    reaches_first,
    value_at,
)
from nasbuild.space._declared_costs import Cost
from nasbuild.space._space import Space
from nasbuild.space._stage import Stage

_LARGEST = 1e300


def check_cost(space: Space, cost: Cost, where: str) -> None:
    """Check that every choice that counts has a finite value, and that every name exists.

    Raises
    ------
    SpaceError
        If a value is missing. The message names the stage, layer, feature and choice, and what to do.
    """
    size = abs(cost.constant)
    _refuse_ranges(space, cost, where)
    for key, terms in (("sum", cost.sum), ("mean", cost.mean)):
        values: dict[str, list[CostValues]] = {}
        for n, term in enumerate(terms):
            place = f"{where}.{key}[{n}]"
            if isinstance(term, CostValues):
                values.setdefault(term.feature, []).append(term)
                _check_names(space, term, place)
            else:
                size += _check_product(space, term, place)
        for feature, entries in values.items():
            size += _check_values(space, feature, entries, f"{where}.{key}")
    if not size < _LARGEST:
        raise SpaceError("grows beyond 1e300", where=where, todo="declare it in a larger unit")


def _refuse_ranges(space: Space, cost: Cost, where: str) -> None:
    ranges = {f.name for stage in space.stages for f in stage.features if f.range is not None}
    for term in (*cost.sum, *cost.mean):
        named = {f.feature for f in term.factors} if isinstance(term, CostProduct) else {term.feature}
        for name in sorted(named & ranges):
            raise SpaceError(
                f"{name} is a range, so that a cost that depends on it can't be declared by terms",
                where=where,
                todo="declare a function: FILE.py:FUNCTION",
            )


def _check_names(space: Space, term: CostValues, where: str) -> None:
    """Check that the feature, layer and choices of an entry exist."""
    stages = [s for s in space.stages if term.feature in {f.name for f in s.features}]
    if not stages:
        names = dict.fromkeys(f.name for s in space.stages for f in s.features)
        raise SpaceError(f"there is no feature {term.feature!r}", where=f"{where}.feature", allowed=names)
    _check_stages(term, stages, term.feature, where)
    if term.stages is not None:
        stages = [s for s in stages if s.name in term.stages]
    _check_layer(term, stages, where)
    for choice, _ in term.values:
        if all(stage.feature(term.feature).index(choice) < 0 for stage in stages):
            allowed = dict.fromkeys(repr(c) for s in stages for c in s.feature(term.feature).present)
            raise SpaceError(
                f"{shown(choice)} is not a choice of {term.feature} there",
                where=f"{where}.values",
                allowed=allowed,
            )


def _check_stages(term: CostValues | CostProduct, having: Sequence[Stage], what: str, where: str) -> None:
    for name in term.stages or ():
        if name not in {stage.name for stage in having}:
            raise SpaceError(
                f"stage {name} has no feature {what!r}",
                where=f"{where}.stage",
                allowed=[s.name for s in having],
            )


def _check_layer(term: CostValues | CostProduct, stages: Sequence[Stage], where: str) -> None:
    deepest = max(max(stage.depths) for stage in stages)
    # A reduced space lists its modules, but keeps the costs of the whole space.
    listed = any(stage.modules is not None for stage in stages)
    if isinstance(term.layer, int) and term.layer >= deepest and not listed:
        raise SpaceError(
            f"there is no layer {term.layer}", where=f"{where}.layer", allowed=f"0 to {deepest - 1}, last"
        )


def _check_values(space: Space, feature: str, entries: Sequence[CostValues], where: str) -> float:
    """Check that every choice has exactly one value wherever the feature occurs; returns an upper bound."""
    for one, other in combinations(entries, 2):
        if one.layer == other.layer and _share_a_stage(one, other):
            same = {choice_key(c) for c, _ in one.values} & {choice_key(c) for c, _ in other.values}
            if same or (one.otherwise is not None and other.otherwise is not None):
                raise SpaceError(
                    f"gives {feature} two values at the same place", where=where, todo="remove one"
                )
    total = 0.0
    for stage in space.stages:
        if feature not in {f.name for f in stage.features}:
            continue
        near = [e for e in entries if e.stages is None or stage.name in e.stages]
        most, deepest = 0.0, max(stage.depths)
        for layer, depth in _representative_places(near, stage):
            for choice in stage.feature(feature).present:
                value = value_at(near, stage, layer, depth, choice)
                if value is None:
                    raise SpaceError(
                        f"{feature} = {choice!r} has no value at layer {layer} of {stage.name}",
                        where=where,
                        todo=f"add it, or {{feature: {feature}, otherwise: 0}} if it costs nothing",
                    )
                most = max(most, abs(value))
        total += most * deepest
    return total


def _share_a_stage(one: CostValues, other: CostValues) -> bool:
    if one.stages is None or other.stages is None:
        return one.stages is other.stages
    return bool(set(one.stages) & set(other.stages))


def _representative_places(entries: Sequence[CostValues], stage: Stage) -> list[tuple[int, int]]:
    """Layers and depths that stand for all: the named ones, one that no entry names, and the last ones."""
    named = {e.layer for e in entries if isinstance(e.layer, int)}
    last = any(e.layer == LAST for e in entries)
    deepest = max(stage.depths)
    free = next((layer for layer in range(deepest) if layer not in named), None)
    layers = [*(layer for layer in named if layer < deepest), *([] if free is None else [free])]
    found = [(layer, deepest) for layer in layers]
    return found + [(depth - 1, depth) for depth in stage.depths] if last else found


def _check_product(space: Space, term: CostProduct, where: str) -> float:
    """Check that every factor is a number wherever the product counts; returns an upper bound."""
    known = {f.feature for f in term.of("layer")}
    for name in known:
        _check_stages(term, [s for s in space.stages if name in {f.name for f in s.features}], name, where)
    stages = [stage for stage in space.stages if term.applies(stage)]
    if not stages:
        names = dict.fromkeys(f.name for s in space.stages for f in s.features)
        raise SpaceError(
            f"no stage has the feature{'s' if len(known) > 1 else ''} {' and '.join(sorted(known))}",
            where=f"{where}.product",
            allowed=names,
        )
    _check_layer(term, stages, where)
    used = {factor.feature for factor in term.factors}
    for key, names in (("numbers", [n for n, _ in term.numbers]), ("first", [n for n, _ in term.first])):
        allowed = used if key == "numbers" else {f.feature for f in term.of("previous")}
        for name in names:
            if name not in allowed:
                raise SpaceError(
                    f"{name!r} is not a factor of the product", where=f"{where}.{key}", allowed=allowed
                )
    for factor in term.of("globals"):
        if space.globals is None or factor.feature not in {f.name for f in space.globals.features}:
            raise SpaceError(f"the globals have no feature {factor.feature!r}", where=f"{where}.product")
    total = 0.0
    for stage in stages:
        size = abs(term.coefficient) * max(stage.depths)
        for factor in term.of("layer"):
            size *= _largest(stage, factor, term, where)
        for factor in term.of("globals"):
            assert space.globals is not None
            size *= _largest(space.globals, factor, term, where)
        for factor in term.of("previous"):
            size *= _largest_before(space, stage, factor, term, where)
        total += size
    return total


def _largest_before(space: Space, stage: Stage, factor: CostFactor, term: CostProduct, where: str) -> float:
    """The largest value of a factor of the previous layer, over the layers of a stage."""
    if stage.is_globals:
        raise SpaceError(
            "the globals have no previous layer", where=f"{where}.product", todo="remove previous"
        )
    u, found = space.stage_index(stage.name), 0.0
    if reaches_first(term, stage):
        while u > 0:
            u -= 1
            found = max(found, _largest(space.stages[u], factor, term, where))
            if min(space.stages[u].depths):
                break
        else:
            first = dict(term.first)
            if factor.feature not in first:
                raise SpaceError(
                    f"previous.{factor.feature} has no value at the first layer of the network",
                    where=where,
                    todo=f"write first: {{{factor.feature}: NUMBER}}",
                )
            found = max(found, _power(first[factor.feature], factor, f"{where}.first"))
    # Only layer 0 of a stage never has a layer of the same stage before it.
    if term.layer != 0 and max(stage.depths) > 1:
        found = max(found, _largest(stage, factor, term, where))
    return found


def _largest(stage: Stage, factor: CostFactor, term: CostProduct, where: str) -> float:
    feature = next((f for f in stage.features if f.name == factor.feature), None)
    if feature is None:
        raise SpaceError(
            f"stage {stage.name} lacks the feature {factor.feature!r} of the product",
            where=f"{where}.product",
            todo="list the stages where it counts under stage:",
        )
    found = []
    for choice, number in zip(feature.choices, as_numbers(feature, dict(term.numbers)), strict=True):
        if choice is ABSENT:
            continue
        if number is None:
            raise SpaceError(
                f"{factor.feature} = {choice!r} of {stage.name} is not a number",
                where=f"{where}.product",
                todo=f"write numbers: {{{factor.feature}: {{{choice}: NUMBER}}}}",
            )
        found.append(_power(number, factor, f"{where}.product"))
    return max(found)


def _power(number: float, factor: CostFactor, where: str) -> float:
    with np.errstate(all="ignore"):
        value = float(np.float64(number) ** factor.power)
    if not math.isfinite(value):
        raise SpaceError(
            f"{factor.feature} = {number:g} to the power {factor.power:g} is not a number", where=where
        )
    return abs(value)
