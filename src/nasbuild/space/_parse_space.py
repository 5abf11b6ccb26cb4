"""Reads a search space from plain data; every mistake is named with its place and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, parse_module, shown, shown_choice
from nasbuild.space._choice import ABSENT, Choice, as_choice, choice_key, choice_type
from nasbuild.space._choice_attributes import read_attributes
from nasbuild.space._columns import read_columns
from nasbuild.space._declared_costs_file import read_costs
from nasbuild.space._feature import Feature, Kind, When, features_by_name
from nasbuild.space._fixed_parts import fixed_stage, limit_of
from nasbuild.space._layer_choices import check_conditions
from nasbuild.space._plain_data import LONGEST_TEXT, is_printable, mapping_of, text_of
from nasbuild.space._range import Range, Scale
from nasbuild.space._reference import read_reference
from nasbuild.space._space import Direction, Metric, Space
from nasbuild.space._stage import GLOBALS, Module, Stage
from nasbuild.space._tied_features import read_tied

SPACE_KEYS = (
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
    "reference",
    "attributes",
)
_MOST_DEPTH = 1_000
_LARGEST_END = 1e300
# Codes of choices are int16.
_MOST_CHOICES = 32_767
# Integers up to here are exact in float64, which tables and predictors use.
_LARGEST_WHOLE = 2**53
_LONGEST_LIST = 100
_DEEPEST_LIST = 3
STAGE_KEYS = ("name", "depth", "features", "shared", "modules", "limits")
METRIC_KEYS = ("direction", "unit", "minimum", "maximum")
FEATURE_KEYS = ("choices", "range", "scale", "step", "kind", "when", "elsewhere")


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
    top = mapping_of(data, "the space", SPACE_KEYS)
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
    if not any(min(stage.depths) for stage in read):
        raise SpaceError(
            "every stage may be absent, so that a network may have no layers",
            where="stages",
            todo="give one stage at least one layer",
        )
    _check_kinds(read)
    identity = _identity(top.get("identity"), read)
    space = Space(name, tuple(read), _metrics(top.get("metrics")), identity=identity)
    space = replace(space, tied=read_tied(space, top.get("tied")))
    if space.tied:
        # Fails early if no module satisfies the ties.
        _ = space.tied_stages
    space = replace(space, columns=read_columns(space, top.get("columns")))
    space = replace(space, reference=read_reference(space, top.get("reference")))
    space = replace(space, attributes=read_attributes(space, top.get("attributes")))
    return replace(space, costs=read_costs(space, top.get("costs")))


def usual_kind(choices: Sequence[Choice]) -> Kind:
    """The default kind of a feature: numeric if its choices are numbers."""
    return "numeric" if {choice_type(c) for c in choices} == {"number"} else "categorical"


def _stage(data: object, u: int) -> Stage:
    where = f"stages[{u}]"
    entry = mapping_of(data, where, STAGE_KEYS)
    name = text_of(entry.get("name", f"stage{u + 1}"), f"{where}.name")
    features = _features(entry.get("features"), f"{where}.features")
    for feature in features:
        if feature.range is not None:
            raise SpaceError(
                "is a range, which only a feature of the whole architecture can be",
                where=f"{where}.features.{feature.name}",
                todo=f"list its choices, or move it to {GLOBALS}",
            )
    shared = _shared(entry.get("shared"), name, features, f"{where}.shared")
    listed = entry.get("modules")
    if listed is None and "depth" not in entry:
        raise SpaceError(
            "the allowed depths are missing", where=f"{where}.depth", todo="write depth: [2, 3, 4]"
        )
    depths = _depths(entry["depth"], f"{where}.depth") if "depth" in entry else ()
    check_conditions(Stage(name, depths, features, shared), f"{where}.features")
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
    check_conditions(Stage(GLOBALS, (1,), features), GLOBALS)
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
        stage.depths or tuple(sorted(n for n in lengths if 0 <= n <= _MOST_DEPTH)),
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
    found = tuple(_feature(text_of(name, where), entry, f"{where}.{name}") for name, entry in data.items())
    return _with_conditions(found, data, where)


def _feature(name: str, entry: object, where: str) -> Feature:
    given: Mapping[str, Any] = {"choices": entry}
    if isinstance(entry, Mapping):
        given = mapping_of(entry, where, FEATURE_KEYS)
    kind, entry = given.get("kind"), given.get("choices")
    if kind is not None and kind not in get_args(Kind):
        raise SpaceError(
            f"{shown(kind)} is not a kind of feature", where=f"{where}.kind", allowed=get_args(Kind)
        )
    span = _range(given, where) if "range" in given else None
    choices = _choices(entry, where) if span is None else span.grid
    if kind == "numeric" and usual_kind(choices) != "numeric":
        raise SpaceError("is numeric, but its choices are not numbers", where=where)
    elsewhere = given.get("elsewhere")
    if elsewhere not in (None, "ignored", "refused"):
        raise SpaceError(
            f"{shown(elsewhere)} says nothing of values where the feature does not exist",
            where=f"{where}.elsewhere",
            allowed=("ignored", "refused"),
        )
    return Feature(name, choices, kind or usual_kind(choices), ignored=elsewhere == "ignored", range=span)


def _range(given: Mapping[str, Any], where: str) -> Range:
    """The numbers from ``range: [low, high]``, with ``scale`` and ``step``."""
    if "choices" in given:
        raise SpaceError("has both choices and a range", where=where, todo="keep one of the two")
    ends = given["range"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise SpaceError(
            f"{shown_choice(ends)} is not a range", where=f"{where}.range", allowed="[LOW, HIGH]"
        )
    low, high = (_end(end, f"{where}.range") for end in ends)
    if low is None or high is None or not low < high:
        raise SpaceError(
            f"{shown_choice(ends)} is not a range", where=f"{where}.range", allowed="LOW below HIGH"
        )
    scale: Any = given.get("scale", "linear")
    if scale not in get_args(Scale):
        raise SpaceError(f"{shown(scale)} is not a scale", where=f"{where}.scale", allowed=get_args(Scale))
    if scale == "log" and low <= 0:
        raise SpaceError(
            f"{shown(ends[0])} has no logarithm", where=f"{where}.range", allowed="numbers above 0"
        )
    step = _end(given.get("step"), f"{where}.step")
    if step is not None and not (0 < step <= high - low and (high - low) / step <= _LARGEST_WHOLE):
        raise SpaceError(
            f"{shown(given['step'])} is not a step of the range",
            where=f"{where}.step",
            allowed="0 to HIGH - LOW",
        )
    if given.get("kind") not in (None, "numeric"):
        raise SpaceError(f"has a range and kind {given['kind']}", where=where, todo="remove kind")
    low, high = (int(end) if end.is_integer() else end for end in (low, high))
    return Range(low, high, scale, step)


def _choices(entry: object, where: str) -> tuple[Choice, ...]:
    if not isinstance(entry, list) or not 1 <= len(entry) <= _MOST_CHOICES:
        raise SpaceError(f"must be a list of 1 to {_MOST_CHOICES:,} choices", where=where)
    for choice in entry:
        _check_choice(choice, where)
    choices: tuple[Any, ...] = tuple(map(as_choice, entry))
    if len({choice_key(c) for c in choices}) < len(choices):
        raise SpaceError("lists a choice twice", where=where)
    return choices


def _with_conditions(features: tuple[Feature, ...], data: object, where: str) -> tuple[Feature, ...]:
    """The features with their conditions, ``when``."""
    if not isinstance(data, Mapping):
        return features
    by_name = {f.name: f for f in features}
    found = []
    for feature in features:
        entry = data[feature.name]
        when = entry.get("when") if isinstance(entry, Mapping) else None
        if when is None:
            if feature.ignored:
                raise SpaceError(
                    "says elsewhere: ignored, but the feature always exists",
                    where=f"{where}.{feature.name}",
                    todo="add when: {FEATURE: CHOICE}",
                )
            found.append(feature)
            continue
        conditions = _when(feature, when, by_name, f"{where}.{feature.name}.when")
        found.append(replace(feature, when=conditions, choices=(*feature.choices, ABSENT)))
    return tuple(found)


def _when(feature: Feature, data: object, by_name: Mapping[str, Feature], where: str) -> When:
    others = [name for name in by_name if name != feature.name]
    if not isinstance(data, Mapping) or not data:
        raise SpaceError(f"is {kind_of(data)}, not {{feature: choices}}", where=where, allowed=others)
    found = []
    for name, wanted in data.items():
        if name not in others:
            todo = "a condition names features of the same layer" if isinstance(name, str) else None
            raise SpaceError(f"{shown(name)} is not another feature", where=where, allowed=others, todo=todo)
        parent = by_name[name]
        listed = wanted if isinstance(wanted, list) else [wanted]
        # A list may be one choice that is a list.
        positions = [parent.index(wanted)] if parent.index(wanted) >= 0 else [parent.index(c) for c in listed]
        for position, choice in zip(positions, listed, strict=False):
            if position < 0:
                raise SpaceError(
                    f"{shown_choice(choice)} is not a choice of {name}",
                    where=where,
                    allowed=map(repr, parent.present),
                )
        if not positions:
            raise SpaceError(f"names no choice of {name}", where=where, allowed=map(repr, parent.present))
        found.append((name, tuple(parent.choices[i] for i in sorted(set(positions)))))
    return tuple(found)


def _check_choice(choice: object, where: str, *, inside: int = 0) -> None:
    if isinstance(choice, list | tuple) and inside < _DEEPEST_LIST and len(choice) <= _LONGEST_LIST:
        for part in choice:
            _check_choice(part, where, inside=inside + 1)
        return
    if isinstance(choice, str):
        good = is_printable(choice)
    elif isinstance(choice, int):
        good = abs(choice) <= _LARGEST_WHOLE
    else:
        good = choice is None or (isinstance(choice, float) and abs(choice) < float("inf"))
    if not good:
        allowed = (
            f"finite numbers, true, false, null, printable texts of 1 to {LONGEST_TEXT} characters, "
            f"and lists of up to {_LONGEST_LIST} of these"
        )
        raise SpaceError(f"{shown(choice)} can't be a choice", where=where, allowed=allowed)


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
        entry = mapping_of(value, where, METRIC_KEYS)
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
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_DEPTH:
            raise SpaceError(
                f"{shown(value)} is not a number of layers", where=where, allowed=f"0 to {_MOST_DEPTH}"
            )
    if not values or len(set(values)) < len(values):
        raise SpaceError("must list at least one number of layers, each once", where=where)
    return tuple(sorted(values))


def _check_kinds(stages: list[Stage]) -> None:
    """Check that a feature has the same kind in all stages, as these share its embedding."""
    first: dict[str, tuple[Feature, str]] = {}
    for stage in stages:
        for feature in stage.features:
            other, there = first.setdefault(feature.name, (feature, stage.name))
            alike = _types(feature) == _types(other) or not (feature.uniform and other.uniform)
            if feature.kind != other.kind or not alike:
                kind, before = (f"{one.kind} with {_types(one)}" for one in (feature, other))
                raise SpaceError(
                    f"feature {feature.name!r} is {kind} in {stage.name} and {before} in {there}",
                    where="stages",
                    todo="rename one of the two",
                )
    features_by_name(stages)


def _types(feature: Feature) -> str:
    if feature.range is not None:
        return f"a range from {feature.range.text}"
    return f"{choice_type(feature.present[0])}s" if feature.uniform else "values of several types"
