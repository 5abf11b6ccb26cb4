"""From raw rows to a table: each row checked alone, then all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbuild.errors import SpaceError, TableError
from nasbuild.space import Architecture, Space, architecture_id, parse_architecture
from nasbuild.table._model import Note, Table

_ROW_KEYS = ("id", "arch", "metrics")


@dataclass(frozen=True)
class RawRow:
    """A row as it was read: the place it came from, its name, architecture and metrics in plain data."""

    where: str
    name: object
    arch: object
    metrics: Mapping[str, object]


@dataclass(frozen=True)
class _Row:
    where: str
    name: str
    architecture: Architecture
    metrics: dict[str, float]


def table_of_rows(
    space: Space, rows: Iterable[RawRow | TableError], *, source: str, skip_bad: bool = False, notes: Iterable[Note] = ()
) -> Table:
    """Check every row and put the good ones in a table.

    A row may be an error already, where the file could not be read so far. The same architecture
    measured several times becomes one row with the mean of its values.

    Raises
    ------
    TableError
        For the first bad row, unless ``skip_bad``, which notes it and goes on; and if no row is left.
    """
    good: list[_Row] = []
    skipped: list[str] = []
    for raw in rows:
        try:
            if isinstance(raw, TableError):
                raise raw
            good.append(_checked(space, raw))
        except TableError as error:
            if not skip_bad:
                raise TableError(error.what, where=error.where, allowed=error.allowed, todo=error.todo or _SKIP) from None
            skipped.append(str(error))
    if not good:
        what = f"no row is left of {len(skipped)}" if skipped else "the table is empty"
        raise TableError(what, where=source, todo=f"the first was: {skipped[0]}" if skipped else None)
    all_notes = list(notes)
    if skipped:
        all_notes.append(Note("skipped", f"{len(skipped)} rows could not be read and were left out", tuple(skipped)))
    merged = _merge_repeats(space, good, all_notes)
    return _assemble(space, merged, all_notes)


_SKIP = "mend the row, or pass --skip-bad to leave such rows out"


def _checked(space: Space, raw: RawRow) -> _Row:
    try:
        architecture = parse_architecture(space, raw.arch)
    except SpaceError as error:
        raise TableError(error.what, where=f"{raw.where}, {error.where}", allowed=error.allowed, todo=error.todo) from None
    metrics = {name: _number(value, f"{raw.where}, {name}") for name, value in raw.metrics.items()}
    if raw.name is not None and (not isinstance(raw.name, str | int) or isinstance(raw.name, bool) or raw.name == ""):
        raise TableError(f"id {raw.name!r} is no name", where=raw.where)
    name = architecture_id(space, architecture) if raw.name is None else str(raw.name)
    return _Row(raw.where, name, architecture, metrics)


def _number(value: object, where: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TableError(f"{value!r} is no number", where=where, allowed="a finite number, or null where it is missing")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise TableError(f"{number} is not finite", where=where, allowed="a finite number, or null where it is missing")
    return number


def _merge_repeats(space: Space, rows: list[_Row], notes: list[Note]) -> list[_Row]:
    groups: dict[Architecture, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.architecture, []).append(row)
    names: dict[str, _Row] = {}
    for group in groups.values():
        first = group[0]
        other = names.setdefault(first.name, first)
        if other is not first:
            raise TableError(
                f"id {first.name!r} names another architecture at {other.where}", where=first.where, todo="give each its own"
            )
    repeated = [group for group in groups.values() if len(group) > 1]
    if repeated:
        extra = sum(len(group) - 1 for group in repeated)
        text = f"{extra} rows repeat an architecture of another row; their metrics were averaged"
        noise = _repeat_noise(repeated)
        notes.append(Note("repeated", text + (f" (spread between repeats: {noise})" if noise else ""), tuple(g[0].name for g in repeated)))
    return [group[0] if len(group) == 1 else _mean_row(group) for group in groups.values()]


def _mean_row(group: list[_Row]) -> _Row:
    metrics: dict[str, float] = {}
    for name in dict.fromkeys(name for row in group for name in row.metrics):
        values = [row.metrics[name] for row in group if not math.isnan(row.metrics.get(name, math.nan))]
        metrics[name] = float(np.mean(values)) if values else math.nan
    return _Row(group[0].where, group[0].name, group[0].architecture, metrics)


def _repeat_noise(repeated: list[list[_Row]]) -> str:
    """Pooled standard deviation between repeats, for each metric that has any."""
    parts = []
    for name in repeated[0][0].metrics:
        squares, freedom = 0.0, 0
        for group in repeated:
            values = [v for row in group if not math.isnan(v := row.metrics.get(name, math.nan))]
            if len(values) > 1:
                squares += float(np.var(values)) * len(values)
                freedom += len(values) - 1
        if freedom and squares:
            parts.append(f"{name} {math.sqrt(squares / freedom):.3g}")
    return ", ".join(parts)


def _assemble(space: Space, rows: list[_Row], notes: list[Note]) -> Table:
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    columns = {name: np.array([row.metrics.get(name, math.nan) for row in rows]) for name in names}
    for name, values in columns.items():
        missing = np.isnan(values)
        if missing.any() and name in space.metrics:
            absent = tuple(row.name for row, m in zip(rows, missing, strict=True) if m)
            text = f"{name} is missing in {len(absent)} of {len(rows)} rows; they are left out where {name} is learnt"
            notes.append(Note("missing", text, absent))
        known = values[~missing]
        if len(known) > 1 and np.ptp(known) == 0 and name in space.metrics:
            notes.append(Note("constant", f"{name} is {known[0]:g} in every row, so nothing can be learnt from it"))
    for name in space.metrics:
        if name not in columns or np.isnan(columns[name]).all():
            columns.pop(name, None)
            notes.append(Note("absent", f"the space declares the metric {name}, the table has no value of it"))
    undeclared = [name for name in columns if name not in space.metrics]
    if undeclared:
        text = f"no direction is declared for {', '.join(undeclared)}: they can stand in equations, not alone as a target"
        notes.append(Note("undeclared", text))
    return Table(space, tuple(r.name for r in rows), tuple(r.architecture for r in rows), columns, tuple(notes))


def raw_row(where: str, data: object) -> RawRow | TableError:
    """A row in the form ``{"id", "arch", "metrics"}``."""
    if not isinstance(data, Mapping):
        return TableError("a row is an object with 'arch' and 'metrics'", where=where)
    fields: Mapping[str, Any] = data
    metrics = fields.get("metrics")
    if "arch" not in fields:
        return TableError("'arch' is missing", where=where, allowed=_ROW_KEYS)
    if metrics is not None and not isinstance(metrics, Mapping):
        return TableError("'metrics' is no object of numbers", where=where)
    return RawRow(where, fields.get("id"), fields["arch"], metrics or {})
