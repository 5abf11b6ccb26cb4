"""What the rows of a table can speak of: choices and depths that none has, and rows that nearly alone have something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbuild.space import Architecture, Choice, Space, group_stages

_NAMED = 6  # features, and choices of each, that a sentence names
SUPPORT = 4
"""Rows of other folds that must share a row's choices and depths for these to be known without it."""
FEW = 100
"""Rows from which on choices are known well enough to tell what a module is that stands in one row only."""
_REPEATED = (
    0.5  # share of rows with a module that another row has, from which on a stage's module is itself a choice
)


@dataclass(frozen=True)
class UnseenChoice:
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


def unseen_choices(space: Space, architectures: Sequence[Architecture]) -> tuple[UnseenChoice, ...]:
    """Choices of every feature in every stage, and depths, that none of the architectures has, in the space's order."""
    found = []
    for u, (stage, modules) in enumerate(zip(space.stages, group_stages(space, architectures), strict=True)):
        depths = {codes.shape[1] for _, codes in modules.groups}
        found += [UnseenChoice(u, None, depth) for depth in stage.depths if depth not in depths]
        for f, feature in enumerate(stage.features):
            seen = np.zeros(len(feature.choices), dtype=bool)
            for _, codes in modules.groups:
                seen[codes[:, :, f].ravel()] = True
            found += [
                UnseenChoice(u, feature.name, c)
                for c, known in zip(feature.choices, seen, strict=True)
                if not known
            ]
    return tuple(found)


def modules_with_unseen(
    space: Space, unseen: Sequence[UnseenChoice], stage: int, codes: np.ndarray
) -> np.ndarray:
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


def architectures_with_unseen(
    space: Space, unseen: Sequence[UnseenChoice], architectures: Sequence[Architecture]
) -> np.ndarray:
    """Which architectures have something that no row of the table has, (architectures,)."""
    holds = np.zeros(len(architectures), dtype=bool)
    for u in {one.stage for one in unseen} if len(architectures) else ():
        modules = group_stages(space, architectures)[u]
        each = np.zeros(modules.count, dtype=bool)
        for positions, codes in modules.groups:
            each[positions] = modules_with_unseen(space, unseen, u, codes)
        holds |= each[modules.of_architecture]
    return holds


def unseen_to_dicts(space: Space, unseen: Sequence[UnseenChoice]) -> list[dict[str, Any]]:
    """As JSON data: ``stage``, its ``name``, ``feature`` (None for the depth) and its ``choices``, together."""
    found: dict[tuple[int, str | None], list[Choice]] = {}
    for one in unseen:
        found.setdefault((one.stage, one.feature), []).append(one.choice)
    return [
        {"stage": u, "name": space.stages[u].name, "feature": feature, "choices": choices}
        for (u, feature), choices in found.items()
    ]


def unseen_text(space: Space, unseen: Sequence[UnseenChoice], what: str) -> str:
    """What no row has, in a sentence; nothing where there is none. ``what`` says what a row is."""
    rows = unseen_to_dicts(space, unseen)
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


def rows_without_support(
    space: Space, architectures: Sequence[Architecture], folds: np.ndarray
) -> np.ndarray:
    """Which rows hold a choice at some layer, a depth, or a module that hardly any row of another fold has, (rows,).

    What was predicted of such a row without its fold rests on a few rows or on none, so no other row can speak against
    it: `SUPPORT` others must have each of its choices at their places, and its depths. In tables of fewer than `FEW` rows
    its modules must be others' as well, in stages where most rows share theirs; with more, or where nearly all modules
    differ, what they consist of tells what they are.

    Parameters
    ----------
    folds
        Which fold each row is held out with, (rows,) of whole numbers from 0.
    """
    alone, count = np.zeros(len(architectures), dtype=bool), int(folds.max()) + 1
    for stage, modules in zip(space.stages, group_stages(space, architectures), strict=True):
        own = modules.of_architecture
        rows_of = np.bincount(own, minlength=modules.count)
        # How many rows of each fold have a depth, and a choice at a place.
        depth = np.zeros(modules.count, dtype=np.int64)
        for positions, codes in modules.groups:
            depth[positions] = codes.shape[1]
        deep = np.zeros((count, max(stage.depths) + 1), dtype=np.int64)
        np.add.at(deep, (folds, depth[own]), 1)
        held = np.zeros(
            (count, max(stage.depths), len(stage.features), max(stage.sizes, default=1)), dtype=np.int64
        )
        found = {
            int(p): code
            for positions, codes in modules.groups
            for p, code in zip(positions, codes, strict=True)
        }
        places = [np.arange(n)[:, None] for n in range(max(stage.depths) + 1)]
        features = np.arange(len(stage.features))
        for fold, module in zip(folds, own, strict=True):
            held[fold, places[depth[module]], features, found[int(module)]] += 1
        others_deep, others = deep.sum(axis=0) - deep, held.sum(axis=0) - held
        for row, (fold, module) in enumerate(zip(folds, own, strict=True)):
            least = others[fold, places[depth[module]], features, found[int(module)]].min(initial=SUPPORT)
            alone[row] |= min(least, others_deep[fold, depth[module]]) < SUPPORT
        if len(architectures) < FEW and (rows_of[own] > 1).mean() >= _REPEATED:
            alone |= rows_of[own] == 1
    return alone
