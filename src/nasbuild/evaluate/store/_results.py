"""Results on their way into a store: as rows, written together, or kept beside it until it can take them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from nasbuild.evaluate._outcome import cut
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.store import _pending
from nasbuild.evaluate.store._database import digest, evaluations, insertions
from nasbuild.evaluate.store._faults import StoreError

_OF_A_RESULT = ("state", "metrics", "reason", "seconds", "notes", "digest")
_COLUMNS = [column.name for column in evaluations.columns if column.name != "number"]
_STAY = ("key", "owner", "heard", "started")
_FINISH = (
    sa.update(evaluations)
    .where(evaluations.c.key == sa.bindparam("of"))
    .values({name: sa.bindparam(f"new_{name}") for name in _OF_A_RESULT})
)
_TAKE_IN = insertions(
    lambda new: new.on_conflict_do_update(
        index_elements=[evaluations.c.key],
        set_={name: new.excluded[name] for name in _COLUMNS if name not in _STAY},
        where=evaluations.c.state != "done",
    )
)


def result_row(result: Result, claimed: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a result changes, with a checksum, and those of ``claimed``: key, study and architecture at least."""
    metrics = None if result.metrics is None else {k: _plain(v) for k, v in result.metrics.items()}
    row = {
        **claimed,
        "state": "failed" if metrics is None else "done",
        "metrics": None if metrics is None else json.dumps(metrics),
        "reason": None if result.reason is None else cut(result.reason),
        "seconds": None if result.seconds is None else float(result.seconds),
        "notes": json.dumps(result.notes) if result.notes else None,
    }
    return {**row, "digest": digest(row)}


def finish_rows(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what came of evaluations that were claimed."""
    connection.execute(
        _FINISH, [{"of": row["key"], **{f"new_{name}": row[name] for name in _OF_A_RESULT}} for row in rows]
    )


def take_in_rows(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that were kept elsewhere; what is done in the store stays as it is."""
    for row in rows:
        # One by one: two may be of the same evaluation.
        connection.execute(_TAKE_IN[connection.dialect.name], {name: row.get(name) for name in _COLUMNS})


def keep_beside(error: StoreError, url: sa.URL, rows: Sequence[dict[str, Any]]) -> StoreError:
    """Keep rows that ``error`` kept from being written; what is wrong, and where they are."""
    path = _pending.keep(url, rows)
    count = counted_results(len(rows))
    if path is not None:
        where = f"{count} kept in {path}, which the next start takes in"
    else:
        where = f"{count} could be kept nowhere: " + " ".join(
            f"{row['arch']} {row['metrics'] or row['reason']}" for row in rows
        )
    return StoreError(f"{error.what}; {where}", where=error.where, todo=error.todo)


def counted_results(n: int) -> str:
    """Such as ``2 finished results``."""
    return f"{n:,} finished result{'' if n == 1 else 's'}"


def _plain(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
