"""Architectures as changes of a reference: which stages differ, and in what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._number_format import plural
from nasbuild.space import ABSENT, Architecture, Choice, Module, Space, choice_key

_NUMBERED = re.compile(r"(.*[^\W\d_])[ _.\-]?(\d+)")
_RANGE = 3  # consecutive numbers from which on they are written as a range


@dataclass(frozen=True)
class StageChange:
    """How a stage's module differs from the reference's.

    Attributes
    ----------
    stage
        Index of the stage.
    depth
        The new number of layers; None if it is the same. The first layers of the reference stay.
    layers
        (layer from 0, feature, choice) wherever a choice differs, and for every choice of an added layer. Features that
        stop to exist are left out, as the choice that ends them is there.
    """

    stage: int
    depth: int | None
    layers: tuple[tuple[int, str, Choice], ...]


def changes(space: Space, reference: Architecture, architecture: Architecture) -> tuple[StageChange, ...]:
    """Returns the changes that turn the reference into an architecture, in the order of stages.

    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> space = space_from_yaml("{name: s, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> changes(space, Architecture((((3,),),)), Architecture((((3,), (5,)),)))
    (StageChange(stage=0, depth=2, layers=((1, 'kernel', 5),)),)
    """
    found = []
    for u, (old, new) in enumerate(zip(reference.modules, architecture.modules, strict=True)):
        names = [feature.name for feature in space.stages[u].features]
        layers = tuple(
            (n, name, choice)
            for n, layer in enumerate(new)
            for i, (name, choice) in enumerate(zip(names, layer, strict=True))
            if choice is not ABSENT and (n >= len(old) or choice_key(old[n][i]) != choice_key(choice))
        )
        if layers or len(old) != len(new):
            found.append(StageChange(u, len(new) if len(new) != len(old) else None, layers))
    return tuple(found)


def changes_text(space: Space, found: Sequence[StageChange], architecture: Architecture) -> str:
    """Writes changes with equal ones of several stages together: ``block 3: mlp off; blocks 8, 13: attn off``.

    Empty if nothing is changed.
    """
    stages: dict[str, list[str]] = {}
    for one in found:
        text = _stage_text(
            one, [f.name for f in space.stages[one.stage].features], architecture.modules[one.stage]
        )
        stages.setdefault(text, []).append(space.stages[one.stage].name)
    return "; ".join(f"{stage_names(names)}: {text}" for text, names in stages.items())


def module_text(space: Space, stage: int, module: Module) -> str:
    """Writes a module in words: the number of layers where it can differ, and all choices.

    >>> from nasbuild.space import space_from_yaml
    >>> space = space_from_yaml("{name: s, stages: [{depth: [1, 2], features: {kernel: [3, 5], se: [true, false]}}]}")
    >>> module_text(space, 0, ((3, True), (5, True)))
    '2 layers, kernel 3 in layer 1, kernel 5 in layer 2, se yes'
    """
    definition = space.stages[stage]
    features = [feature.name for feature in definition.features]
    layers = tuple(
        (n, name, choice)
        for n, layer in enumerate(module)
        for name, choice in zip(features, layer, strict=True)
        if choice is not ABSENT
    )
    depth = len(module) if len(definition.depths) > 1 else None
    return _stage_text(StageChange(stage, depth, layers), features, module)


def stage_names(names: Sequence[str]) -> str:
    """Joins names of stages; those that differ in a final number share their word.

    >>> stage_names(["block3"]), stage_names(["block8", "block9", "block10", "block13", "head"])
    ('block 3', 'blocks 8–10, 13, head')
    """
    groups: dict[str, list[int]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match and str(int(match[2])) == match[2]:
            groups.setdefault(match[1], []).append(int(match[2]))
        else:
            groups.setdefault(name, [])
    return ", ".join(
        f"{word}{'s' if len(numbers) > 1 else ''} {_numbers(numbers)}" if numbers else word
        for word, numbers in groups.items()
    )


def _stage_text(one: StageChange, features: Sequence[str], module: Module) -> str:
    parts = [] if one.depth is None else [plural(one.depth, "layer")]
    for i, name in enumerate(features):
        own = [(n, choice) for n, feature, choice in one.layers if feature == name]
        if not own:
            continue
        if len({choice_key(layer[i]) for layer in module}) == 1:
            parts.append(f"{name} {choice_text(own[0][1])}")
            continue
        places: dict[str, list[int]] = {}
        for n, choice in own:
            places.setdefault(choice_text(choice), []).append(n + 1)
        parts += [
            f"{name} {text} in layer{'s' if len(at) > 1 else ''} {_numbers(at)}"
            for text, at in places.items()
        ]
    return ", ".join(parts)


def _numbers(numbers: Iterable[int]) -> str:
    """Writes whole numbers, runs of them as ranges."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]}–{run[-1]}" if len(run) >= _RANGE else ", ".join(map(str, run)) for run in runs]
    return ", ".join(texts)
