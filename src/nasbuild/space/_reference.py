"""The reference: the architecture that others are changes of, in a compact or in the full form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import (
    contains,
    kind_of,
    nearest,
    parse_architecture,
    shown,
    shown_choice,
    to_dict,
)
from nasbuild.space._choice import ABSENT, Choice, choice_key, plain_choice
from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import GLOBALS, Stage

_DEPTH = "depth"


def read_reference(space: Space, data: object) -> Architecture | None:
    """Read the reference of a space; None where the space declares none.

    Parameters
    ----------
    data
        Either an architecture as in ``archs.jsonl``, or an object whose keys name choices: ``FEATURE`` wherever the feature
        exists, ``STAGE.FEATURE`` in all layers of a stage, ``STAGE.LAYER.FEATURE`` in one (from 0); ``depth`` and
        ``STAGE.depth`` are numbers of layers. The more specific key wins.

    Raises
    ------
    SpaceError
        If it names no architecture of the space.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> read_reference(space, {"kernel": 3, "depth": 2, "stage1.1.kernel": 5})
    Architecture(modules=(((3,), (5,)),))
    """
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise SpaceError(f"is {kind_of(data)}, not an architecture", where="reference")
    try:
        if "stages" in data:
            return parse_architecture(space, data)
        full: dict[str, Any] = {"stages": [_module(stage, data) for stage in space.layered]}
        if space.globals is not None:
            full[GLOBALS] = _module(space.globals, data)[0]
        _check_keys(space, data, full)
        return parse_architecture(space, full)
    except SpaceError as error:
        raise error.at("reference") from None


def reference_to_dict(space: Space, reference: Architecture) -> dict[str, Any]:
    """Plain data that `read_reference` reads back: compact where it says the same.

    Examples
    --------
    >>> from nasbuild.space import Architecture, reference_to_dict, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> reference_to_dict(space, Architecture((((3,), (3,)),)))
    {'depth': 2, 'kernel': 3}
    """
    depths = Counter(
        len(module)
        for stage, module in zip(space.layered, reference.modules, strict=False)
        if len(stage.depths) > 1
    )
    choices: dict[str, Counter[object]] = {}
    plain: dict[tuple[str, object], Choice] = {}
    for stage, module in zip(space.stages, reference.modules, strict=True):
        for layer in module:
            for feature, choice in zip(stage.features, layer, strict=True):
                if choice is not ABSENT:
                    key = choice_key(choice)
                    choices.setdefault(feature.name, Counter())[key] += 1
                    plain[feature.name, key] = choice
    found: dict[str, Any] = {_DEPTH: depths.most_common(1)[0][0]} if depths else {}
    usual = {name: counts.most_common(1)[0][0] for name, counts in choices.items()}
    found |= {name: plain_choice(plain[name, key]) for name, key in usual.items()}
    for stage, module in zip(space.stages, reference.modules, strict=True):
        if len(stage.depths) > 1 and len(module) != found.get(_DEPTH):
            found[f"{stage.name}.{_DEPTH}"] = len(module)
        for n, layer in enumerate(module):
            for feature, choice in zip(stage.features, layer, strict=True):
                if choice is not ABSENT and choice_key(choice) != usual[feature.name]:
                    place = stage.name if len(module) == 1 else f"{stage.name}.{n}"
                    found[f"{place}.{feature.name}"] = plain_choice(choice)
    try:
        same = read_reference(space, found) == reference
    except SpaceError:
        same = False
    return found if same else to_dict(space, reference)


def written_reference(space: Space) -> Architecture | None:
    """The reference if it is an architecture of the space: that of a part of a space may lie outside it."""
    reference = space.reference
    return reference if reference is not None and contains(space, reference) else None


def _module(stage: Stage, data: Mapping[Any, object]) -> list[dict[str, object]]:
    """Layers of a stage as plain data, by the most specific key for each choice."""
    depth = stage.depths[0]
    if len(stage.depths) > 1:
        given = data.get(f"{stage.name}.{_DEPTH}", data.get(_DEPTH))
        if given is None:
            raise SpaceError(
                f"the number of layers of {stage.name} is missing",
                allowed=stage.depths,
                todo=f"give {_DEPTH}, or {stage.name}.{_DEPTH}",
            )
        if isinstance(given, bool) or not isinstance(given, int) or given not in stage.depths:
            raise SpaceError(
                f"{shown_choice(given)} is no number of layers of {stage.name}", allowed=stage.depths
            )
        depth = given
    return [_layer(stage, n, data) for n in range(depth)]


def _layer(stage: Stage, n: int, data: Mapping[Any, object]) -> dict[str, object]:
    by_name = {feature.name: feature for feature in stage.features}
    found: dict[str, object] = {}
    waiting = list(stage.features)
    while waiting:
        # Conditions name other features, without cycles: some feature never waits for another.
        feature = next(f for f in waiting if not any(name in {w.name for w in waiting} for name, _ in f.when))
        waiting.remove(feature)
        here = all(
            name in found and by_name[name].index(found[name]) in {by_name[name].index(c) for c in choices}
            for name, choices in feature.when
        )
        keys = [k for k in _keys(stage, n, feature.name) if k in data]
        if here and keys:
            found[feature.name] = data[keys[0]]
        elif here and len(feature.present) == 1:
            found[feature.name] = feature.present[0]
    return found


def _keys(stage: Stage, n: int, feature: str) -> tuple[str, ...]:
    return f"{stage.name}.{n}.{feature}", f"{stage.name}.{feature}", feature


def _check_keys(space: Space, data: Mapping[Any, object], full: Mapping[str, Any]) -> None:
    """Refuse keys that name nothing of the space or of the reference."""
    known = {_DEPTH} if any(len(stage.depths) > 1 for stage in space.layered) else set[str]()
    modules = [*full["stages"], *([[full[GLOBALS]]] if GLOBALS in full else [])]
    for stage, module in zip(space.stages, modules, strict=True):
        if not stage.is_globals:
            known.add(f"{stage.name}.{_DEPTH}")
        for feature in stage.features:
            known |= {feature.name, f"{stage.name}.{feature.name}"}
            known |= {f"{stage.name}.{n}.{feature.name}" for n in range(len(module))}
    for key in data:
        if key not in known:
            raise SpaceError(
                f"{shown(key)} names nothing of the space",
                allowed=("FEATURE", "STAGE.FEATURE", "STAGE.LAYER.FEATURE", "depth", "STAGE.depth"),
                todo=nearest(key, known),
            )
