"""Stages of names with one number: a list cut into stages, stages with depths, layers, or blocks."""

from __future__ import annotations

from collections.abc import Collection

from nasbuild.table.infer._questions import Questions
from nasbuild.table.infer._stage_guess import (
    Part,
    StageGuess,
    Stages,
    by_feature,
    is_depth,
    stage_name,
    trails_off,
)

_MOST_SHARED = 48
_SHALLOW = 8
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


def numbered_stages(
    found: Stages, container: str, own: list[Part], questions: Questions, digits: Collection[str] = ()
) -> None:
    """Stages of names with one number: a list cut into stages, stages with depths, layers, or blocks."""
    by_numbers: dict[tuple[int, ...], dict[str, list[Part]]] = {}
    for feature, parts in by_feature(own).items():
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
                _layers_or_blocks(found, container, slots, questions, digits)
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
        name = stage_name(depths, container, pattern.indices[0])
        place = min([depth.place, *(c[0].place for c in features.values())])
        stages.append(
            StageGuess(name, place, int(depth.distinct[-1]), depth, features=features, shared=set(features))
        )
    return stages


def _layers_or_blocks(
    found: Stages,
    container: str,
    slots: dict[str, list[Part]],
    questions: Questions,
    digits: Collection[str],
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
    one.counted = len(whole) == len(slots) and trails_off(one)
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
    if any(everything[0][0].name.startswith(f"{column}[") for column in digits):
        answer = "layers"
    elif len(blocks) > 1:
        answer = questions.ask(
            key, f"Columns {shown} are numbered once, without a depth. What are they?", blocks
        )
    else:
        answer = "stages"
    if answer == "layers":
        found.stages.append(one)
        return
    for number in numbers:
        at = {f: c for f, parts in slots.items() for c, p in parts if p.indices[0] == number}
        stage = StageGuess(
            stage_name(everything, container, number, "layer"), min(c.place for c in at.values()), 1
        )
        stage.features = {feature: (column,) for feature, column in at.items()}
        found.stages.append(stage)


def _is_word(name: str) -> bool:
    return len(name) == 1 and name.isalpha()
