"""Tables in columns: Arrow, polars and pandas frames, and Parquet files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nasbuild._text_input import RAISE_LIMIT, most_bytes, refuse_endless
from nasbuild.errors import TableError
from nasbuild.space import Architecture, Feature, Space, choice_of_text
from nasbuild.table._column_names import ID, FlatNames
from nasbuild.table._flat_columns import FlatLayout
from nasbuild.table._rows import RawRow
from nasbuild.table._table import Note, Table

if TYPE_CHECKING:
    import polars as pl  # takes a third of a second to import, which most commands don't need

_CELL = 32  # bytes of a value in memory
_ROWS = 2**16  # read at a time, at most


@dataclass(frozen=True)
class _Column:
    """A column of a frame. It is read only if needed, as frames may also hold texts or dates.

    ``single`` says that it holds 32-bit numbers.
    """

    name: str
    numeric: bool
    single: bool
    read: Callable[[], list[Any]]


def rows_of_frame(space: Space, frame: Any, source: str) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of an Arrow table or a polars or pandas frame with flat columns; NaN means missing.

    Raises
    ------
    TableError
        If the frame is of another type, a column is missing or appears twice, or one can't be read.
    """
    columns = columns_of_frame(frame, source)
    numeric = {column.name for column in columns if column.numeric}
    layout = FlatLayout.of(space, [c.name for c in columns], source, numeric.__contains__)
    needed = {
        c.name: _values(c, layout.features.get(c.name), c.single and c.name in layout.columns, source)
        for c in columns
        if _is_needed(c.name, layout)
    }
    rows = (
        (f"{source}, row {number}", dict(zip(needed, values, strict=True)))
        for number, values in enumerate(zip(*needed.values(), strict=True))
    )
    return layout.rows(rows, text=False), layout.notes()


def columns_of_frame(frame: Any, source: str) -> list[_Column]:
    """The columns of an Arrow table or a polars or pandas frame.

    Raises
    ------
    TableError
        If it is none of these.
    """
    if isinstance(frame, pa.Table):
        return _arrow_columns(frame)
    # Who gives a frame of polars has imported it.
    if "polars" in sys.modules and isinstance(frame, sys.modules["polars"].DataFrame):
        return _polars_columns(frame)
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):
        return _pandas_columns(frame)
    raise TableError(
        f"{type(frame).__name__} is not a type of table",
        where=source,
        allowed="a path, a polars or pandas DataFrame, an Arrow table, an Optuna study",
    )


def values_of_frame(frame: Any, source: str) -> dict[str, list[Any]]:
    """The values of all columns of a frame; None where one is missing.

    Raises
    ------
    TableError
        If the frame is of another type, or a column can't be read or appears twice.
    """
    columns = columns_of_frame(frame, source)
    for name, count in Counter(column.name for column in columns).items():
        if count > 1:
            raise TableError(f"column {name!r} appears twice", where=source, todo="keep one of the two")
    return {column.name: _values(column, None, column.single, source) for column in columns}


def rows_of_parquet(space: Space, path: Path) -> tuple[Iterator[RawRow | TableError], list[Note]]:
    """Raw rows of a Parquet file with flat columns."""
    return rows_of_frame(space, read_parquet(path), str(path))


def read_parquet(path: Path) -> pa.Table:
    """Read a whole Parquet file, unless it would exceed the memory limit.

    Raises
    ------
    TableError
        If it can't be read, or is too large.
    """
    try:
        refuse_endless(path, TableError)
        with path.open("rb") as stream:
            # By Arrow alone, in this thread: on damaged files polars' reader can abort the process.
            whole = partial(pq.ParquetFile, stream, pre_buffer=False, page_checksum_verification=True)
            table = _within_limit(whole(), whole, str(path))
            table.validate(full=True)
    except FileNotFoundError:
        raise TableError("no such file", where=str(path)) from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        # Arrow raises OSErrors without a number for bad content.
        reason = error.strerror if isinstance(error, OSError) and error.errno else None
        what = (
            f"can't be read ({reason})" if reason else f"is not an intact Parquet file ({_first_line(error)})"
        )
        raise TableError(what, where=str(path)) from None
    return table


