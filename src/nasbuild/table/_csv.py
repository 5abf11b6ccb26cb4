"""Reads CSV with flat columns line by line, so that every mistake has a line number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nasbuild._records import unguarded
from nasbuild.errors import TableError
from nasbuild.space import Feature, Space
from nasbuild.table._column_names import ID, FlatNames
from nasbuild.table._csv_dialects import COMMAS_NOTE, read_separated
from nasbuild.table._flat_columns import FlatLayout, metric_of_text
from nasbuild.table._rows import RawRow
from nasbuild.table._table import Note


def rows_of_csv(space: Space, path: Path, form: str) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a CSV file with flat columns; an empty field means missing.

    The space defines what a field means; nothing is guessed from other rows. Columns without a name
    (pandas writes its index so) and undeclared ones without numbers are ignored with a note.

    Raises
    ------
    TableError
        If there is no header, a column is missing or appears twice, or a quote is never closed.
    """
    written = FlatNames(space).written()
    known = {ID, *written, *space.metrics}
    held = read_separated(
        path,
        known,
        lambda name: name == ID or (name in written and not _holds_numbers(written[name])),
        separators="\t" if form.startswith(".tsv") else None,
    )
    numeric: set[str] = set()
    for row in held.rows:
        if isinstance(row, TableError):
            continue
        for name, value in row[1].items():
            row[1][name] = unguarded(value)
            if name not in numeric and isinstance(metric_of_text(value), float):
                numeric.add(name)
    columns = [name for name in held.header if name]
    layout = FlatLayout.of(space, columns, str(path), numeric.__contains__, held.split)
    notes = layout.notes()
    if "" in held.header:
        notes.append(Note("ignored", "columns without a name were left out"))
    if held.commas:
        notes.append(COMMAS_NOTE)
    return layout.rows(held.rows, text=True), notes


def _holds_numbers(feature: Feature) -> bool:
    """Whether a comma in a cell can only be a decimal comma."""
    return feature.uniform and feature.numbers is not None
