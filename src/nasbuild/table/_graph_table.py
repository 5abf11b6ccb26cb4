"""Evaluated networks as graphs of operations: a table without a space."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._text_input import reading
from nasbuild.errors import TableError
from nasbuild.ir import OperatorGraph
from nasbuild.space import Metric
from nasbuild.table._table import Note, counted

_NAME = "id"


@dataclass(frozen=True, eq=False, repr=False)
class GraphTable:
    """Evaluated networks.

    Attributes
    ----------
    graphs
        One for each row.
    columns
        Values of each metric, (rows,) float64; NaN where a value is missing.
    metrics
        The metrics with a direction. Others can be targets as well, written ``+acc`` or ``-latency``.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch
    >>> from nasbuild.table import graph_table
    >>> graphs = [from_torch(nn.Linear(4, n), zeros(1, 4), name=f"width-{n}") for n in (8, 16)]
    >>> found = graph_table(graphs, {"width-8": {"acc": 71.2}, "width-16": {"acc": 73.5}})
    >>> found.ids, found.columns["acc"].tolist()
    (('width-8', 'width-16'), [71.2, 73.5])
    """

    graphs: tuple[OperatorGraph, ...]
    columns: Mapping[str, np.ndarray]
    metrics: Mapping[str, Metric]
    notes: tuple[Note, ...] = field(default=())

    def __repr__(self) -> str:
        return f"<GraphTable: {len(self):,} networks, metrics {', '.join(self.columns)}>"

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the networks, all different."""
        return tuple(graph.name for graph in self.graphs)

    def __len__(self) -> int:
        return len(self.graphs)

    def select(self, rows: Sequence[int] | np.ndarray) -> GraphTable:
        """The table of the given rows, in that order.

        Examples
        --------
        >>> from torch import nn, zeros
        >>> from nasbuild.ir import from_torch
        >>> from nasbuild.table import graph_table
        >>> graphs = [from_torch(nn.Linear(4, n), zeros(1, 4), name=f"width-{n}") for n in (8, 16)]
        >>> found = graph_table(graphs, {"width-8": {"acc": 71.2}, "width-16": {"acc": 73.5}})
        >>> found.select([1]).ids
        ('width-16',)
        """
        index = [int(i) for i in rows]
        columns = {name: values[index] for name, values in self.columns.items()}
        return replace(self, graphs=tuple(self.graphs[i] for i in index), columns=columns)

    def digest(self) -> str:
        """SHA-256 of names, operations, edges and metrics, in the order of rows."""
        content = hashlib.sha256()
        for row, graph in enumerate(self.graphs):
            values = {name: float(self.columns[name][row]).hex() for name in sorted(self.columns)}
            content.update(json.dumps([graph.name, graph.ops, values]).encode())
            content.update(np.ascontiguousarray(graph.edges, dtype="<i4").tobytes())
        return content.hexdigest()


def graph_table(
    graphs: Sequence[OperatorGraph],
    rows: Mapping[str, Mapping[str, float | None]],
    metrics: Mapping[str, Metric] | None = None,
    *,
    where: str = "metrics",
) -> GraphTable:
    """Join networks and metrics by name; networks without metrics are left out with a note.

    Raises
    ------
    TableError
        If two networks have the same name, a row names an unknown network, or nothing is left.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch
    >>> from nasbuild.table import graph_table
    >>> network = from_torch(nn.Linear(4, 2), zeros(1, 4), name="small")
    >>> table = graph_table([network], {"small": {"acc": 71.2}})
    >>> table.ids, table.columns["acc"].tolist()
    (('small',), [71.2])
    """
    names = [graph.name for graph in graphs]
    twice = [name for name in set(names) if names.count(name) > 1] if len(set(names)) < len(names) else []
    if twice:
        raise TableError(f"two networks are called {min(twice)!r}", where=where, todo="rename one of them")
    strangers = sorted(set(rows) - set(names))
    if strangers:
        raise TableError(
            f"{counted(len(strangers), 'row')} of metrics without a network, such as {strangers[0]!r}",
            where=where,
            todo="import these networks as well, or remove the rows",
        )
    kept = [graph for graph in graphs if graph.name in rows]
    if not kept:
        raise TableError("no network has metrics", where=where)
    columns = dict.fromkeys(name for row in rows.values() for name in row)
    values = {name: np.array([_value(rows[g.name].get(name)) for g in kept]) for name in columns}
    notes: tuple[Note, ...] = ()
    if len(kept) < len(graphs):
        without = tuple(name for name in names if name not in rows)
        text = f"{counted(len(without), 'network')} without metrics left out"
        notes = (Note("missing", text, without),)
    known = {name: metric for name, metric in (metrics or {}).items() if name in values}
    return GraphTable(tuple(kept), values, known, notes)


def read_metrics(path: str | os.PathLike[str]) -> dict[str, dict[str, float | None]]:
    r"""Metrics by network, from CSV (``id,acc,latency``) or JSON Lines (``{"id": ..., "acc": ...}``).

    Raises
    ------
    TableError
        Naming the line that is wrong.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.table import read_metrics
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "metrics.csv")
    ...     _ = path.write_text("id,acc,latency\nsmall,71.2,\n")
    ...     read_metrics(path)
    {'small': {'acc': 71.2, 'latency': None}}
    """
    with reading(path, TableError) as stream:
        text = stream.read()
    plain = Path(path).name.removesuffix(".gz")
    rows = _csv_rows(text, str(path)) if plain.endswith(".csv") else _json_rows(text, str(path))
    found: dict[str, dict[str, float | None]] = {}
    for where, name, values in rows:
        if name in found:
            raise TableError(f"network {name!r} has two rows", where=where)
        found[name] = {metric: _number(value, metric, where) for metric, value in values.items()}
    return found


def _csv_rows(text: str, path: str) -> list[tuple[str, str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        fields = list(reader.fieldnames or [])
        if _NAME not in fields or len(set(fields)) < len(fields):
            raise TableError("needs a column id, and column names that all differ", where=f"{path}, line 1")
        found = []
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise TableError("has a different number of fields than line 1", where=where)
            found.append((where, row.pop(_NAME), {k: v.strip() or None for k, v in row.items()}))
    except csv.Error as error:
        raise TableError(f"is not valid CSV ({error})", where=f"{path}, line {reader.line_num}") from None
    return found


def _json_rows(text: str, path: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise TableError("is not valid JSON", where=where) from None
        if not isinstance(row, dict) or not isinstance(row.get(_NAME), str):
            raise TableError("is not an object with a text as its id", where=where)
        values = row["metrics"] if isinstance(row.get("metrics"), dict) else row
        found.append((where, row[_NAME], {k: v for k, v in values.items() if k != _NAME}))
    return found


def _number(value: Any, metric: str, where: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if isinstance(value, bool) or not np.isfinite(number):
        raise TableError(f"{metric} is {value!r}", where=where, allowed="finite numbers, or nothing")
    return number


def _value(value: float | None) -> float:
    return np.nan if value is None else float(value)