def _within_limit(file: pq.ParquetFile, whole: Callable[..., pq.ParquetFile], where: str) -> pa.Table:
    """The content of a file, checked against the limit by its own counts and dictionaries.

    A repeated text takes few bytes in a file but many in memory. Therefore texts are read as indices
    into a dictionary first.
    """
    held, most = file.metadata, most_bytes()
    groups = [held.row_group(number) for number in range(held.num_row_groups)]
    # Lists hold more values than rows.
    values = sum(max(g.column(c).num_values, 0) for g in groups for c in range(g.num_columns))
    if max(values, held.num_rows) > most // _CELL:
        raise TableError(
            f"has {held.num_rows:,} rows with {values:,} values, more than {most // _CELL:,}",
            where=where,
            todo=RAISE_LIMIT,
        )
    leaves = [file.schema.column(number) for number in range(len(file.schema))]
    texts = [c.path for c in leaves if c.physical_type == "BYTE_ARRAY" and c.logical_type.type != "DECIMAL"]
    rows = min(max(most // max([1, *(leaf.length for leaf in leaves)]), 1), _ROWS)
    parts, size = [], 0
    for batch in whole(read_dictionary=texts, metadata=held).iter_batches(rows, use_threads=False):
        size += sum(map(_expanded, batch.columns))
        if size > most:
            raise TableError(f"is longer than {most:,} bytes once expanded", where=where, todo=RAISE_LIMIT)
        columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
        parts.append(pa.RecordBatch.from_arrays(columns, names=batch.schema.names))
    return pa.Table.from_batches(parts) if parts else file.schema_arrow.empty_table()


def _expanded(column: pa.Array) -> int:
    """Bytes of a column once each row has its own text."""
    if not pa.types.is_dictionary(column.type):
        return column.nbytes
    lengths = pc.call_function("binary_length", [column.dictionary]).take(column.indices)
    return int(pc.call_function("sum", [lengths]).as_py() or 0) + column.indices.nbytes


def to_frame(table: Table) -> pl.DataFrame:
    """The table as a polars frame: ``id``, flat columns, metrics; missing values are null.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import table_from_evaluations, to_frame
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> table = table_from_evaluations(space, {Architecture((((3,),),)): {"acc": 71.2}})
    >>> to_frame(table).to_dicts()
    [{'id': 'k3', 'stage1.depth': 1, 'stage1.0.kernel': 3, 'stage1.1.kernel': None, 'acc': 71.2}]
    """
    import polars as pl

    return pl.DataFrame(pl.from_arrow(to_arrow(table.space, table.ids, table.architectures, table.columns)))


def to_arrow(
    space: Space,
    ids: Sequence[str],
    architectures: Sequence[Architecture],
    metrics: Mapping[str, np.ndarray],
    *,
    apart: bool = False,
    own: bool = False,
) -> pa.Table:
    """Flat columns of architectures and their metrics, (rows,) each, where NaN means missing.

    ``apart`` says that the columns of built architectures will be added, ``own`` that columns have the
    names of the user's own table if the space has them.
    """
    names = FlatNames(space, own=own)
    rows = [names.flat_row(architecture) for architecture in architectures]
    columns = {names.id: pa.array(list(ids), pa.string())}
    for column, feature in names.written().items():
        columns[column] = pa.array([row.get(column) for row in rows], _type_of(feature))
    for metric, column in names.metrics(metrics, apart=apart).items():
        values = np.asarray(metrics[metric], dtype=np.float64)
        columns[column] = pa.array(values, pa.float64(), mask=np.isnan(values))
    return pa.table(columns)


def _type_of(feature: Feature) -> pa.DataType:
    if not feature.uniform or isinstance(feature.present[0], str):
        return pa.string()
    if isinstance(feature.present[0], bool):
        return pa.bool_()
    return pa.int64() if all(isinstance(c, int) for c in feature.present) else pa.float64()


def _arrow_columns(table: pa.Table) -> list[_Column]:
    columns = []
    for name, data in zip(table.column_names, table.columns, strict=True):
        kind = data.type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        columns.append(_Column(name, numeric, kind == pa.float32(), data.to_pylist))
    return columns


def _polars_columns(frame: pl.DataFrame) -> list[_Column]:
    import polars as pl

    return [
        _Column(name, frame[name].dtype.is_numeric(), frame[name].dtype == pl.Float32, frame[name].to_list)
        for name in frame.columns
    ]


def _pandas_columns(frame: Any) -> list[_Column]:
    if frame.index.name == ID and ID not in frame.columns:
        frame = frame.reset_index()
    columns = []
    for number, name in enumerate(frame.columns):
        data = frame.iloc[:, number]
        kind = getattr(data.dtype, "kind", "O")
        numeric = kind in "iuf" or (kind == "O" and any(map(_is_number, data)))
        read = data.astype(object).where(data.notna(), None).tolist
        columns.append(_Column(str(name), numeric, str(data.dtype) == "float32", read))
    return columns


def _values(column: _Column, feature: Feature | None, shortest: bool, source: str) -> list[Any]:
    try:
        values = column.read()
    except (pa.ArrowException, ValueError, TypeError) as error:
        reason = _first_line(error)
        raise TableError(f"column {column.name!r} can't be read ({reason})", where=source) from None
    values = [float(v) if isinstance(v, Decimal) else v for v in values]
    if feature is not None and not feature.uniform and _all_texts(values):
        # A column of texts alone stands for choices of several types, as in CSV.
        return [choice_of_text(feature, v) if isinstance(v, str) else None for v in values]
    if shortest:
        # 0.1 as a 32-bit number is 0.1000000015: its shortest text identifies the choice.
        return [None if v is None else float(str(np.float32(v))) for v in values]
    return values


def _is_needed(column: str, layout: FlatLayout) -> bool:
    return column == ID or column in layout.columns or column in layout.metrics


def _all_texts(values: Sequence[object]) -> bool:
    return all(v is None or isinstance(v, str) for v in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and value == value


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
