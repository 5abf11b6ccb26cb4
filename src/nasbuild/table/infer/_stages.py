"""Stages from the columns of parts: which layers and features each has, and where its depth stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from nasbuild.table.infer._numbered_stages import numbered_stages
from nasbuild.table.infer._questions import Questions
from nasbuild.table.infer._stage_guess import (
    Part,
    StageGuess,
    Stages,
    by_feature,
    containers,
    is_depth,
    stage_name,
    trails_off,
)
from nasbuild.table.infer._typed_columns import TypedColumn


def guess_stages(parts: Sequence[Part], questions: Questions, digits: Collection[str] = ()) -> Stages:
    """Stages from the patterns of names; ``digits`` are columns with a digit for each layer."""
    plain = [part for part in parts if not part[1].indices]
    single = [part for part in parts if len(part[1].indices) == 1]
    double = [part for part in parts if len(part[1].indices) == 2]
    found = Stages([], plain, [])
    for container in containers(double):
        own = [part for part in double if part[1].container == container]
        alone = len(containers(double)) == 1
        before = len(found.stages)
        single = _layered(found, container, own, single, alone)
        for stage in found.stages[before:]:
            stage.container = container
    for container in containers(single):
        before = len(found.stages)
        numbered_stages(
            found, container, [part for part in single if part[1].container == container], questions, digits
        )
        for stage in found.stages[before:]:
            stage.container = container
    _tell_apart(found.stages)
    found.stages.sort(key=lambda stage: stage.place)
    return found


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
        stage = StageGuess(stage_name(own, container, i), min(c.place for c in everything), len(layers))
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
    for feature, part in by_feature(single).items():
        matching = [p for p in part if p[1].container == container or (alone and p[1].container == "")]
        own_numbers = sorted(p[1].indices[0] for p in matching)
        aligned = dict(zip(own_numbers, numbers, strict=False)) if len(own_numbers) == len(numbers) else {}
        if set(own_numbers) <= set(numbers):
            aligned = {n: n for n in own_numbers}
        homes = [stages.get(aligned.get(p[1].indices[0], -1)) if p in matching else None for p in part]
        # What is more than the layers of one stage is no depth in the others either.
        are_depths = all(
            is_depth(column, feature, stage.layers)
            for (column, _), stage in zip(part, homes, strict=True)
            if stage is not None
        )
        for (column, pattern), stage in zip(part, homes, strict=True):
            if stage is None:
                rest.append((column, pattern))
            elif stage.depth is None and are_depths:
                stage.depth = column
            elif feature not in stage.features:
                stage.features[feature] = (column,)
                stage.shared.add(feature)
            else:
                found.left.append(column)
    found.plain = _plain_depths(found.plain, {container: list(stages.values())} if len(stages) == 1 else {})
    for stage in stages.values():
        stage.counted = stage.depth is None and trails_off(stage)
    found.stages += stages.values()
    return rest


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


def _tell_apart(stages: list[StageGuess]) -> None:
    """Puts the whole container before names that two containers would give."""
    words = {c: re.split(r"[ ._\-/]+", c)[-1] for c in {stage.container for stage in stages}}
    counts = Counter(words.values())
    for stage in stages:
        before = stage.container[: -len(words[stage.container])].strip(" ._-/")
        if counts[words[stage.container]] > 1 and before:
            stage.name = f"{before}.{stage.name}"
