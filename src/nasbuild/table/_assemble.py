"""Turns checked rows into a table: averages repeats and notes what a user should know."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean

import numpy as np

from nasbuild.space import Architecture, Space
from nasbuild.table._table import Note, Table, counted


@dataclass(frozen=True)
class Row:
    """A checked row; a metric without a value is NaN.

    ``texts`` are metric fields that hold no number; ``ignored`` are unknown fields.
    """

    where: str
    name: str
    architecture: Architecture
    metrics: dict[str, float]
    texts: Mapping[str, object] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def known(self, metric: str) -> list[float]:
        """The metric's value, if there is one."""
        value = self.metrics.get(metric, math.nan)
        return [] if math.isnan(value) else [value]


def assembled(space: Space, rows: list[Row], notes: list[Note]) -> Table:
    """The table of at least one checked row; rows with the same architecture are merged."""
    groups: dict[Architecture, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.architecture, []).append(row)
    notes = notes + _repeat_notes(list(groups.values()))
    merged = [group[0] if len(group) == 1 else _mean_row(group) for group in groups.values()]
    names = dict.fromkeys(name for row in merged for name in row.metrics)
    columns = {name: np.array([row.metrics.get(name, math.nan) for row in merged]) for name in names}
    # A metric without any value is dropped.
    columns = {name: values for name, values in columns.items() if not np.isnan(values).all()}
    for name in space.metrics:
        if name in columns:
            notes += _metric_notes(name, columns[name], merged)
        else:
            text = f"the space declares the metric {name}, but the table has no value for it"
            notes.append(Note("absent", text))
    undeclared = [name for name in columns if name not in space.metrics and name not in space.costs]
    if undeclared:
        signed = " or ".join(shlex.quote(f"--target={sign}{undeclared[0]}") for sign in "+-")
        text = (
            f"no direction is declared for {', '.join(undeclared)}: write {signed}, or use it in an equation"
        )
        notes.append(Note("undeclared", text, tuple(undeclared)))
    architectures = tuple(row.architecture for row in merged)
    return Table(space, tuple(row.name for row in merged), architectures, columns, tuple(notes))


def _mean_row(group: list[Row]) -> Row:
    metrics = {}
    for name in _metrics(group):
        values = [value for row in group for value in row.known(name)]
        # Summed exactly and rounded once, so that the mean of equal values is that value.
        metrics[name] = mean(values) if values else math.nan
    return Row(group[0].where, group[0].name, group[0].architecture, metrics)


def _repeat_notes(groups: list[list[Row]]) -> list[Note]:
    repeated = [group for group in groups if len(group) > 1]
    if not repeated:
        return []
    spread = [
        f"{name} {noise:.3g}"
        for name in _metrics([row for group in repeated for row in group])
        if (noise := _spread(name, repeated)) is not None
    ]
    extra = counted(sum(len(group) - 1 for group in repeated), "row")
    text = f"{extra} with the architecture of another row left out; their metrics were averaged"
    if spread:
        text += f" (standard deviation between repeats: {', '.join(spread)})"
    return [Note("repeated", text, tuple(group[0].name for group in repeated))]


def _spread(metric: str, repeated: list[list[Row]]) -> float | None:
    """Pooled standard deviation within groups; None if the metric was not measured twice anywhere."""
    deviations, freedom = [], 0
    for group in repeated:
        values = [value for row in group for value in row.known(metric)]
        if len(values) > 1:
            middle = mean(values)
            deviations += [value - middle for value in values]
            freedom += len(values) - 1
    # hypot, as a sum of squares could overflow.
    return math.hypot(*deviations) / math.sqrt(freedom) if freedom else None


def _metric_notes(name: str, values: np.ndarray, rows: list[Row]) -> list[Note]:
    notes = []
    missing = np.isnan(values)
    if missing.any():
        absent = tuple(row.name for row, m in zip(rows, missing, strict=True) if m)
        text = f"{name} is missing in {len(absent)} of {counted(len(rows), 'row')}; a fit of {name} leaves them out"
        notes.append(Note("missing", text, absent))
    known = values[~missing]
    if len(known) > 1 and known.min() == known.max():
        text = f"{name} is {known[0]:g} wherever it is known, so nothing can be learnt from it"
        notes.append(Note("constant", text))
    return notes


def _metrics(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.metrics))
