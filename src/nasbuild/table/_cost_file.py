"""Reads ``costs.csv``, the cost of one choice a line, and compares declared costs with a table."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasbuild._text_input import reading
from nasbuild.errors import SpaceError, TableError
from nasbuild.space import Cost, Space, choice_of_text, costs_to_dict, features_by_name, read_costs
from nasbuild.table._table import Table

_COLUMNS = ("stage", "layer", "feature", "choice", "cost", "value")
_ANY = "*"
_EXACT = 1e-6  # relative difference that rounding may cause in a written table


@dataclass(frozen=True)
class CostDifference:
    """How a declared cost differs from the table's column of the same name.

    Attributes
    ----------
    n_compared
        Number of rows with a value in the column.
    n_different
        Number of those whose declared value differs.
    largest
        The largest difference: the declared value minus the table's.
    first
        Id, declared value and table value of the first row that differs; None if none does.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nasbuild.space import Cost
    >>> from nasbuild.table import cost_differences
    >>> wrong = replace(table, space=replace(space, costs={"macs": Cost("macs", constant=1.0)}))
    >>> [difference] = cost_differences(wrong)
    >>> difference.cost, difference.n_compared, difference.n_different
    ('macs', 41, 41)
    """

    cost: str
    n_compared: int
    n_different: int
    largest: float
    first: tuple[str, float, float] | None


def add_costs(space: Space, path: str | os.PathLike[str]) -> Space:
    r"""The space with the costs of a CSV file: stage, layer, feature, choice, cost, value.

    A row is the value of one choice. An empty stage (name or number) or layer (number from 0, or
    ``last``) means everywhere. The choice ``*`` stands for all choices that no other row names. Rows
    without a feature add to the constant of the cost. If the space declares the cost already, the rows
    are added to its sum.

    Raises
    ------
    TableError
        Naming file, line and what is allowed there.
    SpaceError
        If a choice has no value.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import add_costs
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "costs.csv")
    ...     _ = path.write_text(
    ...         "stage,layer,feature,choice,cost,value\n,,kernel,3,macs,9\n,,kernel,*,macs,25\n"
    ...     )
    ...     priced = add_costs(space, path)
    >>> priced.costs["macs"].values(priced, [Architecture((((3,), (5,)),))]).tolist()
    [34.0]
    """
    rows: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for where, row in _rows(Path(path)):
        rows.setdefault(row["cost"], []).append((where, row))
    if not rows:
        raise TableError("has no row with a cost", where=str(path), allowed=_COLUMNS)
    declared = costs_to_dict(space.costs, space.metrics)
    for name, own in rows.items():
        entry = declared.setdefault(name, {})
        if "function" in entry:
            raise TableError(
                f"cost {name!r} is a function in the space", where=own[0][0], todo="remove one of the two"
            )
        entry["constant"] = entry.get("constant", 0) + _constant(own)
        entry["sum"] = [*entry.get("sum", []), *_entries(space, own)]
    try:
        return replace(space, costs=read_costs(space, declared))
    except SpaceError as error:
        raise error.at(str(path)) from None


def cost_differences(table: Table) -> list[CostDifference]:
    """Compare every declared cost with the table's column of the same name, if there is one.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import cost_differences, table_from_evaluations
    >>> space = space_from_yaml(
    ...     "{name: tiny, stages: [{depth: [1], features: {kernel: [3, 5]}}],"
    ...     " costs: {macs: {sum: [{product: kernel^2}]}}}"
    ... )
    >>> table = table_from_evaluations(space, {Architecture((((3,),),)): {"macs": 10.0}})
    >>> cost_differences(table)[0].largest
    -1.0
    """
    return [_difference(table, cost) for name, cost in table.space.costs.items() if name in table.columns]


def _difference(table: Table, cost: Cost) -> CostDifference:
    reported = table.columns[cost.name]
    rows = np.flatnonzero(~np.isnan(reported))
    own, reported = cost.values(table.space, [table.architectures[i] for i in rows]), reported[rows]
    away = np.abs(own - reported) > _EXACT * np.maximum(np.abs(reported), np.abs(own))
    if not away.any():
        return CostDifference(cost.name, len(rows), 0, 0.0, None)
    n, most = int(np.flatnonzero(away)[0]), int(np.argmax(np.abs(own - reported)))
    first = table.ids[rows[n]], float(own[n]), float(reported[n])
    return CostDifference(cost.name, len(rows), int(away.sum()), float(own[most] - reported[most]), first)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    with reading(path, TableError) as stream:
        text = stream.read()
    reader = csv.reader(io.StringIO(text), strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            where = f"{path}, line {reader.line_num}"
            cells = [field.strip() for field in fields]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if sorted(header) != sorted(_COLUMNS):
                    raise TableError(
                        f"has the wrong columns: {', '.join(header)[:100]}", where=where, allowed=_COLUMNS
                    )
                continue
            if len(cells) != len(header):
                raise TableError(f"has {len(cells)} fields, the header has {len(header)}", where=where)
            row = dict(zip(header, cells, strict=True))
            if not row["cost"]:
                raise TableError("names no cost", where=where)
            yield where, row
    except csv.Error as error:
        raise TableError(f"is not valid CSV ({error})", where=f"{path}, line {reader.line_num}") from None


def _value(where: str, row: Mapping[str, str]) -> float:
    try:
        value = float(row["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TableError(f"{row['value']!r} is not a finite number", where=f"{where}, value")
    return value


def _constant(rows: list[tuple[str, dict[str, str]]]) -> float:
    total = 0.0
    for where, row in rows:
        if not row["feature"]:
            if row["stage"] or row["layer"] or row["choice"]:
                raise TableError(
                    "has no feature", where=where, todo="name one, or leave all but the value empty"
                )
            total += _value(where, row)
    return total


def _entries(space: Space, rows: list[tuple[str, dict[str, str]]]) -> list[dict[str, object]]:
    """Rows of the same place and feature as one entry of ``sum:``."""
    found: dict[tuple[str, str, str], dict[str, object]] = {}
    features = features_by_name(space.stages)
    for where, row in rows:
        name = row["feature"]
        if not name:
            continue
        key = row["stage"], row["layer"], name
        entry = found.setdefault(key, {"feature": name, "values": []})
        if row["stage"]:
            entry["stage"] = row["stage"]
        if row["layer"]:
            entry["layer"] = int(row["layer"]) if row["layer"].isdecimal() else row["layer"]
        if name not in features:
            raise TableError(f"there is no feature {name!r}", where=f"{where}, feature", allowed=features)
        value, choice = _value(where, row), choice_of_text(features[name], row["choice"])
        if choice == _ANY and features[name].index(_ANY) < 0:
            if "otherwise" in entry:
                raise TableError(f"{name} = {_ANY} appears twice for the same place", where=where)
            entry["otherwise"] = value
        elif features[name].index(choice) < 0:
            raise TableError(
                f"{row['choice']!r} is not a choice of {name}",
                where=f"{where}, choice",
                allowed=features[name].present,
            )
        else:
            pairs = entry["values"]
            assert isinstance(pairs, list)
            pairs.append([choice, value])
    return list(found.values())
