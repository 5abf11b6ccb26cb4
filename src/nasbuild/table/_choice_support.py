"""Choices and depths that no row of a table has, and rows that have one almost alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbuild.space import ABSENT, Architecture, Choice, Space, group_modules, group_stages

_NAMED = 6  # at most so many features, and choices of each, in a sentence
SUPPORT = 4
"""Minimum number of rows in other folds that share each choice and depth of a supported row."""
FEW = 100
"""From so many rows on, choices are known well enough to judge a module that occurs in one row only."""
_REPEATED = 0.5  # if so large a share of rows repeats a module of others, the module counts as a choice


@dataclass(frozen=True)
class UnseenChoice:
    """A choice or depth that a space allows and no row of a table has.

    Attributes
    ----------
    stage
        Index of the stage; the globals are a stage as well.
    feature
        Name of the feature; None for the depth.
    choice
        Its value, or the number of layers.

    Examples
    --------
    >>> from nasbuild.table import unseen_choices
    >>> shallow = [a for a in table.architectures if len(a.modules[0]) == 1]
    >>> unseen_choices(space, shallow)[0]
    UnseenChoice(stage=0, feature=None, choice=2)
    """

    stage: int
    feature: str | None
    choice: Choice


def unseen_choices(space: Space, architectures: Sequence[Architecture]) -> tuple[UnseenChoice, ...]:
    """Choices and depths of the space that no architecture has, in the order of the space.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import unseen_choices
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> unseen_choices(space, [Architecture((((3,),),))])
    (UnseenChoice(stage=0, feature=None, choice=2), UnseenChoice(stage=0, feature='kernel', choice=5))
    """
    found = []
    for u, (stage, modules) in enumerate(zip(space.stages, group_stages(space, architectures), strict=True)):
        depths = {codes.shape[1] for _, codes in modules.groups}
        found += [UnseenChoice(u, None, depth) for depth in stage.depths if depth not in depths]
        for f, feature in enumerate(stage.features):
            if feature.range is not None:
                # Of a range, neighbouring values explain those that no row has.
                continue
            seen = np.zeros(len(feature.choices), dtype=bool)
            for _, codes in modules.groups:
                seen[codes[:, :, f].ravel()] = True
            found += [
                UnseenChoice(u, feature.name, c)
                # Where a feature is absent, its condition does not hold: that is another feature's choice.
                for c, known in zip(feature.choices, seen, strict=True)
                if not known and c is not ABSENT
            ]
    return tuple(found)


def modules_with_unseen(
    space: Space, unseen: Sequence[UnseenChoice], stage: int, codes: np.ndarray
) -> np.ndarray:
    """Which modules of a stage have an unseen choice or depth, (modules,) bool.

    Parameters
    ----------
    codes
        Codes of modules of one depth, (modules, depth, features).

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import UnseenChoice, modules_with_unseen
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> unseen = [UnseenChoice(0, "kernel", 5)]
    >>> modules_with_unseen(space, unseen, 0, np.array([[[0]], [[1]]])).tolist()
    [False, True]
    """
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
    """Which architectures have an unseen choice or depth, (architectures,) bool.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import architectures_with_unseen, unseen_choices
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> seen, new = Architecture((((3,),),)), Architecture((((3,), (5,)),))
    >>> architectures_with_unseen(space, unseen_choices(space, [seen]), [seen, new]).tolist()
    [False, True]
    """
    holds = np.zeros(len(architectures), dtype=bool)
    for u in {one.stage for one in unseen} if len(architectures) else ():
        modules = group_modules(space, u, [a.modules[u] for a in architectures])
        holds_any = np.zeros(modules.count, dtype=bool)
        for positions, codes in modules.groups:
            holds_any[positions] = modules_with_unseen(space, unseen, u, codes)
        holds |= holds_any[modules.of_architecture]
    return holds


def unseen_to_dicts(space: Space, unseen: Sequence[UnseenChoice]) -> list[dict[str, Any]]:
    """Unseen choices as JSON data, grouped by stage and feature.

    Each has ``stage``, its ``name``, ``feature`` (None for the depth) and the unseen ``choices``.

    Examples
    --------
    >>> from nasbuild.space import load_space
    >>> from nasbuild.table import UnseenChoice, unseen_to_dicts
    >>> unseen_to_dicts(load_space("digits-macro"), [UnseenChoice(1, None, 2)])
    [{'stage': 1, 'name': 'stage2', 'feature': None, 'choices': [2]}]
    """
    found: dict[tuple[int, str | None], list[Choice]] = {}
    for one in unseen:
        found.setdefault((one.stage, one.feature), []).append(one.choice)
    return [
        {"stage": u, "name": space.stages[u].name, "feature": feature, "choices": choices}
        for (u, feature), choices in found.items()
    ]


def unseen_text(space: Space, unseen: Sequence[UnseenChoice], what: str) -> str:
    """A sentence that names the unseen choices; empty if there are none.

    Parameters
    ----------
    what
        What a row is called, such as ``"row"``.

    Examples
    --------
    >>> from nasbuild.space import load_space
    >>> from nasbuild.table import UnseenChoice, unseen_text
    >>> unseen_text(load_space("digits-macro"), [UnseenChoice(1, None, 2)], "row")
    'No row has stage2 with 2 layers.'
    """
    rows = unseen_to_dicts(space, unseen)
    if not rows:
        return ""
    if len(rows) > 2 * _NAMED:
        first = unseen_text(space, unseen[:1], what).rstrip(".")
        return (
            f"{first}. The same holds for {len(unseen) - 1:,} other choices of {len(rows):,} features "
            '(all of them: --json, "unseen").'
        )
    parts = []
    for row in rows[:_NAMED]:
        named = ", ".join(str(c) for c in row["choices"][:_NAMED])
        if len(row["choices"]) > _NAMED:
            named += f" and {len(row['choices']) - _NAMED} more"
        layers = "layer" if row["choices"] == [1] else "layers"
        parts.append(
            f"{row['name']} {row['feature']} {named}"
            if row["feature"]
            else f"{row['name']} with {named} {layers}"
        )
    if len(rows) > _NAMED:
        parts.append(f"and {len(rows) - _NAMED} other features")
    return f"No {what} has {'; '.join(parts)}."


def rows_without_support(
    space: Space, architectures: Sequence[Architecture], folds: np.ndarray
) -> np.ndarray:
    """Which rows have a choice, depth or module that hardly any row of another fold has, (rows,) bool.

    The held-out prediction of such a row rests on few rows or none, so it can't show that the label is
    wrong. At least `SUPPORT` other rows must share each choice at its place, and each depth. In tables
    with fewer than `FEW` rows, other rows must also share its modules, in stages where most rows share
    theirs. With more rows, or if nearly all modules differ, a module's choices are enough.

    Parameters
    ----------
    folds
        The fold with which each row is held out, (rows,) integers from 0.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import rows_without_support
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> rows = [Architecture((((3,),),))] * 20 + [Architecture((((5,),),))]
    >>> np.flatnonzero(rows_without_support(space, rows, np.arange(21) % 3)).tolist()
    [20]
    """
    unsupported, n_folds = np.zeros(len(architectures), dtype=bool), int(folds.max()) + 1
    for stage, modules in zip(space.stages, group_stages(space, architectures), strict=True):
        module_of_row = modules.of_architecture
        rows_per_module = np.bincount(module_of_row, minlength=modules.count)
        # Number of rows of each fold with each depth, and with each choice at each place.
        depth = np.zeros(modules.count, dtype=np.int64)
        for positions, codes in modules.groups:
            depth[positions] = codes.shape[1]
        rows_by_depth = np.zeros((n_folds, max(stage.depths) + 1), dtype=np.int64)
        np.add.at(rows_by_depth, (folds, depth[module_of_row]), 1)
        rows_by_choice = np.zeros(
            (n_folds, max(stage.depths), len(stage.features), max(stage.sizes, default=1)), dtype=np.int64
        )
        smooth = [f for f, feature in enumerate(stage.features) if feature.range is not None]
        found = {
            int(p): _without(code, smooth)
            for positions, codes in modules.groups
            for p, code in zip(positions, codes, strict=True)
        }
        places = [np.arange(n)[:, None] for n in range(max(stage.depths) + 1)]
        features = np.arange(len(stage.features))
        for fold, module in zip(folds, module_of_row, strict=True):
            rows_by_choice[fold, places[depth[module]], features, found[int(module)]] += 1
        others_by_depth, others_by_choice = (
            rows_by_depth.sum(axis=0) - rows_by_depth,
            rows_by_choice.sum(axis=0) - rows_by_choice,
        )
        for row, (fold, module) in enumerate(zip(folds, module_of_row, strict=True)):
            support = others_by_choice[fold, places[depth[module]], features, found[int(module)]].min(
                initial=SUPPORT
            )
            unsupported[row] |= min(support, others_by_depth[fold, depth[module]]) < SUPPORT
        if (
            not smooth
            and len(architectures) < FEW
            and (rows_per_module[module_of_row] > 1).mean() >= _REPEATED
        ):
            unsupported |= rows_per_module[module_of_row] == 1
    return unsupported


def _without(code: np.ndarray, positions: Sequence[int]) -> np.ndarray:
    """A module's code with some features all alike."""
    found = code.copy()
    found[:, list(positions)] = 0
    return found
