"""Rows of a store as results, each checked: a disk may have changed them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.store._database import digest
from nasbuild.evaluate.store._faults import StoreError, damaged_todo
from nasbuild.space import Architecture, Space, architecture_id, parse_architecture


def read_row(
    space: Space, key: Callable[[Architecture], str], row: Mapping[str, Any], name: str
) -> tuple[Architecture, Result]:
    """An evaluation that is done or failed.

    Parameters
    ----------
    key
        What a row of an architecture has to have as its key.

    Raises
    ------
    StoreError
        If the row is not as it was written.
    """
    wrong = fault_in(row)
    if wrong is None:
        try:
            architecture = parse_architecture(space, json.loads(row["arch"]))
        except NasbuildError as error:
            wrong = f"its architecture is none of the space: {error}"
        else:
            if key(architecture) == row["key"]:
                return architecture, _result(row)
            wrong = "its architecture is another one than was evaluated"
    raise StoreError(
        f"row {row['number']} is damaged ({wrong})", where=f"store {name}", todo=damaged_todo(name)
    )


def fault_in(row: Mapping[str, Any]) -> str | None:
    """What is wrong with a row that holds a result; None if it is sound."""
    for column in ("key", "study", "evaluator", "arch"):
        if not isinstance(row[column], str):
            return f"its {column} is {_kind(row[column])}"
    try:
        arch, metrics = json.loads(row["arch"]), _json(row["metrics"])
        notes = _json(row.get("notes"))
    except (ValueError, TypeError, RecursionError):
        return "its architecture, metrics or notes are no JSON"
    if not isinstance(arch, dict):
        return f"its architecture is {_kind(arch)}"
    if row["state"] not in ("done", "failed"):
        return f"its state is {str(row['state'])[:20]!r}"
    if row["state"] == "done" and (
        not isinstance(metrics, dict) or not all(map(_is_number, metrics.values()))
    ):
        return "its metrics are no numbers by name"
    if notes is not None and not (isinstance(notes, list) and all(isinstance(note, str) for note in notes)):
        return "its notes are no texts"
    if not isinstance(row["reason"], str | None) or not isinstance(row["seconds"], float | int | None):
        return "its reason or duration is of another type"
    if row.get("digest") is not None and row["digest"] != digest(row):
        return "its checksum does not hold"
    return None


def shown_arch(space: Space, arch: object) -> str:
    """The id of an architecture as it stands in a row; as much as can be said where it is damaged."""
    try:
        return architecture_id(space, parse_architecture(space, json.loads(str(arch))))
    except (NasbuildError, ValueError, RecursionError):
        return "one that can't be read"


def _result(row: Mapping[str, Any]) -> Result:
    metrics = json.loads(row["metrics"]) if row["state"] == "done" else None
    notes = tuple(_json(row.get("notes")) or ())
    return Result(metrics, row["reason"], row["seconds"], notes, row.get("code"))


def _json(text: Any) -> Any:
    return None if text is None else json.loads(text)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _kind(value: object) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"
