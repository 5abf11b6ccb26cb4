"""Reads results from the rows of a store, and checks each row for damage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.store._database import row_digest
from nasbuild.evaluate.store._errors import StoreError, damaged_todo
from nasbuild.space import Architecture, Space, architecture_id, parse_architecture


def read_row(
    space: Space, key: Callable[[Architecture], str], row: Mapping[str, Any], name: str
) -> tuple[Architecture, Result]:
    """The architecture and result of a completed or failed evaluation.

    Parameters
    ----------
    key
        Computes the key that the row of an architecture must have.

    Raises
    ------
    StoreError
        If the row is damaged.
    """
    damage = find_damage(row)
    if damage is None:
        try:
            architecture = parse_architecture(space, json.loads(row["arch"]))
        except NasbuildError as error:
            damage = f"its architecture is not in the space: {error}"
        else:
            if key(architecture) == row["key"]:
                return architecture, _result(row)
            damage = "its architecture does not match its key"
    raise StoreError(
        f"row {row['number']} is damaged ({damage})", where=f"store {name}", todo=damaged_todo(name)
    )


def find_damage(row: Mapping[str, Any]) -> str | None:
    """Describes the damage of a row that holds a result; None if it is sound."""
    for column in ("key", "study", "evaluator", "arch"):
        if not isinstance(row[column], str):
            return f"its {column} is {_kind(row[column])}"
    try:
        arch, metrics = json.loads(row["arch"]), _json(row["metrics"])
        notes = _json(row.get("notes"))
    except (ValueError, TypeError, RecursionError):
        return "its architecture, metrics or notes are not JSON"
    if not isinstance(arch, dict):
        return f"its architecture is {_kind(arch)}"
    if row["state"] not in ("done", "failed"):
        return f"its state is {str(row['state'])[:20]!r}"
    if row["state"] == "done" and (
        not isinstance(metrics, dict) or not all(map(_is_number, metrics.values()))
    ):
        return "its metrics are not numbers by name"
    if notes is not None and not (isinstance(notes, list) and all(isinstance(note, str) for note in notes)):
        return "its notes are not texts"
    if not isinstance(row["reason"], str | None) or not isinstance(row["seconds"], float | int | None):
        return "its reason or duration has the wrong type"
    if row.get("digest") is not None and row["digest"] != row_digest(row):
        return "its checksum is wrong"
    return None


def read_arch(space: Space, arch: object) -> Architecture | None:
    """The architecture in a row; None if it is damaged."""
    try:
        return parse_architecture(space, json.loads(str(arch)))
    except (NasbuildError, ValueError, RecursionError):
        return None


def describe_arch(space: Space, arch: object) -> str:
    """The id of the architecture in a row, or a placeholder if it is damaged."""
    architecture = read_arch(space, arch)
    return "an unreadable architecture" if architecture is None else architecture_id(space, architecture)


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
