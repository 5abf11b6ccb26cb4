"""CSV with flat columns: read line by line, so that every mistake has its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from nasbuild._io import write_text
from nasbuild._reading import reading
from nasbuild.errors import TableError
from nasbuild.space import Space
from nasbuild.table._flat import FlatLayout, metric_of_text
from nasbuild.table._frame import to_frame
from nasbuild.table._model import Note, Table
from nasbuild.table._rows import RawRow

_BYTE_ORDER_MARK = "\ufeff"


def rows_of_csv(space: Space, path: Path) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a CSV file with flat columns; an empty field means missing.

    What a field means is known from the space, not guessed from other rows. Columns without a name
    (pandas writes its index so) and undeclared ones without any number are left out with a note.

    Raises
    ------
    TableError
        If there is no header, a column is missing or stands twice, or a quote is never closed.
    """
    with reading(path, TableError) as stream:
        text = stream.read().removeprefix(_BYTE_ORDER_MARK)
    lines = _lines(text, str(path))
    head = next(lines, None)
    if head is None:
        raise TableError("the table is empty", where=str(path))
    if isinstance(head, TableError):
        raise head
    header = [name.strip() for name in head[1]]
    rows = [line if isinstance(line, TableError) else _row(header, *line) for line in lines]
    numeric = {
        name
        for row in rows
        if not isinstance(row, TableError)
        for name, value in row[1].items()
        if isinstance(metric_of_text(value), float)
    }
    layout = FlatLayout.of(space, [name for name in header if name], str(path), numeric.__contains__)
    notes = layout.notes()
    if "" in header:
        notes.append(Note("ignored", "columns without a name were left out"))
    return layout.rows(rows, text=True), notes


def write_csv(table: Table, path: Path) -> None:
    """Write flat columns as CSV, gzipped where the name ends in ``.gz``."""
    write_text(path, to_frame(table).write_csv())


def _lines(text: str, path: str) -> Iterator[tuple[str, list[str]] | TableError]:
    """Place and fields of each line that is not blank."""
    ended = False

    def lines() -> Iterator[str]:
        nonlocal ended
        yield from io.StringIO(text)
        ended = True

    reader = csv.reader(lines(), strict=True)
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if ended:
                # All lines from here on are in one field: to go on would drop them.
                what = "a quote that is opened here is never closed"
                raise TableError(what, where=where, todo="mend the file") from None
            yield TableError(f"is no CSV ({error})", where=where)
            continue
        if fields:
            yield where, fields


def _row(header: list[str], where: str, fields: list[str]) -> tuple[str, dict[str, str]] | TableError:
    if len(fields) != len(header):
        what = f"has {len(fields)} fields, the header has {len(header)}"
        return TableError(what, where=where)
    return where, {name: value for name, value in zip(header, fields, strict=True) if name}
