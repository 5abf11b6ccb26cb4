"""Reads a table in its user's own columns, which the space declares (the key ``columns`` of ``space.yaml``)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from nasbuild.errors import TableError
from nasbuild.space import LITERALS, Columns, Space, number_of_text, plain_choice
from nasbuild.table._column_names import FlatNames
from nasbuild.table._csv_dialects import COMMAS_NOTE
from nasbuild.table._flat_columns import FlatLayout
from nasbuild.table._nested_values import nested
from nasbuild.table._rows import RawRow, raw_row
from nasbuild.table._source import Source, read_source
from nasbuild.table._split_texts import joined_text
from nasbuild.table._table import Note


def rows_of_own_table(space: Space, source: Any) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a table in the user's columns, or in nasbuild's; rows of nasbuild's own form are read as such.

    Raises
    ------
    TableError
        If the source can't be read, or a column is missing.
    """
    found = read_source(source, space.columns)
    placed = [row for row in found.good if row[0] not in found.own_form]
    if not placed:
        return _rows(found, None), list(found.notes)
    names = list(dict.fromkeys(name for _, row in placed for name in row))
    numeric = {name for _, row in placed for name, value in row.items() if _is_number(value)}
    layout = FlatLayout.of(space, names, found.where, numeric.__contains__)
    notes = [*found.notes, *layout.notes()]
    if found.commas:
        notes.append(COMMAS_NOTE)
    return _rows(found, layout), notes


def _rows(found: Source, layout: FlatLayout | None) -> Iterator[RawRow | TableError]:
    for row in found.rows:
        if isinstance(row, TableError):
            yield row
            continue
        where, values = row
        try:
            if where in found.own_form:
                yield raw_row(where, found.own_form[where])
            elif layout is not None:
                yield layout.row(where, values, text=True)
        except TableError as error:
            yield error


def as_in_own_table(space: Space, own: Columns, table: pa.Table) -> pa.Table:
    """A flat table with the columns that the user's own has: constants and nested data as well."""
    names = FlatNames(space)
    if not set(names.written()) <= set(table.column_names):
        return table
    choices = names.written()
    for column, value in own.constant.items():
        if column not in table.column_names:
            table = table.append_column(column, pa.array([value] * len(table)))
    for outer, kind in own.literals.items():
        inner = [n for n in table.column_names if n.startswith((f"{outer}.", f"{outer}["))]
        if not inner or outer in table.column_names:
            continue
        # Layers beyond the depth are written as well, as lists have one length; texts of a list end there.
        values = {
            name: [
                plain_choice(choices[name].present[0])
                if v is None and name in choices and kind in LITERALS
                else v
                for v in table[name].to_pylist()
            ]
            for name in inner
        }
        texts = [
            _literal(nested(dict(zip(inner, row, strict=True)))[outer], kind)
            for row in zip(*values.values(), strict=True)
        ]
        place = table.column_names.index(inner[0])
        table = table.add_column(place, outer, pa.array(texts)).drop_columns(inner)
    return table


def _literal(data: Any, kind: str) -> str:
    if kind not in LITERALS:
        return joined_text(data, kind)
    return json.dumps(data) if kind == "json" else repr(data)


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return number_of_text(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)
