"""Reads a search space from plain data; every mistake is named with its place and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, parse_module, shown
from nasbuild.space._columns import read_columns
from nasbuild.space._declared_costs_file import read_costs
from nasbuild.space._fixed_parts import fixed_stage, limit_of
from nasbuild.space._plain_data import LONGEST_TEXT, is_printable, mapping_of, text_of
from nasbuild.space._space import (
    GLOBALS,
    Choice,
    Direction,
    Feature,
    Kind,
    Metric,
    Module,
    Space,
    Stage,
    choice_key,
    features_by_name,
)
from nasbuild.space._tied_features import read_tied

_TOP = (
    "name",
    "metrics",
    GLOBALS,
    "globals_modules",
    "globals_limits",
    "stages",
    "costs",
    "identity",
    "tied",
    "columns",
)
_MOST_DEPTH = 1_000
_LARGEST_END = 1e300
# Codes of choices are int16.
_MOST_CHOICES = 32_767
# Integers up to here are exact in float64, which tables and predictors use.
_LARGEST_WHOLE = 2**53


def space_from_dict(data: object) -> Space:
    """Read a space from the plain data of a ``space.yaml``.

    Raises
    ------
    SpaceError
        For the first mistake, naming its place in the data and what is allowed there.

    Examples
    --------
    >>> from nasbuild.space import count_architectures, space_from_dict
    >>> stage = {"depth": [1, 2], "features": {"kernel": [3, 5]}}
    >>> count_architectures(space_from_dict({"name": "tiny", "stages": [stage]}))
    6
    """
    top = mapping_of(data, "the space", _TOP)
    name = text_of(top.get("name"), "name")
    stages = top.get("stages")
    if not isinstance(stages, list) or not stages:
        raise SpaceError("must be a list of at least one stage", where="stages")
    read = [_stage(entry, u) for u, entry in enumerate(stages)]
    names = [stage.name for stage in read]
    if len(set(names)) < len(names):
        raise SpaceError(f"two stages are named {max(names, key=names.count)!r}", where="stages")
    if GLOBALS in names:
        raise SpaceError(
            f"{GLOBALS!r} is reserved for the features of the whole architecture", where="stages"
        )
    read += _globals(top)
    _check_kinds(read)
    identity = _identity(top.get("identity"), read)
    space = Space(name, tuple(read), _metrics(top.get("metrics")), identity=identity)
    space = replace(space, tied=read_tied(space, top.get("tied")))
    if space.tied:
        # Fails early if no module satisfies the ties.
        _ = space.tied_stages
    space = replace(space, columns=read_columns(space, top.get("columns")))
    return replace(space, costs=read_costs(space, top.get("costs")))


def usual_kind(choices: Sequence[Choice]) -> Kind:
    """The default kind of a feature: numeric if its choices are numbers."""
    return "numeric" if _choice_type(choices[0]) == "number" else "categorical"


def _stage(data: object, u: int) -> Stage:
    where = f"stages[{u}]"
    entry = mapping_of(data, where, ("name", "depth", "features", "shared", "modules", "limits"))
    name = text_of(entry.get("name", f"stage{u + 1}"), f"{where}.name")
    features = _features(entry.get("features"), f"{where}.features")
    shared = _shared(entry.get("shared"), name, features, f"{where}.shared")
    listed = entry.get("modules")
    if listed is None and "depth" not in entry:
        raise SpaceError(
            "the allowed depths are missing", where=f"{where}.depth", todo="write depth: [2, 3, 4]"
        )
    depths = _depths(entry["depth"], f"{where}.depth") if "depth" in entry else ()
    stage = _with_modules(Stage(name, depths, features, shared), listed, f"{where}.modules")
    return _with_limits(stage, entry.get("limits"), f"{where}.limits")


def _globals(top: Mapping[str, Any]) -> list[Stage]:
    features = _features(top.get(GLOBALS), GLOBALS)
    listed = top.get("globals_modules")
    if not features:
        if listed is not None:
            raise SpaceError(f"needs {GLOBALS}", where="globals_modules")
        return []
    if listed is not None and not isinstance(listed, list):
        raise SpaceError("must be a list of {feature: choice}", where="globals_modules")
    modules = None if listed is None else [[entry] for entry in listed]
    stage = _with_modules(Stage(GLOBALS, (1,), features), modules, "globals_modules")
    return [_with_limits(stage, top.get("globals_limits"), "globals_limits")]


def _with_limits(stage: Stage, data: object, where: str) -> Stage:
    """The stage with fixed parts, as ``--fix`` writes them."""
    if data is None:
        return stage
    if not isinstance(data, list):
        raise SpaceError("must be a list of {feature: ..., choices: [...]}", where=where)
    limits = []
    for n, entry in enumerate(data):
        place = f"{where}[{n}]"
        given = mapping_of(entry, place, ("feature", "choices", "layer"))
        name, choices, layer = given.get("feature"), given.get("choices"), given.get("layer")
        if not isinstance(choices, list):
            raise SpaceError(f"choices is {kind_of(choices)}, not a list", where=place)
        limits.append(limit_of(stage, name, choices, layer, place))
    return fixed_stage(stage, limits, where)


def _with_modules(stage: Stage, listed: object, where: str) -> Stage:
    if listed is None:
        return stage
    if not isinstance(listed, list) or not listed:
        raise SpaceError("must be a list of at least one module", where=where)
    lengths = {len(module) for module in listed if isinstance(module, list)}
    free = Stage(
        stage.name,
        stage.depths or tuple(sorted(n for n in lengths if 1 <= n <= _MOST_DEPTH)),
        stage.features,
        stage.shared,
    )
    modules: dict[Module, None] = {}
    for number, module in enumerate(listed):
        modules.setdefault(parse_module(free, module, where=f"{where}[{number}]"))
    # A depth without a listed module can't be built.
    depths = tuple(sorted({len(module) for module in modules}))
    return Stage(stage.name, depths, stage.features, stage.shared, tuple(modules))


def _features(data: object, where: str) -> tuple[Feature, ...]:
    if data is None:
        return ()
    if not isinstance(data, Mapping):
        raise SpaceError("must be {feature: [choices]}", where=where)
    return tuple(_feature(text_of(name, where), entry, f"{where}.{name}") for name, entry in data.items())


def _feature(name: str, entry: object, where: str) -> Feature:
    kind = None
    if isinstance(entry, Mapping):
        entry = mapping_of(entry, where, ("choices", "kind"))
        kind, entry = entry.get("kind"), entry.get("choices")
        if kind is not None and kind not in get_args(Kind):
            raise SpaceError(
                f"{shown(kind)} is not a kind of feature", where=f"{where}.kind", allowed=get_args(Kind)
            )
    if not isinstance(entry, list) or not 1 <= len(entry) <= _MOST_CHOICES:
        raise SpaceError(f"must be a list of 1 to {_MOST_CHOICES:,} choices", where=where)
    for choice in entry:
        _check_choice(choice, where)
    if len({_choice_type(c) for c in entry}) > 1:
        raise SpaceError("mixes numbers, texts and truth values", where=where, todo="put texts in quotes")
    if len({choice_key(c) for c in entry}) < len(entry):
        raise SpaceError("lists a choice twice", where=where)
    if kind == "numeric" and usual_kind(entry) != "numeric":
        raise SpaceError("is numeric, but its choices are not numbers", where=where)
    return Feature(name, tuple(entry), kind or usual_kind(entry))


def _check_choice(choice: object, where: str) -> None:
    if isinstance(choice, str):
        good = is_printable(choice)
    elif isinstance(choice, int):
        good = abs(choice) <= _LARGEST_WHOLE
    else:
        good = isinstance(choice, float) and abs(choice) < float("inf")
    if not good:
        allowed = f"finite numbers, true, false and printable texts of 1 to {LONGEST_TEXT} characters"
        todo = "write none, a text, instead of null" if choice is None else None
        raise SpaceError(f"{shown(choice)} can't be a choice", where=where, allowed=allowed, todo=todo)


def _shared(data: object, stage: str, features: tuple[Feature, ...], where: str) -> frozenset[str]:
    if data is None:
        return frozenset()
    if not isinstance(data, list):
        raise SpaceError("must be a list of features", where=where)
    names = [f.name for f in features]
    for name in data:
        if name not in names:
            raise SpaceError(f"{shown(name)} is not a feature of {stage}", where=where, allowed=names)
    return frozenset(data)


def _metrics(data: object) -> dict[str, Metric]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise SpaceError("must be {metric: {direction: ..., unit: ...}}", where="metrics")
    metrics = {}
    for key, value in data.items():
        name = text_of(key, "metrics")
        where = f"metrics.{name}"
        entry = mapping_of(value, where, ("direction", "unit", "minimum", "maximum"))
        direction: Any = entry.get("direction")
        unit = entry.get("unit")
        if direction not in get_args(Direction):
            raise SpaceError(f"direction is {shown(direction)}", where=where, allowed=get_args(Direction))
        unit = "" if unit in (None, "") else text_of(unit, f"{where}.unit")
        least, most = (_end(entry.get(key), f"{where}.{key}") for key in ("minimum", "maximum"))
        if least is not None and most is not None and least >= most:
            raise SpaceError(f"minimum {least:g} is not below maximum {most:g}", where=where)
        metrics[name] = Metric(name, direction, unit, least, most)
    return metrics


def _end(data: object, where: str) -> float | None:
    if data is None:
        return None
    if isinstance(data, bool) or not isinstance(data, int | float) or not abs(data) < _LARGEST_END:
        raise SpaceError(f"{shown(data)} is not a number", where=where, allowed="finite numbers below 1e300")
    return float(data)


def _identity(data: object, stages: Sequence[Stage]) -> tuple[str, ...] | None:
    """Choices whose layers do nothing; ``none`` says that every layer does something."""
    if data is None or data == "none":
        return None if data is None else ()
    if not isinstance(data, list) or not data:
        raise SpaceError(
            f"is {kind_of(data)}", where="identity", allowed="none, or a list of choices, such as [skip]"
        )
    known = dict.fromkeys(c for s in stages for f in s.features for c in f.choices if isinstance(c, str))
    for choice in data:
        if not isinstance(choice, str) or choice not in known:
            raise SpaceError(f"{shown(choice)} is not a choice of a feature", where="identity", allowed=known)
    return tuple(dict.fromkeys(data))


def _depths(data: object, where: str) -> tuple[int, ...]:
    values: list[Any] = data if isinstance(data, list) else [data]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_DEPTH:
            todo = (
                "for a stage that may be absent, give it one layer and a choice such as no_op"
                if value == 0
                else None
            )
            raise SpaceError(
                f"{shown(value)} is not a number of layers",
                where=where,
                allowed=f"1 to {_MOST_DEPTH}",
                todo=todo,
            )
    if not values or len(set(values)) < len(values):
        raise SpaceError("must list at least one number of layers, each once", where=where)
    return tuple(sorted(values))


def _check_kinds(stages: list[Stage]) -> None:
    """Check that a feature has the same kind in all stages, as these share its embedding."""
    first: dict[str, tuple[str, str]] = {}
    for stage in stages:
        for feature in stage.features:
            kind = f"{feature.kind} with {_choice_type(feature.choices[0])}s"
            before, there = first.setdefault(feature.name, (kind, stage.name))
            if kind != before:
                raise SpaceError(
                    f"feature {feature.name!r} is {kind} in {stage.name} and {before} in {there}",
                    where="stages",
                    todo="rename one of the two",
                )
    features_by_name(stages)


def _choice_type(choice: Choice) -> str:
    return "truth value" if isinstance(choice, bool) else "text" if isinstance(choice, str) else "number"
