"""Stages from the columns of parts: which layers and features each has, and where its depth stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nasbuild.table.infer._index_patterns import IndexPattern
from nasbuild.table.infer._questions import Questions
from nasbuild.table.infer._typed_columns import TypedColumn
from nasbuild.table.infer._words import DEPTHS, normal

Part = tuple[TypedColumn, IndexPattern]

_MOST_LAYERS = 1_000
_MOST_SHARED = 48
_SHALLOW = 8


@dataclass
class StageGuess:
    """A stage.

    Attributes
    ----------
    depth
        Column of the number of layers; None if it is ``layers``, or the filled layers are ``counted``.
    features
        Columns of each feature, one for each layer; a single one if all layers share it.
    """

    name: str
    place: int
    layers: int
    depth: TypedColumn | None = None
    counted: bool = False
    features: dict[str, tuple[TypedColumn, ...]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    container: str = ""


@dataclass
class Stages:
    """Stages in order, features of the whole network, and columns that fit nowhere."""

    stages: list[StageGuess]
    plain: list[Part]
    left: list[TypedColumn]


def guess_stages(parts: Sequence[Part], questions: Questions) -> Stages:
    """Stages from the patterns of names."""
    plain = [part for part in parts if not part[1].indices]
    single = [part for part in parts if len(part[1].indices) == 1]
    double = [part for part in parts if len(part[1].indices) == 2]
    found = Stages([], plain, [])
    for container in _containers(double):
        own = [part for part in double if part[1].container == container]
        alone = len(_containers(double)) == 1
        before = len(found.stages)
        single = _layered(found, container, own, single, alone)
        for stage in found.stages[before:]:
            stage.container = container
    for container in _containers(single):
        before = len(found.stages)
        _numbered(found, container, [part for part in single if part[1].container == container], questions)
        for stage in found.stages[before:]:
            stage.container = container
    _tell_apart(found.stages)
    found.stages.sort(key=lambda stage: stage.place)
    return found


def is_depth(column: TypedColumn, feature: str, most: int = _MOST_LAYERS) -> bool:
    """Whether a column holds numbers of layers, up to ``most``."""
    return (
        normal(feature) in DEPTHS
        and column.type == "number"
        and not column.is_fractional
        and bool(column.distinct)
        and 0 <= column.distinct[0]
        and 1 <= column.distinct[-1] <= most
    )


def _containers(parts: Iterable[Part]) -> list[str]:
    return list(dict.fromkeys(pattern.container for _, pattern in parts))


def _layered(found: Stages, container: str, own: list[Part], single: list[Part], alone: bool) -> list[Part]:
    """Stages of names with two numbers; returns the names with one number that do not belong to them."""
    stages: dict[int, StageGuess] = {}
    columns: dict[int, dict[str, dict[int, TypedColumn]]] = {}
    for column, pattern in own:
        i, j = pattern.indices
        columns.setdefault(i, {}).setdefault(pattern.feature, {})[j] = column
    for i in sorted(columns):
        layers = sorted({j for by_layer in columns[i].values() for j in by_layer})
        everything = [column for by_layer in columns[i].values() for column in by_layer.values()]
        stage = StageGuess(_stage_name(own, container, i), min(c.place for c in everything), len(layers))
        for feature, by_layer in columns[i].items():
            if len(by_layer) == len(layers):
                stage.features[feature] = tuple(by_layer[j] for j in layers)
            elif len(by_layer) == 1:
                stage.features[feature] = tuple(by_layer.values())
                stage.shared.add(feature)
            else:
                found.left += by_layer.values()
        stages[i] = stage
    rest = []
    numbers = sorted(stages)
    for feature, part in _by_feature(single).items():
        matching = [p for p in part if p[1].container == container or (alone and p[1].container == "")]
        own_numbers = sorted(p[1].indices[0] for p in matching)
        aligned = dict(zip(own_numbers, numbers, strict=False)) if len(own_numbers) == len(numbers) else {}
        if set(own_numbers) <= set(numbers):
            aligned = {n: n for n in own_numbers}
        for column, pattern in part:
            stage = stages.get(aligned.get(pattern.indices[0], -1)) if (column, pattern) in matching else None
            if stage is None:
                rest.append((column, pattern))
            elif stage.depth is None and is_depth(column, feature, stage.layers):
                stage.depth = column
            elif feature not in stage.features:
                stage.features[feature] = (column,)
                stage.shared.add(feature)
            else:
                found.left.append(column)
    found.plain = _plain_depths(
        found.plain, {container: [s for s in stages.values()]} if len(stages) == 1 else {}
    )
    for stage in stages.values():
        stage.counted = stage.depth is None and _trails_off(stage)
    found.stages += stages.values()
    return rest


def _numbered(found: Stages, container: str, own: list[Part], questions: Questions) -> None:
    """Stages of names with one number: a list cut into stages, stages with depths, layers, or blocks."""
    by_numbers: dict[tuple[int, ...], dict[str, list[Part]]] = {}
    for feature, parts in _by_feature(own).items():
        numbers = tuple(sorted(p[1].indices[0] for p in parts))
        if container:
            numbers = ()
        by_numbers.setdefault(numbers, {})[feature] = sorted(parts, key=lambda p: p[1].indices)
    depths = {
        (numbers, feature): parts
        for numbers, features in by_numbers.items()
        for feature, parts in features.items()
        if all(is_depth(column, feature, _MOST_SHARED) for column, _ in parts)
    }
    known = set(depths)
    for numbers, features in sorted(by_numbers.items(), key=lambda item: -len(item[0])):
        slots = {feature: parts for feature, parts in features.items() if (numbers, feature) not in known}
        if not slots:
            continue
        n = max(map(len, slots.values()))
        for key, parts in list(depths.items()):
            cut = _cut(n, parts)
            if cut is not None and all(len(p) == n for p in slots.values()) and len(parts) != n:
                del depths[key]
                found.stages += _cut_stages(slots, parts, cut)
                break
        else:
            same = next((key for key, parts in depths.items() if len(parts) == n), None)
            if same is not None:
                found.stages += _shared_stages(container, slots, depths.pop(same))
            else:
                _layers_or_blocks(found, container, slots, n, questions)
    for parts in depths.values():
        # Depths of stages that have no features.
        found.stages += _shared_stages(container, {}, parts)


def _cut(n: int, depths: list[Part]) -> list[int] | None:
    """How many of ``n`` slots each stage has; None if the depths do not fit. A last stage may have one layer."""
    m = len(depths)
    most = max(column.distinct[-1] for column, _ in depths)
    for slots, last in ((n // m if n % m == 0 else 0, 0), ((n - 1) // m if (n - 1) % m == 0 else 0, 1)):
        if slots > 1 and most <= slots:
            return [slots] * m + [1] * last
    return None


def _cut_stages(slots: dict[str, list[Part]], depths: list[Part], cut: list[int]) -> list[StageGuess]:
    stages, start = [], 0
    for u, layers in enumerate(cut):
        features = {f: tuple(c for c, _ in parts[start : start + layers]) for f, parts in slots.items()}
        place = min(columns[0].place for columns in features.values())
        depth = depths[u][0] if u < len(depths) else None
        stages.append(StageGuess(f"stage{u + 1}", place, layers, depth, features=features))
        start += layers
    return stages


def _shared_stages(container: str, slots: dict[str, list[Part]], depths: list[Part]) -> list[StageGuess]:
    stages = []
    for n, (depth, pattern) in enumerate(depths):
        features = {}
        for feature, parts in slots.items():
            at = [column for column, own in parts if own.indices == pattern.indices] or (
                [parts[n][0]] if len(parts) == len(depths) else []
            )
            if at:
                features[feature] = (at[0],)
        name = _stage_name(depths, container, pattern.indices[0])
        place = min([depth.place, *(c[0].place for c in features.values())])
        stages.append(
            StageGuess(name, place, int(depth.distinct[-1]), depth, features=features, shared=set(features))
        )
    return stages


def _layers_or_blocks(
    found: Stages, container: str, slots: dict[str, list[Part]], n: int, questions: Questions
) -> None:
    numbers = sorted({pattern.indices[0] for parts in slots.values() for _, pattern in parts})
    whole = {feature: parts for feature, parts in slots.items() if len(parts) == len(numbers)}
    everything = [part for parts in slots.values() for part in parts]
    name = everything[0][1].word
    one = StageGuess(name or "stage1", min(c.place for c, _ in everything), len(numbers))
    one.features = {feature: tuple(c for c, _ in parts) for feature, parts in whole.items()}
    depth = next(
        (
            part
            for part in found.plain
            if is_depth(part[0], part[1].feature, len(numbers))
            and (part[0].distinct[-1] == len(numbers) or part[1].container == container != "")
            and part[1].container in (container, "")
        ),
        None,
    )
    if len(whole) == len(slots) and depth is not None:
        found.plain = [part for part in found.plain if part is not depth]
        one.depth = depth[0]
        found.stages.append(one)
        return
    one.counted = len(whole) == len(slots) and _trails_off(one)
    if one.counted:
        found.stages.append(one)
        return
    siblings = [s for s in found.stages if s.layers > 1 and s.depth is None]
    blocks = {"stages": "stages of one layer", "layers": f"{len(numbers)} layers of one stage"}
    if len(numbers) <= _SHALLOW and container and (siblings or _is_word(name)):
        blocks = dict(reversed(blocks.items()))
    if len(whole) < len(slots) or container.lower().endswith(_BLOCKS):
        blocks = {"stages": blocks["stages"]}
    shown = f"{everything[0][0].name} ... {everything[-1][0].name}"
    key = container or "_".join(slots)
    if len(blocks) > 1:
        answer = questions.ask(key, f"Columns {shown} are numbered once, without a depth. They are", blocks)
    else:
        answer = "stages"
    if answer == "layers":
        found.stages.append(one)
        return
    for number in numbers:
        at = {f: c for f, parts in slots.items() for c, p in parts if p.indices[0] == number}
        stage = StageGuess(
            _stage_name(everything, container, number, "layer"), min(c.place for c in at.values()), 1
        )
        stage.features = {feature: (column,) for feature, column in at.items()}
        found.stages.append(stage)


_BLOCKS = (
    "block",
    "blocks",
    "blk",
    "blks",
    "layer",
    "layers",
    "h",
    "stage",
    "stages",
    "cell",
    "cells",
    "unit",
    "units",
    "edge",
    "node",
)


def _is_word(name: str) -> bool:
    return len(name) == 1 and name.isalpha()


def _plain_depths(plain: list[Part], single: dict[str, list[StageGuess]]) -> list[Part]:
    """Gives a stage that is alone its depth, which has no number in its name; returns the other names."""
    rest = []
    for column, pattern in plain:
        stage = next((s[0] for s in single.values()), None)
        if stage is not None and stage.depth is None and is_depth(column, pattern.feature, stage.layers):
            stage.depth = column
        else:
            rest.append((column, pattern))
    return rest


def _trails_off(stage: StageGuess) -> bool:
    """Whether the last layers are empty in some rows, and no layer before a filled one is."""
    layered = [columns for columns in stage.features.values() if len(columns) == stage.layers]
    if stage.layers < 2 or not layered:
        return False
    short = False
    for values in zip(*(zip(*(c.values for c in columns), strict=True) for columns in layered), strict=True):
        filled = [any(value is not None for value in layer) for layer in zip(*values, strict=True)]
        depth = sum(filled)
        if not all(filled[:depth]):
            return False
        short |= depth < stage.layers
    return short


def _by_feature(parts: Sequence[Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part[1].feature, []).append(part)
    return found


def _stage_name(parts: Sequence[Part], container: str, number: int, otherwise: str = "stage") -> str:
    word = next((pattern.word for _, pattern in parts if pattern.container == container), "")
    return f"{word or otherwise}{number}"


def _tell_apart(stages: list[StageGuess]) -> None:
    """Puts the whole container before names that two containers would give."""
    words = {c: re.split(r"[ ._\-/]+", c)[-1] for c in {stage.container for stage in stages}}
    counts = Counter(words.values())
    for stage in stages:
        before = stage.container[: -len(words[stage.container])].strip(" ._-/")
        if counts[words[stage.container]] > 1 and before:
            stage.name = f"{before}.{stage.name}"
