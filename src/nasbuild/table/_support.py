"""What the rows of a table can speak of: choices and depths that none has, and rows that alone have something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbuild.space import Architecture, Choice, Space, group_stages

_NAMED = 6  # features, and choices of each, that a sentence names
_REPEATED = 0.5
"""Share of rows with a module that another row has as well, from which on a stage's module is itself a choice."""


@dataclass(frozen=True)
class Unseen:
    """A choice, or a depth, that a space allows and no row has.

    Attributes
    ----------
    stage
        Index of the stage; the globals are one as well.
    feature
        Name of the feature; None for the depth.
    choice
        Its value, or the number of layers.
    """

    stage: int
    feature: str | None
    choice: Choice


def unseen_choices(space: Space, architectures: Sequence[Architecture]) -> tuple[Unseen, ...]:
    """Choices of every feature in every stage, and depths, that none of the architectures has, in the space's order."""
    found = []
    for u, (stage, modules) in enumerate(zip(space.stages, group_stages(space, architectures), strict=True)):
        depths = {codes.shape[1] for _, codes in modules.groups}
        found += [Unseen(u, None, depth) for depth in stage.depths if depth not in depths]
        for f, feature in enumerate(stage.features):
            seen = np.zeros(len(feature.choices), dtype=bool)
            for _, codes in modules.groups:
                seen[codes[:, :, f].ravel()] = True
            found += [
                Unseen(u, feature.name, c)
                for c, known in zip(feature.choices, seen, strict=True)
                if not known
            ]
    return tuple(found)


def holds_unseen(space: Space, unseen: Sequence[Unseen], stage: int, codes: np.ndarray) -> np.ndarray:
    """Which modules of a stage have something that no row has, (modules,); codes (modules, depth, features)."""
    holds = np.zeros(len(codes), dtype=bool)
    names = [feature.name for feature in space.stages[stage].features]
    for one in unseen:
        if one.stage != stage:
            continue
        if one.feature is None:
            holds |= codes.shape[1] == one.choice
        else:
            f = names.index(one.feature)
            holds |= (codes[:, :, f] == space.stages[stage].features[f].index(one.choice)).any(axis=1)
    return holds


def rows_with_unseen(
    space: Space, unseen: Sequence[Unseen], architectures: Sequence[Architecture]
) -> np.ndarray:
    """Which architectures have something that no row of the table has, (architectures,)."""
    holds = np.zeros(len(architectures), dtype=bool)
    for u in {one.stage for one in unseen} if len(architectures) else ():
        modules = group_stages(space, architectures)[u]
        each = np.zeros(modules.count, dtype=bool)
        for positions, codes in modules.groups:
            each[positions] = holds_unseen(space, unseen, u, codes)
        holds |= each[modules.of_architecture]
    return holds


def unseen_rows(space: Space, unseen: Sequence[Unseen]) -> list[dict[str, Any]]:
    """As JSON data: ``stage``, its ``name``, ``feature`` (None for the depth) and its ``choices``, together."""
    found: dict[tuple[int, str | None], list[Choice]] = {}
    for one in unseen:
        found.setdefault((one.stage, one.feature), []).append(one.choice)
    return [
        {"stage": u, "name": space.stages[u].name, "feature": feature, "choices": choices}
        for (u, feature), choices in found.items()
    ]


def unseen_text(space: Space, unseen: Sequence[Unseen], what: str) -> str:
    """What no row has, in a sentence; nothing where there is none. ``what`` says what a row is."""
    rows = unseen_rows(space, unseen)
    if not rows:
        return ""
    parts = []
    for row in rows[:_NAMED]:
        each = ", ".join(str(c) for c in row["choices"][:_NAMED])
        if len(row["choices"]) > _NAMED:
            each += f" and {len(row['choices']) - _NAMED} more"
        layers = "layer" if row["choices"] == [1] else "layers"
        parts.append(
            f"{row['name']} {row['feature']} {each}"
            if row["feature"]
            else f"{row['name']} with {each} {layers}"
        )
    if len(rows) > _NAMED:
        parts.append(f"and {len(rows) - _NAMED} other features")
    return f"No {what} has {'; '.join(parts)}."


def rows_without_support(space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    """Which rows alone hold a choice at some layer, a depth, or a module, (architectures,).

    What such a row measured is all that is known of it, so no other row can speak against it. A module counts in
    stages where most rows share theirs with another row: where nearly all differ, what they consist of is what is shared.
    """
    alone = np.zeros(len(architectures), dtype=bool)
    for stage, modules in zip(space.stages, group_stages(space, architectures), strict=True):
        rows_of = np.bincount(modules.of_architecture, minlength=modules.count)
        shared = (rows_of[modules.of_architecture] > 1).mean() >= _REPEATED
        single = (rows_of == 1) & shared
        holders = np.zeros(
            (max(stage.depths), len(stage.features), max(stage.sizes, default=1)), dtype=np.int64
        )
        places = [np.arange(codes.shape[1])[:, None] for _, codes in modules.groups]
        features = np.arange(len(stage.features))
        for place, (positions, codes) in zip(places, modules.groups, strict=True):
            weight = np.broadcast_to(rows_of[positions][:, None, None], codes.shape)
            np.add.at(holders, (place, features, codes), weight)
        for place, (positions, codes) in zip(places, modules.groups, strict=True):
            depth_is_single = rows_of[positions].sum() == 1
            choice_is_single = (holders[place, features, codes] == 1).any(axis=(1, 2))
            single[positions] |= depth_is_single | choice_is_single
        alone |= single[modules.of_architecture]
    return alone
