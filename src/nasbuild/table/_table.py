"""The table of evaluated architectures, their metrics, and notes made while reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nasbuild._optional_imports import absent
from nasbuild.space import Architecture, Metric, Space, architecture_id, space_to_dict

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 10  # rows in a notebook


@dataclass(frozen=True)
class Note:
    """Something a user should know about a table, and what was done about it.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.table import read_table, to_frame
    >>> frame = to_frame(table.select([0, 1])).with_columns(acc=pl.Series([71.0, None]))
    >>> note = read_table(frame, space).notes[0]
    >>> note.kind, note.text
    ('missing', 'acc is missing in 1 of 2 rows; a fit of acc leaves them out')
    """

    kind: str
    text: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Evaluated architectures of one space.

    Two tables are equal if their spaces, ids, architectures and metrics are; notes are not compared.

    Attributes
    ----------
    ids
        A name for each row, all different.
    architectures
        One for each row, all different.
    columns
        Values of each metric, (rows,) float64; NaN where a value is missing.
    notes
        Notes made while reading: merged duplicates, skipped rows, missing values.

    Examples
    --------
    >>> table
    <Table: 41 architectures of 'digits-macro', metrics acc, acc_std, loss, loss_std, macs, params, latency_cpu, latency_cpu_std>
    >>> table.ids[:2], table.columns["acc"].shape, list(table.metrics)[:2]
    (('mb_e1_k3/mb_e1_k3/mb_e1_k3', 'mb_e1_k3/mb_e1_k3-mb_e1_k3/mb_e3_k3-mb_e3_k3'), (41,), ['acc', 'loss'])
    >>> table.row_of[table.architectures[3]]
    3
    """

    space: Space
    ids: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    columns: Mapping[str, np.ndarray]
    notes: tuple[Note, ...] = field(default=())

    def __repr__(self) -> str:
        return (
            f"<Table: {len(self):,} architectures of {self.space.name!r}, metrics {', '.join(self.columns)}>"
        )

    # Arrays have no hash, and NaN does not equal itself, so the comparison of dataclasses fails.
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        key = (self.space, self.ids, self.architectures, set(self.columns))
        if key != (other.space, other.ids, other.architectures, set(other.columns)):
            return False
        return all(np.array_equal(v, other.columns[n], equal_nan=True) for n, v in self.columns.items())

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The declared metrics that the table has values of, declared costs included."""
        costs = {name: Metric(name, c.direction, c.unit) for name, c in self.space.costs.items()}
        return {name: m for name, m in {**costs, **self.space.metrics}.items() if name in self.columns}

    @cached_property
    def row_of(self) -> dict[Architecture, int]:
        """Row number of each architecture."""
        return {architecture: row for row, architecture in enumerate(self.architectures)}

    def select(self, rows: Sequence[int] | np.ndarray) -> Table:
        """The table of the given rows, in that order, or of those where a mask (rows,) bool is true.

        Examples
        --------
        >>> len(table.select([0, 1, 2])), len(table.select(table.columns["macs"] < 200_000))
        (3, 20)
        """
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in index),
            architectures=tuple(self.architectures[i] for i in index),
            columns={name: values[index] for name, values in self.columns.items()},
        )

    def to_pandas(self) -> pd.DataFrame:
        """A pandas frame of ``id``, flat columns (``stage1.0.kernel``) and metrics; missing values are NaN.

        Raises
        ------
        NasbuildError
            If pandas is not installed.
        """
        from nasbuild.table._dataframe import to_frame

        try:
            return to_frame(self).to_pandas()
        except ModuleNotFoundError as error:
            raise absent(error) from error

    def _repr_html_(self) -> str:
        """The first rows as an HTML table: ids and metrics."""
        names = list(self.columns)
        head = "".join(f"<th>{escape(name)}</th>" for name in ("id", *names))
        body = "".join(
            f"<tr><td>{escape(short_id(self.ids[row]))}</td>"
            + "".join(f"<td>{self.columns[name][row]:.4g}</td>" for name in names)
            + "</tr>"
            for row in range(min(len(self), _SHOWN))
        )
        more = f"<p>... and {len(self) - _SHOWN:,} more</p>" if len(self) > _SHOWN else ""
        title = f"{len(self):,} architectures of {self.space.name!r}"
        return f"<p>{escape(title)}</p><table><tr>{head}</tr>{body}</table>{more}"

    def digest(self) -> str:
        """SHA-256 of space, architectures and metrics, in the order of rows."""
        space = space_to_dict(self.space)
        # What the user's own table calls its columns is not content.
        space.pop("columns", None)
        # The order of metrics does not matter; that of stages, features and choices does.
        space["metrics"] = sorted(space.get("metrics", {}).items())
        content = hashlib.sha256(json.dumps(space).encode())
        for row, architecture in enumerate(self.architectures):
            values = {name: float(self.columns[name][row]).hex() for name in sorted(self.columns)}
            line = [self.ids[row], architecture_id(self.space, architecture), values]
            content.update(json.dumps(line).encode())
        return content.hexdigest()


def counted(n: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def short_id(name: str, most: int = 80) -> str:
    """An id that fits into a cell: a long one without its middle.

    Examples
    --------
    >>> from nasbuild.table import short_id
    >>> short_id("k3-k5"), short_id("a-very-long-id", 8)
    ('k3-k5', 'a-v…g-id')
    """
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"
