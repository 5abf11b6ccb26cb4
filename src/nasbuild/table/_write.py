"""Tables and architectures to files, in the form that the name's ending tells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nasbuild._atomic_write import write_text, writing
from nasbuild._file_formats import FLAT, ROWS, delimiter, file_format
from nasbuild._records import arrow_column, flat_text, objects_text
from nasbuild.errors import TableError
from nasbuild.space import Space, parse_architecture
from nasbuild.table._column_names import ID
from nasbuild.table._dataframe import to_arrow
from nasbuild.table._json_rows import table_to_dicts
from nasbuild.table._table import Table

_OWN = (ID, "arch", "metrics")
_EQUATIONS = ("target", "where")


def write_table(table: Table, path: str | os.PathLike[str]) -> None:
    """Write a table in the form that the name's ending tells; `read_table` gives an equal table.

    Raises
    ------
    TableError
        If the ending tells no form.
    OutputError
        If it can't be written; an old file stays as it was.
    """
    form = file_format(path, ROWS, "a table", TableError)
    if form in FLAT or form == ".parquet":
        _write_columns(to_arrow(table.space, table.ids, table.architectures, table.columns), path, form)
    else:
        write_text(path, objects_text(table_to_dicts(table), form))


def write_architectures(
    space: Space, rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]
) -> None:
    """Write rows as of ``archs.jsonl`` that may hold more, such as scores; `read_table` leaves that out.

    In flat forms everything else has a column of its own behind the metrics.

    Raises
    ------
    TableError
        If the ending tells no form.
    OutputError
        If it can't be written; an old file stays as it was.
    """
    form = file_format(path, ROWS, "architectures", TableError)
    if form not in FLAT and form != ".parquet":
        write_text(path, objects_text((dict(row) for row in rows), form))
        return
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    columns = {n: np.array([_number(row["metrics"].get(n)) for row in rows], dtype=np.float64) for n in names}
    architectures = [parse_architecture(space, row["arch"]) for row in rows]
    beside = list(dict.fromkeys(key for row in rows for key in row if key not in _OWN))
    table = to_arrow(space, [row[ID] for row in rows], architectures, columns, apart=bool(beside))
    for name in beside:
        table = table.append_column(name, arrow_column([row.get(name) for row in rows]))
    _write_columns(table, path, form)


def _write_columns(table: pa.Table, path: str | os.PathLike[str], form: str) -> None:
    if form == ".parquet":
        with writing(path) as temporary:
            pq.write_table(table, temporary, write_page_checksum=True)
        return
    columns = [column.to_pylist() for column in table.columns]
    write_text(
        path, flat_text(table.column_names, columns, separator=delimiter(form), as_they_are=_EQUATIONS)
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
