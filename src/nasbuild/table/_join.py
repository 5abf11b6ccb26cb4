"""Joins tables: what several files say of the same architectures, matched by architecture or by id."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from nasbuild.errors import TableError
from nasbuild.space import Architecture, Columns, Space, to_dict
from nasbuild.table._assemble import Row, assembled
from nasbuild.table._column_names import FlatNames
from nasbuild.table._flat_columns import is_missing, metric_of_text, plain_text
from nasbuild.table._read_table import builtin_tables, read_table, source_name
from nasbuild.table._rows import RawRow, shown, table_of_rows
from nasbuild.table._source import Source, read_source
from nasbuild.table._table import Note, Table, counted
from nasbuild.table._unlabelled import read_architectures
from nasbuild.table.infer._infer_space import guess_space
from nasbuild.table.infer._more_metrics import with_metrics_of

_RECOMPUTED = ("missing", "absent", "constant", "undeclared")
"""Kinds of notes on columns, which are made anew for the joined ones."""
_METRICS = "metrics."


def read_tables(
    sources: Sequence[Any],
    space: Space | None = None,
    *,
    skip_bad: bool = False,
    metrics: list[str] | None = None,
    names: Sequence[str] = (),
) -> Table:
    r"""Read several tables as one, such as labels in one file and latencies in another.

    Rows of one architecture become one row. A table without columns of the architecture is matched with the
    other tables by the ids of rows, wherever it stands.

    Parameters
    ----------
    sources
        As in `read_table`, one or more; or tables that were read before.
    space, skip_bad, metrics
        As in `read_table`. Without a space, it is inferred from the table with most columns of the architecture, the
        first of these.
    names
        What messages call the tables; by default their paths.

    Raises
    ------
    TableError
        As `read_table`, if an id is unknown or names different architectures, and if there is no source.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import read_tables
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: 1, features: {kernel: [3, 5]}}]}")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     labels, latencies = pathlib.Path(folder, "labels.csv"), pathlib.Path(folder, "latencies.csv")
    ...     _ = labels.write_text("id,stage1.0.kernel,acc\na,3,71.2\nb,5,73.0\n")
    ...     _ = latencies.write_text("id,latency\nb,2.5\n")
    ...     both = read_tables([labels, latencies], space)
    >>> both.ids, both.columns["acc"].tolist(), both.columns["latency"].tolist()
    (('a', 'b'), [71.2, 73.0], [nan, 2.5])
    """
    if not sources:
        raise TableError("there is no table", todo="give one or more")
    if len(sources) == 1:
        [source] = sources
        given = isinstance(source, Table)
        return source if given else read_table(source, space, skip_bad=skip_bad, metrics=metrics)
    space = next((source.space for source in sources if isinstance(source, Table)), space)
    found, by_id = dict[int, Table](), dict[int, Source]()
    inferred = space is None
    if space is None:
        n = _describing(sources, metrics)
        found[n] = read_table(sources[n], skip_bad=skip_bad, metrics=metrics)
        space, metrics = found[n].space, None
    for n, source in enumerate(sources):
        if n in found:
            continue
        if isinstance(source, Table):
            found[n] = source
        elif (held := _without_architectures(source, space)) is not None:
            by_id[n] = held
        else:
            found[n] = read_table(source, space, skip_bad=skip_bad, metrics=metrics)
    if not found:
        # The first one is refused, as it lacks columns of the space.
        return read_table(sources[0], space, skip_bad=skip_bad, metrics=metrics)
    if inferred:
        for held in by_id.values():
            space = with_metrics_of(space, held)
        found = {n: replace(table, space=space) for n, table in found.items()}
    before = [found[n] for n in sorted(found)]
    order = [*sorted(found), *by_id]
    called = names or [source_name(source) for source in sources]
    repeats = [
        sources[n]
        for n, table in found.items()
        if not isinstance(sources[n], Table) and any(note.kind == "repeated" for note in table.notes)
    ]
    ids = _ids(before, repeats if by_id else (), space)
    matched = [_by_id(held, ids, space, skip_bad) for held in by_id.values()]
    return join_tables([*before, *matched], [called[n] for n in order])


def _describing(sources: Sequence[Any], metrics: list[str] | None) -> int:
    """Which source has most columns of the architecture; the first of these, or of all if none has any."""
    columns = [0] * len(sources)
    for n, source in enumerate(sources):
        if isinstance(source, str | os.PathLike) and str(source) in builtin_tables():
            return n
        try:
            space = guess_space(source, metrics=metrics or ()).space
        except TableError:
            continue
        columns[n] = len(
            FlatNames(space).written() if space.columns is None else space.columns.of_architecture()
        )
    return columns.index(max(columns))


def join_tables(tables: Sequence[Table], names: Sequence[str] = ()) -> Table:
    """One table of all architectures of several tables of one space; a metric that several know is averaged.

    Parameters
    ----------
    names
        What messages call the tables.

    Raises
    ------
    TableError
        If the tables have different stages, or one id names different architectures.

    Examples
    --------
    >>> from nasbuild.table import join_tables
    >>> joined = join_tables([table.select([0, 1]), table.select([1, 2])])
    >>> len(joined), joined.notes[0].text
    (3, 'table 2: of 2 architectures, 1 are in a table before it and 1 are new')
    """
    space, names = tables[0].space, list(names) or [f"table {n}" for n in range(1, len(tables) + 1)]
    groups: dict[Any, list[Row]] = {}
    holders: dict[str, Row] = {}
    notes = list[Note]()
    for table, where in zip(tables, names, strict=True):
        if table.space.stages != space.stages:
            raise TableError("has another space than the table before it", where=where)
        common = sum(architecture in groups for architecture in table.architectures)
        if groups:
            new = len(table) - common
            text = f"{where}: of {counted(len(table), 'architecture')}, {common:,} are in a table before it and {new:,} are new"
            notes.append(Note("joined", text))
        notes += [note for note in table.notes if note.kind not in _RECOMPUTED]
        for row in _rows(table, where):
            holder = holders.setdefault(row.name, row)
            if holder.architecture != row.architecture:
                raise TableError(
                    f"id {shown(row.name)} names another architecture than in {holder.where}",
                    where=where,
                    todo="give each architecture one id in all tables, or remove the column of ids",
                )
            groups.setdefault(row.architecture, []).append(row)
    averaged = dict.fromkeys(name for group in groups.values() for name in _twice(group))
    if averaged:
        text = f"{', '.join(averaged)}: architectures with values in several tables have their mean"
        notes.append(Note("averaged", text, tuple(averaged)))
    return assembled(space, [_merged(group) for group in groups.values()], notes)


def _rows(table: Table, where: str) -> Iterator[Row]:
    for n, (name, architecture) in enumerate(zip(table.ids, table.architectures, strict=True)):
        known = {m: float(values[n]) for m, values in table.columns.items() if not math.isnan(values[n])}
        yield Row(where, name, architecture, known)


def _twice(group: Sequence[Row]) -> list[str]:
    names = [name for row in group for name in row.metrics]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _merged(group: Sequence[Row]) -> Row:
    names = dict.fromkeys(name for row in group for name in row.metrics)
    metrics = {name: mean(row.metrics[name] for row in group if name in row.metrics) for name in names}
    return Row(group[0].where, group[0].name, group[0].architecture, metrics)


def _without_architectures(source: Any, space: Space) -> Source | None:
    """A source that has ids but no column of the architecture; None for others."""
    if isinstance(source, str | os.PathLike) and str(source) in ("-", *builtin_tables()):
        return None
    # With columns, however few, a text of operations that is an id stays as it is.
    held = read_source(source, space.columns or Columns({}))
    own = () if space.columns is None else space.columns.of_architecture()
    plain = FlatNames(space, own=False).written()
    if held.own_form or not held.good or {*own, *plain} & set(held.names):
        return None
    return held if _id_column(held, space) is not None else None


def _id_column(held: Source, space: Space) -> str | None:
    return next((name for name in dict.fromkeys((FlatNames(space).id, "id")) if name in held.names), None)


def _ids(tables: Sequence[Table], repeats: Sequence[Any], space: Space) -> dict[str, Architecture]:
    """The architecture of each id, also of rows that were merged with another one, from the sources that have such."""
    known: dict[str, Architecture] = {}
    for source in repeats:
        # Its bad rows were left out, so that rows beyond them keep their ids in the table alone.
        with contextlib.suppress(TableError):
            known |= read_architectures(source, space)
    return known | {i: a for table in tables for i, a in zip(table.ids, table.architectures, strict=True)}


def _by_id(held: Source, known: Mapping[str, Architecture], space: Space, skip_bad: bool) -> Table:
    """The table of a source without architectures, which other tables have under its ids."""
    names, column = FlatNames(space), _id_column(held, space)
    own = space.columns
    metrics = {
        name: names.metric(name.removeprefix(_METRICS))
        for name in held.names
        if name != column and not (own is not None and (own.ignores(name) or name in own.constant))
    }

    def rows() -> Iterator[RawRow | TableError]:
        for row in held.rows:
            if isinstance(row, TableError):
                yield row
                continue
            where, values = row
            given = _id_text(values.get(column or ""))
            if given not in known:
                yield TableError(
                    f"id {shown(given)} is in no other table",
                    where=where,
                    allowed=list(known)[:3],
                    todo="the tables of the architectures need an id column with the same ids",
                )
                continue
            found = {metric: _value(values.get(name)) for name, metric in metrics.items()}
            yield RawRow(where, given, to_dict(space, known[given]), found)

    return table_of_rows(space, rows(), source=held.where, skip_bad=skip_bad, notes=held.notes)


def _id_text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return plain_text(value) if isinstance(value, int | float) else str(value)


def _value(value: Any) -> object:
    if is_missing(value) or isinstance(value, bool | list):
        return None
    return metric_of_text(value) if isinstance(value, str) else value
