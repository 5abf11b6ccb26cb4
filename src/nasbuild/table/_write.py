"""Writes tables and architectures in the file format of the name's ending."""

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
from nasbuild.table._own_table import as_in_own_table
from nasbuild.table._table import Table

_OWN = (ID, "arch", "metrics")
_EQUATIONS = ("target", "where")


def write_table(table: Table, path: str | os.PathLike[str]) -> None:
    """Write a table in the file format of the name's ending; `read_table` returns an equal table.

    If the space names the columns of the user's own table, flat formats have these columns.

    Raises
    ------
    TableError
        If the ending is not a known file format.
    OutputError
        If the file can't be written; an existing file stays as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import read_table, table_from_evaluations, write_table
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> table = table_from_evaluations(space, {Architecture((((3,),),)): {"acc": 71.2}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "table.csv")
    ...     write_table(table, path)
    ...     read_table(path, space) == table
    True
    """
    form = file_format(path, ROWS, "a table", TableError)
    if form in FLAT or form == ".parquet":
        flat = to_arrow(table.space, table.ids, table.architectures, table.columns, own=True)
        _write_columns(table.space, flat, path, form)
    else:
        write_text(path, objects_text(table_to_dicts(table), form))


def write_architectures(
    space: Space, rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]
) -> None:
    """Write rows as in ``archs.jsonl`` with more fields, such as scores, which `read_table` ignores.

    In flat formats, every other field has its own column behind the metrics. If the space names the columns
    of the user's own table, flat formats have these.

    Raises
    ------
    TableError
        If the ending is not a known file format.
    OutputError
        If the file can't be written; an existing file stays as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import write_architectures
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> row = {"id": "a", "arch": {"stages": [[{"kernel": 3}]]}, "metrics": {}, "score": 1.5}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "built.csv")
    ...     write_architectures(space, [row], path)
    ...     print(path.read_text().strip())
    id,stage1.depth,stage1.0.kernel,stage1.1.kernel,score
    a,1,3,,1.5
    """
    form = file_format(path, ROWS, "architectures", TableError)
    if form not in FLAT and form != ".parquet":
        write_text(path, objects_text((dict(row) for row in rows), form))
        return
    extra_fields = list(dict.fromkeys(key for row in rows for key in row if key not in _OWN))
    table = _flat_rows(space, rows, apart=bool(extra_fields))
    for name in extra_fields:
        table = table.append_column(name, arrow_column([row.get(name) for row in rows]))
    _write_columns(space, table, path, form)


def architecture_columns(space: Space, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The columns of ids and architectures of rows as in ``archs.jsonl``: those of the user's own table, if the space names them.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import architecture_columns
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> architecture_columns(space, [{"id": "a", "arch": {"stages": [[{"kernel": 3}]]}}])
    {'id': ['a'], 'stage1.depth': [1], 'stage1.0.kernel': [3], 'stage1.1.kernel': [None]}
    """
    table = _flat_rows(space, [{ID: row[ID], "arch": row["arch"]} for row in rows], apart=False)
    if space.columns is not None:
        table = as_in_own_table(space, space.columns, table)
    return {name: table[name].to_pylist() for name in table.column_names}


def _flat_rows(space: Space, rows: Sequence[Mapping[str, Any]], *, apart: bool) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row.get("metrics", ())))
    columns = {
        n: np.array([_number(row.get("metrics", {}).get(n)) for row in rows], dtype=np.float64) for n in names
    }
    architectures = [parse_architecture(space, row["arch"]) for row in rows]
    return to_arrow(space, [row[ID] for row in rows], architectures, columns, apart=apart, own=True)


def _write_columns(space: Space, table: pa.Table, path: str | os.PathLike[str], form: str) -> None:
    own = space.columns
    if own is not None:
        table = as_in_own_table(space, own, table)
    if form == ".parquet":
        with writing(path) as temporary:
            pq.write_table(table, temporary, write_page_checksum=True)
        return
    columns = [column.to_pylist() for column in table.columns]
    separator, decimal = delimiter(form), "."
    if own is not None:
        if separator == "," and own.separator not in (None, "\t"):
            separator = own.separator
        decimal = own.decimal if separator != "," else "."
    write_text(
        path,
        flat_text(
            table.column_names, columns, separator=separator, decimal=decimal, unguarded_keys=_EQUATIONS
        ),
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
