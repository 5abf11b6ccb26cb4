"""Writes rows of plain data as JSON Lines, JSON, YAML, CSV or Parquet, by the ending of the name."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nasbuild._atomic_write import write_text, writing
from nasbuild._file_formats import FLAT, ROWS, delimiter, file_format
from nasbuild._yaml import yaml_from_plain

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def write_records(
    rows: Sequence[dict[str, Any]],
    path: str | os.PathLike[str],
    *,
    unguarded_keys: Sequence[str] = ("target",),
) -> None:
    """Write rows that all have the same keys; in CSV, lists and objects become JSON text.

    ``unguarded_keys`` are keys of texts that users wrote, such as equations, which may look like a
    spreadsheet formula.

    Raises
    ------
    OutputError
        If the ending is not a known format, or the file can't be written.
    """
    form = file_format(path, ROWS, "rows")
    if form == ".parquet":
        _write_parquet(rows, Path(path))
    elif form in FLAT:
        names = list(rows[0]) if rows else []
        columns = [[row[name] for row in rows] for name in names]
        write_text(path, flat_text(names, columns, separator=delimiter(form), unguarded_keys=unguarded_keys))
    else:
        write_text(path, objects_text(rows, form))


def objects_text(rows: Iterable[dict[str, Any]], form: str) -> str:
    """Rows as JSON Lines, a JSON list or a YAML list."""
    if form.startswith(".jsonl"):
        return "".join(json_text(row) + "\n" for row in rows)
    if form == ".json":
        return json_text(list(rows), indent=1) + "\n"
    return yaml_from_plain([finite(row) for row in rows])


def json_text(data: Any, *, indent: int | None = None) -> str:
    """Standard JSON, with null for numbers that are not finite."""
    try:
        return json.dumps(data, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(finite(data), indent=indent, allow_nan=False)


def finite(data: Any) -> Any:
    """Plain data with None for numbers that are not finite."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def flat_text(
    names: Sequence[str],
    columns: Sequence[Sequence[Any]],
    *,
    separator: str = ",",
    decimal: str = ".",
    unguarded_keys: Sequence[str] = (),
) -> str:
    """Columns as CSV; texts that a spreadsheet would run as formulas are prefixed by an apostrophe.

    Written without other threads, as libraries with threads of their own hang in forked processes.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    writer.writerow([guarded(name) for name in names])
    texts = [
        [_cell(value, decimal, guard=name not in unguarded_keys) for value in column]
        for name, column in zip(names, columns, strict=True)
    ]
    writer.writerows(zip(*texts, strict=True))
    return stream.getvalue()


def guarded(text: str) -> str:
    """A text that no spreadsheet runs: an apostrophe precedes ``=``, ``+``, ``-`` and ``@``, except in numbers."""
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """The original of a `guarded` text."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _cell(value: Any, decimal: str = ".", *, guard: bool) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return guarded(value) if guard else value
    if isinstance(value, list | dict):
        return json_text(value)
    return repr(value).replace(".", decimal) if isinstance(value, float) else repr(value)


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    # Arrow, as polars refuses a feature that is an integer in one row and missing in another.
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: arrow_column([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    with writing(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def arrow_column(values: Sequence[Any]) -> Any:
    """Values as an Arrow array that Parquet can store; values of several types as JSON."""
    import pyarrow as pa

    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else json_text(value) for value in values], pa.string())
    if _has_empty_struct(column.type):
        # Parquet has no structs without fields, so a layer without features is null.
        column = pa.array([[None] * len(value) for value in values], pa.list_(pa.null()))
    elif pa.types.is_struct(column.type) and not column.type.num_fields:
        column = pa.nulls(len(values))
    return column


def _has_empty_struct(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_list(kind) and types.is_struct(kind.value_type) and kind.value_type.num_fields == 0
