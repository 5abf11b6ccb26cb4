"""Reads rows as objects from JSON Lines, JSON or YAML, in our own form or as once-for-all configurations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nasbuild._text_input import reading
from nasbuild._yaml import plain_from_yaml
from nasbuild.errors import TableError
from nasbuild.space import Space, to_dict
from nasbuild.table._ofa import OfaReader, is_ofa
from nasbuild.table._rows import RawRow, raw_row, shown
from nasbuild.table._table import Table

_ALLOWED = "one object a line, with id, arch and metrics"
_LISTED = "a list of objects with id, arch and metrics, or one of them"


def rows_of_objects(space: Space, path: Path, form: str) -> Iterator[RawRow | TableError]:
    """Raw rows of a file; a row that is not an object is yielded as its error.

    Raises
    ------
    TableError
        If the file can't be read to its end (missing, not UTF-8, damaged gzip), or is not a list.
    """
    ofa = OfaReader(space)
    for where, data in objects(path, form):
        try:
            if isinstance(data, TableError):
                raise data
            yield ofa.row(where, data) if is_ofa(data) else raw_row(where, data)
        except TableError as error:
            yield error


def objects(path: Path, form: str) -> Iterator[tuple[str, Mapping[str, Any] | TableError]]:
    """Place of each row of a file, with its object or its error."""
    if form.startswith(".jsonl"):
        yield from _lines(path)
        return
    with reading(path, TableError) as stream:
        text = stream.read()
    if form == ".json":
        data = _parsed(text, str(path), _LISTED)
    else:
        data = plain_from_yaml(text, where=str(path), kind=TableError)
    if isinstance(data, Mapping):
        data = _records(data)
    if not isinstance(data, list):
        raise TableError(f"is {shown(data)}, not a list", where=str(path), allowed=_LISTED)
    for number, row in enumerate(data, 1):
        where = f"{path}, row {number}"
        yield where, _object(row, where, _LISTED)


def _records(data: Mapping[str, Any]) -> list[Any]:
    """The rows of an object: one row, or a table as columns, rows by their ids, or a list under one key."""
    values = list(data.values())
    if "arch" in data or is_ofa(data):
        return [data]
    if len(values) == 1 and isinstance(values[0], list) and all(isinstance(v, Mapping) for v in values[0]):
        return values[0]
    if values and all(isinstance(v, list) and len(v) == len(values[0]) > 1 for v in values):
        return [dict(zip(data, row, strict=True)) for row in zip(*values, strict=True)]
    fields = values[0].keys() if values and isinstance(values[0], Mapping) else None
    if fields and len(values) > 1 and all(isinstance(v, Mapping) and v.keys() == fields for v in values):
        if all(str(key).isdigit() for key in fields):
            # As pandas writes a frame: columns of rows by their index.
            return [{name: column[key] for name, column in data.items()} for key in fields]
        return [{"id": name, **row} if "id" not in row else row for name, row in data.items()]
    return [data]


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | TableError]]:
    with reading(path, TableError) as stream:
        for number, text in enumerate(stream, 1):
            if text.isspace() or not text:
                continue
            where = f"{path}, line {number}"
            try:
                yield where, _object(_parsed(text, where, _ALLOWED), where, _ALLOWED)
            except TableError as error:
                yield where, error


def table_to_dicts(table: Table) -> list[dict[str, Any]]:
    """The rows as in ``archs.jsonl``.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import table_from_evaluations, table_to_dicts
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> table = table_from_evaluations(space, {Architecture((((3,),),)): {"acc": 71.2}})
    >>> table_to_dicts(table)
    [{'id': 'k3', 'arch': {'stages': [[{'kernel': 3}]]}, 'metrics': {'acc': 71.2}}]
    """
    return [
        {
            "id": table.ids[row],
            "arch": to_dict(table.space, architecture),
            "metrics": {n: None if (v := float(c[row])) != v else v for n, c in table.columns.items()},
        }
        for row, architecture in enumerate(table.architectures)
    ]


def _object(data: object, where: str, allowed: str) -> Mapping[str, Any] | TableError:
    if isinstance(data, Mapping):
        return data
    return TableError(f"is {shown(data)}, not an object", where=where, allowed=allowed)


def _parsed(text: str, where: str, allowed: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        reason = error.msg
    except RecursionError:
        reason = "nested too deeply"
    except ValueError:
        # Python refuses integers of more than 4,300 digits.
        reason = "a number has too many digits"
    except KeyError as error:
        raise TableError(f"key {shown(error.args[0])} appears twice in an object", where=where) from None
    raise TableError(f"is not valid JSON ({reason})", where=where, allowed=allowed)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise KeyError(max(names, key=names.count))
    return data
