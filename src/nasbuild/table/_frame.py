"""Tables in columns: CSV, Parquet, polars and pandas frames."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from nasbuild._io import reading
from nasbuild.errors import TableError
from nasbuild.space import Space, to_dict
from nasbuild.table._flat import ID, FlatLayout, flat_columns, flatten, metric_of_text
from nasbuild.table._model import Note, Table
from nasbuild.table._rows import RawRow


def rows_of_frame(space: Space, frame: Any, source: str) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a polars or pandas frame with flat columns; pandas' NaN means missing."""
    if not isinstance(frame, pl.DataFrame):
        try:
            frame = pl.from_pandas(frame)
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise TableError(f"the frame can't be read ({_first_line(error)})", where=source) from None
    layout = FlatLayout.of(space, frame.columns, source)
    numeric = [c for c in layout.others if frame[c].dtype.is_numeric() or c in space.metrics or frame[c].dtype == pl.Null]
    notes = _ignored(layout, numeric)
    return _rows(layout, frame.iter_rows(named=True), numeric, source, first=0, text=False), notes


def rows_of_parquet(space: Space, path: Path) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a Parquet file with flat columns."""
    return rows_of_frame(space, _read(path, pl.read_parquet, "Parquet"), str(path))


def rows_of_csv(space: Space, path: Path) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a CSV file with flat columns; an empty field means missing."""
    with reading(path, TableError) as stream:
        text = stream.read()
    if not text.strip():
        raise TableError("the table is empty", where=str(path))
    # Read as text: what a field means is known from the space, not guessed from other rows.
    frame = _read(path, lambda _: pl.read_csv(io.StringIO(text), infer_schema=False, truncate_ragged_lines=False), "CSV")
    layout = FlatLayout.of(space, frame.columns, str(path))
    numeric = [c for c in layout.others if c in space.metrics or _looks_numeric(frame[c])]
    notes = _ignored(layout, numeric)
    return _rows(layout, frame.iter_rows(named=True), numeric, str(path), first=2, text=True), notes


def to_frame(table: Table) -> pl.DataFrame:
    """The table as a polars frame: ``id``, flat columns, metrics (missing values null)."""
    rows = [flatten(table.space, architecture) for architecture in table.architectures]
    frame: dict[str, Any] = {ID: list(table.ids)}
    frame |= {column: [row[column] for row in rows] for column in flat_columns(table.space)}
    series = [pl.Series(name, values, strict=False) for name, values in frame.items()]
    metrics = [pl.Series(name, values).fill_nan(None) for name, values in table.columns.items()]
    return pl.DataFrame(series + metrics)


def arch_dicts(table: Table) -> list[dict[str, Any]]:
    """The rows as in ``archs.jsonl``."""
    return [
        {
            "id": table.ids[row],
            "arch": to_dict(table.space, architecture),
            "metrics": {n: None if (v := float(c[row])) != v else v for n, c in table.columns.items()},
        }
        for row, architecture in enumerate(table.architectures)
    ]


def _rows(
    layout: FlatLayout, rows: Iterable[dict[str, Any]], metrics: list[str], source: str, *, first: int, text: bool
) -> Iterator[RawRow | TableError]:
    unit = "line" if text else "row"
    for number, values in enumerate(rows, first):
        where = f"{source}, {unit} {number}"
        found = {m: metric_of_text(values[m]) if text else values[m] for m in metrics}
        try:
            yield layout.row(where, values, found, text=text)
        except TableError as error:
            yield error


def _looks_numeric(column: pl.Series) -> bool:
    """Whether any field is a number: a single text among numbers is then an error, not a comment."""
    return any(isinstance(metric_of_text(value), float) for value in column)


def _ignored(layout: FlatLayout, numeric: list[str]) -> list[Note]:
    ignored = [c for c in layout.others if c not in numeric]
    if not ignored:
        return []
    return [Note("ignored", f"columns without numbers are not metrics and were left out: {', '.join(ignored)}")]


def _read(path: Path, read: Any, kind: str) -> pl.DataFrame:
    try:
        return read(path)
    except FileNotFoundError:
        raise TableError("no such file", where=str(path)) from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TableError(f"is no {kind} that can be read ({_first_line(error)})", where=str(path)) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
