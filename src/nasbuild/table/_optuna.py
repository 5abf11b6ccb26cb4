"""A finished Optuna study as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nasbuild.errors import TableError
from nasbuild.space import Metric, Space
from nasbuild.table._flat import FlatLayout
from nasbuild.table._model import Note
from nasbuild.table._rows import RawRow

if TYPE_CHECKING:
    from optuna import Study


def is_study(source: object) -> bool:
    """Whether this is an Optuna study, without importing Optuna."""
    return any(f"{c.__module__}.{c.__qualname__}" == "optuna.study.study.Study" for c in type(source).__mro__)


def rows_of_study(
    space: Space, study: Study, metrics: Sequence[str] | None = None
) -> tuple[Space, Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of the completed trials, and the space with the study's objectives as metrics.

    Parameters are named like flat columns (``stage1.depth``, ``stage1.0.kernel``). ``metrics`` names
    the objectives; without it the study's own metric names are taken.
    """
    directions = [d.name.lower() for d in study.directions]
    names = list(metrics or study.metric_names or [])
    if len(names) != len(directions):
        raise TableError(
            f"the study has {len(directions)} objectives and {len(names)} names for them",
            where=f"study {study.study_name}",
            todo="pass metrics=[...] or call study.set_metric_names",
        )
    declared = dict(space.metrics)
    for name, direction in zip(names, directions, strict=True):
        known = declared.get(name)
        if known is not None and known.direction != direction:
            raise TableError(f"{name} is to {direction} in the study and to {known.direction} in the space", where=name)
        declared.setdefault(name, Metric(name, "maximize" if direction == "maximize" else "minimize"))
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    others = len(study.trials) - len(complete)
    notes = [Note("trials", f"{others} trials did not complete and were left out")] if others else []
    return replace(space, metrics=declared), _rows(space, study.study_name, complete, names), notes


def _rows(space: Space, study: str, trials: list[Any], names: list[str]) -> Iterator[RawRow | TableError]:
    columns = list(dict.fromkeys(name for trial in trials for name in trial.params))
    layout = FlatLayout.of(space, columns, f"study {study}")
    for trial in trials:
        values = {n: None if math.isnan(v) else v for n, v in zip(names, trial.values, strict=True)}
        try:
            row = layout.row(f"trial {trial.number}", {**trial.params, "id": f"trial{trial.number}"}, values, text=False)
        except TableError as error:
            yield error
        else:
            yield row
