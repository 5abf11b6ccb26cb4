"""Writes results to a store as rows, or saves them beside it until it can be written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from nasbuild.evaluate._parse_result import truncate
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.store import _pending
from nasbuild.evaluate.store._database import evaluations, insertions, row_digest
from nasbuild.evaluate.store._errors import StoreError

_RESULT_COLUMNS = ("state", "metrics", "reason", "seconds", "notes", "digest")
_COLUMNS = [column.name for column in evaluations.columns if column.name != "number"]
_KEPT_COLUMNS = ("key", "owner", "heard", "started")
_FINISH = (
    sa.update(evaluations)
    .where(evaluations.c.key == sa.bindparam("of"))
    .values({name: sa.bindparam(f"new_{name}") for name in _RESULT_COLUMNS})
)
_INSERT_PENDING = insertions(
    lambda new: new.on_conflict_do_update(
        index_elements=[evaluations.c.key],
        set_={name: new.excluded[name] for name in _COLUMNS if name not in _KEPT_COLUMNS},
        where=evaluations.c.state != "done",
    )
)


def result_row(result: Result, claim: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a result with its checksum; ``claim`` holds at least key, study and architecture."""
    metrics = None if result.metrics is None else {k: _plain(v) for k, v in result.metrics.items()}
    row = {
        **claim,
        "state": "failed" if metrics is None else "done",
        "metrics": None if metrics is None else json.dumps(metrics),
        "reason": None if result.reason is None else truncate(result.reason),
        "seconds": None if result.seconds is None else float(result.seconds),
        "notes": json.dumps(result.notes) if result.notes else None,
    }
    return {**row, "digest": row_digest(row)}


def finish_rows(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the results of claimed evaluations."""
    connection.execute(
        _FINISH,
        [{"of": row["key"], **{f"new_{name}": row[name] for name in _RESULT_COLUMNS}} for row in rows],
    )


def insert_pending(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write pending rows; completed evaluations in the store are not overwritten."""
    for row in rows:
        # One by one, since two may belong to the same evaluation.
        connection.execute(
            _INSERT_PENDING[connection.dialect.name], {name: row.get(name) for name in _COLUMNS}
        )


def save_pending(error: StoreError, url: sa.URL, rows: Sequence[dict[str, Any]]) -> StoreError:
    """Save rows that could not be written because of ``error``; returns the error with the place of the rows."""
    path = _pending.append(url, rows)
    count = count_text(len(rows))
    if path is not None:
        where = f"{count} saved in {path}; the next start imports them"
    else:
        where = f"{count} could not be saved anywhere: " + " ".join(
            f"{row['arch']} {row['metrics'] or row['reason']}" for row in rows
        )
    return StoreError(f"{error.what}; {where}", where=error.where, todo=error.todo)


def count_text(n: int) -> str:
    """Such as ``2 finished results``."""
    return f"{n:,} finished result{'' if n == 1 else 's'}"


def _plain(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
