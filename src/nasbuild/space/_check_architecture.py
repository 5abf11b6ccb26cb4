"""Checks that data describes an architecture of a space, and names the first mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._choice import ABSENT, Absent, Choice, choice_key, plain_choice
from nasbuild.space._feature import Feature
from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import GLOBALS, Layer, Module, Stage, module_key

_LONGEST_SHOWN = 60


def parse_architecture(space: Space, data: object) -> Architecture:
    """Read an architecture from ``{"stages": [[{feature: choice}]], "globals": {...}}``.

    Raises
    ------
    SpaceError
        If the data is not an architecture of the space. The message names the stage, layer and feature,
        and the allowed choices.

    Examples
    --------
    >>> from nasbuild.space import parse_architecture, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> parse_architecture(space, {"stages": [[{"kernel": 3}]]})
    Architecture(modules=(((3,),),))
    >>> parse_architecture(space, {"stages": [[{"kernel": 4}]]})
    Traceback (most recent call last):
        ...
    nasbuild.errors.SpaceError: stages[0][0].kernel (stage1): kernel = 4 is not a choice; allowed: 3, 5
    """
    if not isinstance(data, Mapping):
        raise SpaceError(f"an architecture is an object with 'stages', not {kind_of(data)}", where="arch")
    unknown = set(data) - {"stages", GLOBALS}
    if unknown:
        raise SpaceError(
            f"unknown key {shown(min(unknown, key=str))}", where="arch", allowed=("stages", GLOBALS)
        )
    stages = data.get("stages")
    if not isinstance(stages, Sequence) or isinstance(stages, str):
        raise SpaceError(f"is {kind_of(stages)}, not a list of stages", where="arch.stages")
    if len(stages) != len(space.layered):
        raise SpaceError(f"has {len(stages)} stages, the space has {len(space.layered)}", where="arch.stages")
    modules = [
        parse_module(stage, module, where=f"stages[{u}]")
        for u, (stage, module) in enumerate(zip(space.layered, stages, strict=True))
    ]
    given = data.get(GLOBALS)
    if space.globals is not None:
        modules.append(parse_module(space.globals, [{} if given is None else given], where=GLOBALS))
    elif given is not None and given != {}:
        raise SpaceError(
            "the space has no features of the whole architecture", where=GLOBALS, todo="leave them out"
        )
    _check_ties(space, modules)
    return Architecture(tuple(modules))


def _check_ties(space: Space, modules: Sequence[Module]) -> None:
    if not space.tied:
        return
    from nasbuild.space._tied_features import broken_tie

    broken = broken_tie(space, modules)
    if broken is not None:
        raise SpaceError(f"{broken}, but the space ties them to one choice", where="stages")


def parse_module(stage: Stage, data: object, *, where: str) -> Module:
    """Read the module of one stage from a list of ``{feature: choice}``, one entry a layer.

    Parameters
    ----------
    where
        Where the data stands, for messages.

    Raises
    ------
    SpaceError
        If the data is not a module of the stage.

    Examples
    --------
    >>> from nasbuild.space import parse_module, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> parse_module(space.stages[0], [{"kernel": 3}, {"kernel": 5}], where="row 1")
    ((3,), (5,))
    """
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise SpaceError(f"is {kind_of(data)}, not a list of layers", where=where)
    layers = []
    for number, layer in enumerate(data):
        place = where if stage.is_globals else f"{where}[{number}]"
        if not isinstance(layer, Mapping):
            raise SpaceError(f"a layer is an object of features, not {kind_of(layer)}", where=place)
        layers.append(_parse_layer(stage, layer, place))
    module = tuple(layers)
    _check_module(stage, module, where)
    return module


def contains(space: Space, architecture: Architecture) -> bool:
    """Whether an architecture belongs to a space.

    Examples
    --------
    >>> from nasbuild.space import Architecture, contains, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> contains(space, Architecture((((3,), (5,)),))), contains(space, Architecture((((7,),),)))
    (True, False)
    """
    if len(architecture.modules) != len(space.stages):
        return False
    try:
        for stage, module in zip(space.stages, architecture.modules, strict=True):
            parse_module(stage, stage.as_dicts(module), where=stage.name)
        _check_ties(space, architecture.modules)
    except (SpaceError, ValueError):
        return False
    return True


def to_dict(space: Space, architecture: Architecture) -> dict[str, Any]:
    """The architecture as plain data, as in ``archs.jsonl``; `parse_architecture` reads it back.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml, to_dict
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> to_dict(space, Architecture((((3,), (5,)),)))
    {'stages': [[{'kernel': 3}, {'kernel': 5}]]}
    """
    dicts = [stage.as_dicts(m) for stage, m in zip(space.stages, architecture.modules, strict=True)]
    if space.globals is None:
        return {"stages": dicts}
    return {"stages": dicts[:-1], GLOBALS: dicts[-1][0]}


def _parse_layer(stage: Stage, layer: Mapping[str, object], where: str) -> Layer:
    names = [f.name for f in stage.features]
    for name in layer:
        if name not in names:
            raise SpaceError(
                f"unknown feature {shown(name)}",
                where=_place(stage, where),
                allowed=names,
                todo=nearest(name, names),
            )
    found: dict[int, Choice | Absent] = {}
    from nasbuild.space._layer_choices import topological

    for position in topological(stage) if stage.conditional else range(len(names)):
        feature = stage.features[position]
        unmet = _unmet(stage, position, found) if feature.when else None
        if unmet is not None:
            if feature.name in layer and not feature.ignored and not _is_nothing(layer[feature.name]):
                raise SpaceError(
                    f"{feature.name} = {shown_choice(layer[feature.name])}, but {feature.name} exists only with {unmet}",
                    where=_place(stage, f"{where}.{feature.name}"),
                    todo=f"leave {feature.name} out there",
                )
            found[position] = ABSENT
        else:
            found[position] = _parse_choice(stage, feature, layer, where)
    return tuple(found[position] for position in range(len(names)))


def _parse_choice(stage: Stage, feature: Feature, layer: Mapping[str, object], where: str) -> Choice:
    if feature.name not in layer:
        what = f"feature {feature.name!r} is missing"
        raise SpaceError(what, where=_place(stage, where), allowed=feature.allowed)
    given = layer[feature.name]
    index = feature.index(given)
    if index < 0 or index == feature.absent:
        raise SpaceError(
            f"{feature.name} = {shown_choice(given)} is not a choice",
            where=_place(stage, f"{where}.{feature.name}"),
            allowed=_allowed(feature, given),
        )
    # The declared choice, not the given one: 3.0 in a file means 3.
    return feature.declared(given)


def _allowed(feature: Feature, given: object) -> Iterable[object] | str:
    """The allowed choices, in quotes where 3 was given for '3', which would otherwise look allowed."""
    plain = feature.range is not None or (isinstance(given, str) and feature.uniform)
    return feature.allowed if plain else map(repr, feature.present)


def _unmet(stage: Stage, position: int, found: Mapping[int, Choice | Absent]) -> str | None:
    """The first condition of a feature that does not hold, such as ``op = conv``; None if all do."""
    for (parent, wanted), (name, choices) in zip(
        stage.conditions[position], stage.features[position].when, strict=True
    ):
        if stage.features[parent].index(found[parent]) not in wanted:
            return f"{name} = {' or '.join(map(str, choices))}"
    return None


def _is_nothing(value: object) -> bool:
    """Whether a value says that there is none."""
    return value is None or value == "" or value != value


def _check_module(stage: Stage, module: Module, where: str) -> None:
    if len(module) not in stage.depths:
        raise SpaceError(f"{stage.name} has {len(module)} layers", where=where, allowed=stage.depths)
    for position, feature in enumerate(stage.features):
        values = {choice_key(layer[position]): layer[position] for layer in module}
        if feature.name in stage.shared and len(values) > 1:
            found = ", ".join(sorted(map(repr, values.values())))
            raise SpaceError(
                f"{feature.name} is shared by all layers of {stage.name}, but has the values {found}",
                where=where,
            )
    for limit in stage.limits:
        position = [f.name for f in stage.features].index(limit.feature)
        for number, layer in enumerate(module):
            if limit.layer in (None, number) and not _among(
                stage.features[position], layer[position], limit.choices
            ):
                raise SpaceError(
                    f"{limit.feature} = {layer[position]!r} is excluded by the limits of {stage.name}",
                    where=f"{where}[{number}].{limit.feature}",
                    allowed=[c for c in limit.choices if c is not ABSENT],
                )
    if stage.modules is not None and module_key(stage.encode(module)) not in stage.listed:
        what = (
            f"this sequence of layers is not among the {len(stage.modules)} modules listed for {stage.name}"
        )
        raise SpaceError(what, where=where)


def _among(feature: Feature, choice: object, choices: Sequence[object]) -> bool:
    return feature.index(choice) in {feature.index(one) for one in choices}


def nearest(name: object, names: Iterable[str]) -> str | None:
    """What to do about an unknown name: take the most similar one, if there is one.

    Examples
    --------
    >>> from nasbuild.space import nearest
    >>> nearest("kernal", ["kernel", "op"]), nearest("width", ["kernel", "op"])
    ('did you mean kernel?', None)
    """
    found = get_close_matches(str(name)[:_LONGEST_SHOWN], list(names), n=1)
    return f"did you mean {found[0]}?" if found else None


def kind_of(value: object) -> str:
    """The type of a value in plain words."""
    if value is None:
        return "missing"
    names = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """A value for a message: short and on one line, however large the value is."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return repr(value[:_LONGEST_SHOWN]) + ("..." if len(value) > _LONGEST_SHOWN else "")
    if isinstance(value, int) and value.bit_length() > 128:
        # Python refuses to write out very long ones.
        return "a number of many digits"
    return repr(value) if value is None or isinstance(value, bool | int | float) else kind_of(value)


def shown_choice(value: object) -> str:
    """The same for a value that may be a choice: a short list is shown with its parts."""
    listed = isinstance(value, list | tuple) and len(repr(value)) <= _LONGEST_SHOWN
    return repr(plain_choice(value)) if listed else shown(value)


def _place(stage: Stage, where: str) -> str:
    return where if stage.is_globals else f"{where} ({stage.name})"
