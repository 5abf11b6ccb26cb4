"""Checks raw rows one by one and makes a table of them."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbuild.errors import SpaceError, TableError
from nasbuild.space import Space, architecture_id, parse_architecture
from nasbuild.table._assemble import Row, assembled
from nasbuild.table._table import Note, Table, counted

_ROW_KEYS = ("id", "arch", "metrics")
_MOST_METRICS = 10_000
_SKIP = "fix the row, or pass --skip-bad to skip such rows"
_A_NUMBER = "a finite number; null or an empty field where it is missing"
_A_NAME = "printable text without spaces around it"
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_SHORT.maxlevel = 2


@dataclass(frozen=True)
class RawRow:
    """A row as it was read, in plain data.

    Attributes
    ----------
    where
        Its place in the source.
    name
        Its id; None for the canonical id of the architecture.
    arch
        As in ``archs.jsonl``, not checked yet.
    metrics
        Values by name, not checked yet; None where one is missing.
    ignored
        Unknown fields.
    """

    where: str
    name: object
    arch: object
    metrics: Mapping[str, object]
    ignored: tuple[str, ...] = ()


def table_of_rows(
    space: Space,
    rows: Iterable[RawRow | TableError],
    *,
    source: str,
    skip_bad: bool = False,
    notes: Iterable[Note] = (),
) -> Table:
    """Check every row and make a table of the good ones.

    A row may be an error already, if it could not be read. Several measurements of the same architecture
    become one row with their mean.

    Raises
    ------
    TableError
        For the first bad row, unless ``skip_bad``; and if no row is left.
    """
    good: list[Row] = []
    named: dict[str, Row] = {}
    skipped: list[str] = []
    ignored: dict[str, None] = {}
    texts: dict[str, None] = {}
    for row in _without_texts(_checked(space, rows, skip_bad)):
        try:
            if isinstance(row, TableError):
                raise row
            other = named.setdefault(row.name, row)
            if other.architecture != row.architecture:
                raise TableError(
                    f"id {shown(row.name)} already names another architecture, at {other.where}",
                    where=row.where,
                    todo="give each architecture its own id",
                )
            good.append(row)
            ignored |= dict.fromkeys(row.ignored)
            texts |= dict.fromkeys(row.texts)
        except TableError as error:
            if not skip_bad:
                raise TableError(
                    error.what, where=error.where, allowed=error.allowed, todo=error.todo or _SKIP
                ) from None
            skipped.append(str(error))
    metrics = {name for row in good for name in row.metrics}
    if len(metrics) > _MOST_METRICS:
        raise TableError(
            f"has {len(metrics):,} metrics",
            where=source,
            allowed=f"up to {_MOST_METRICS:,}",
            todo="leave columns out",
        )
    if not good:
        what = f"no row of {len(skipped)} could be read" if skipped else "the table is empty"
        raise TableError(what, where=source, todo=f"the first was: {skipped[0]}" if skipped else None)
    all_notes = list(notes)
    if ignored:
        text = f"unknown fields were ignored: {', '.join(map(shown, ignored))}"
        all_notes.append(Note("ignored", text, tuple(ignored)))
    if texts:
        names = ", ".join(map(shown, texts))
        text = f"ignored, as no row has a number there: {names}"
        all_notes.append(Note("ignored", text, tuple(map(str, texts))))
    if skipped:
        text = f"{counted(len(skipped), 'row')} could not be read and left out"
        all_notes.append(Note("skipped", text, tuple(skipped)))
    return assembled(space, good, all_notes)


def _without_texts(rows: Iterable[Row | TableError]) -> Iterator[Row | TableError]:
    """Rows without metric fields that are text or lists in every row.

    Training frameworks write texts beside numbers, which must not cost the numbers. But a text is a
    mistake where other rows have numbers.
    """
    held = list(rows)
    good = [row for row in held if isinstance(row, Row)]
    numeric = {name for row in good for name, value in row.metrics.items() if value == value}
    for row in held:
        mistake = None if isinstance(row, TableError) else next((n for n in row.texts if n in numeric), None)
        if isinstance(row, TableError) or mistake is None:
            yield row
        else:
            yield _no_number(row.texts[mistake], f"{row.where}, {mistake}")


def _checked(space: Space, rows: Iterable[RawRow | TableError], skip_bad: bool) -> Iterator[Row | TableError]:
    for raw in rows:
        try:
            if isinstance(raw, TableError):
                raise raw
            yield checked_row(space, raw)
        except TableError as error:
            yield error
            if not skip_bad:
                return


def raw_row(where: str, data: Mapping[str, Any]) -> RawRow:
    """A row of the form ``{"id", "arch", "metrics"}``."""
    if "arch" not in data:
        raise TableError("'arch' is missing", where=where, allowed=_ROW_KEYS)
    ignored = tuple(key for key in data if key not in _ROW_KEYS)
    return RawRow(where, data.get("id"), data["arch"], metrics_of(where, data.get("metrics")), ignored)


def metrics_of(where: str, data: object) -> Mapping[str, object]:
    """The metrics of a row; empty if it has none."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise TableError(f"'metrics' is {shown(data)}, not an object of numbers", where=where)
    return data


def shown(value: object) -> str:
    """A value for a message: short and on one line."""
    return _SHORT.repr(value)


def checked_row(space: Space, raw: RawRow) -> Row:
    """A row whose architecture belongs to the space, with a name and finite metrics.

    Raises
    ------
    TableError
        Naming the place, the field and what is allowed there.
    """
    try:
        architecture = parse_architecture(space, raw.arch)
    except SpaceError as error:
        raise TableError(
            error.what, where=f"{raw.where}, {error.where}", allowed=error.allowed, todo=error.todo
        ) from None
    metrics: dict[str, float] = {}
    texts: dict[str, object] = {}
    for name, value in raw.metrics.items():
        if not _is_name(name):
            raise TableError(
                f"{shown(name)} is not a valid name of a metric", where=raw.where, allowed=_A_NAME
            )
        if name not in space.metrics and not (value is None or isinstance(value, int | float | np.number)):
            texts[name] = value
            continue
        metrics[name] = _number(value, f"{raw.where}, {name}")
        declared = space.metrics.get(name)
        if declared is not None and (allowed := declared.outside(metrics[name])) is not None:
            raise TableError(f"is {metrics[name]:g}", where=f"{raw.where}, {name}", allowed=allowed)
    if raw.name is None:
        own = architecture_id(space, architecture)
        return Row(raw.where, own, architecture, metrics, texts, raw.ignored)
    whole = isinstance(raw.name, int | np.integer) and not isinstance(raw.name, bool)
    if not whole and not (isinstance(raw.name, str) and _is_name(raw.name)):
        raise TableError(
            f"{shown(raw.name)} is not a valid id",
            where=f"{raw.where}, id",
            allowed=f"{_A_NAME}, or a whole number",
        )
    return Row(raw.where, str(raw.name), architecture, metrics, texts, raw.ignored)


def _no_number(value: object, where: str) -> TableError:
    return TableError(f"{shown(value)} is not a number", where=where, allowed=_A_NUMBER)


def _is_name(text: str) -> bool:
    # Ids and metrics appear on command lines and in lists, one a line, and are written as UTF-8.
    return text != "" and text.isprintable() and text == text.strip()


def _number(value: object, where: str) -> float:
    if value is None or value != value:
        # Other programs write NaN for a missing value.
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise _no_number(value, where)
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise TableError(f"{number} is not finite", where=where, allowed=_A_NUMBER)
    return number
