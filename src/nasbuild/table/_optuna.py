"""Reads a finished Optuna study as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nasbuild.errors import TableError
from nasbuild.space import Metric, Space
from nasbuild.table._flat_columns import FlatLayout
from nasbuild.table._rows import RawRow
from nasbuild.table._table import Note, counted

if TYPE_CHECKING:
    from optuna import Study


def is_study(source: object) -> bool:
    """Whether this is an Optuna study, without importing Optuna."""
    return any(f"{c.__module__}.{c.__qualname__}" == "optuna.study.study.Study" for c in type(source).__mro__)


def rows_of_study(
    space: Space, study: Study, metrics: Sequence[str] | None = None
) -> tuple[Space, Iterator[RawRow | TableError], list[Note]]:
    """The space with the objectives of a study as metrics, and the raw rows of its completed trials.

    Parameters are named like flat columns (``stage1.depth``, ``stage1.0.kernel``). ``metrics`` names the
    objectives; the default is the study's own metric names.

    Raises
    ------
    TableError
        If objectives have no names or differ in direction from the space, or no trial completed.
    """
    where = f"study {study.study_name}"
    names = list(metrics or study.metric_names or [])
    declared = _declared(space, names, [d.name.lower() for d in study.directions], where)
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if not complete:
        raise TableError(f"none of {counted(len(trials), 'trial')} completed", where=where)
    columns = list(dict.fromkeys(name for trial in complete for name in trial.params))
    # A parameter that is not a choice of the space is not a metric either.
    layout = FlatLayout.of(replace(space, metrics={}), columns, where, lambda _: False)
    notes = [*notes_on_others(trials), *layout.notes("parameters that are not choices of the space")]
    return replace(space, metrics=declared), _rows(layout, where, complete, names), notes


def _declared(space: Space, names: list[str], directions: list[str], where: str) -> dict[str, Metric]:
    if len(names) != len(directions) or len(set(names)) < len(names):
        raise TableError(
            f"{counted(len(directions), 'objective')} of the study, and {len(set(names))} names for them",
            where=where,
            todo="pass metrics=[...] or call study.set_metric_names",
        )
    declared = dict(space.metrics)
    for name, direction in zip(names, directions, strict=True):
        known = declared.get(name)
        if known is not None and known.direction != direction:
            raise TableError(
                f"{name} is to {direction} in the study and to {known.direction} in the space", where=where
            )
        declared.setdefault(name, Metric(name, "maximize" if direction == "maximize" else "minimize"))
    return declared


def notes_on_others(trials: list[Any]) -> list[Note]:
    others = [trial for trial in trials if trial.state.name != "COMPLETE"]
    if not others:
        return []
    states = Counter(trial.state.name.lower() for trial in others)
    parts = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    text = f"{counted(len(others), 'trial')} did not complete and left out ({parts})"
    return [Note("trials", text, tuple(f"trial{trial.number}" for trial in others))]


def _rows(
    layout: FlatLayout, study: str, trials: list[Any], names: list[str]
) -> Iterator[RawRow | TableError]:
    for trial in trials:
        values = {n: None if math.isnan(v) else v for n, v in zip(names, trial.values, strict=True)}
        named = {
            **{name: _param(layout, name, value) for name, value in trial.params.items()},
            "id": f"trial{trial.number}",
        }
        try:
            row = layout.row(f"{study}, trial {trial.number}", named, text=False)
        except TableError as error:
            yield error
        else:
            yield replace(row, metrics=values)


def _param(layout: FlatLayout, name: str, value: Any) -> Any:
    """A parameter; where None is no choice of the space, the text none may be it."""
    feature = layout.features.get(name)
    if value is None and feature is not None and feature.index(None) < 0:
        return next((word for word in ("none", "None") if feature.index(word) >= 0), None)
    return value
