"""Claims evaluations for a process; another process can take a claim over only if its owner is dead."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nasbuild.evaluate.store._database import chunks, evaluations, insertions, server_time
from nasbuild.evaluate.store._owner import is_abandoned

_CLAIM_COLUMNS = ("state", "owner", "heard", "started", "versions", "code")
_RESULT_COLUMNS = ("metrics", "reason", "seconds", "notes", "digest")
_C = evaluations.c
_FIND = sa.select(_C.key, _C.state, _C.owner, _C.heard, _C.code).where(
    _C.key.in_(sa.bindparam("keys", expanding=True))
)
_INSERT = insertions(lambda new: new.on_conflict_do_nothing().returning(_C.key))
_TAKE_OVER = (
    sa.update(evaluations)
    .where(
        _C.key == sa.bindparam("of"),
        _C.state == sa.bindparam("was"),
        _C.owner.is_not_distinct_from(sa.bindparam("from")),
    )
    .values(
        **{name: sa.bindparam(f"new_{name}") for name in _CLAIM_COLUMNS},
        **dict.fromkeys(_RESULT_COLUMNS, sa.null()),
    )
)


def claim_rows(
    connection: sa.Connection,
    rows: Sequence[Mapping[str, Any]],
    *,
    retry_failed: bool = False,
    renew_outdated: bool = False,
    held: Collection[str] = (),
) -> set[str]:
    """Claim evaluations that are neither completed nor running elsewhere; returns the claimed keys.

    Parameters
    ----------
    rows
        New content of the rows, all of the same owner; times are filled in here.
    retry_failed
        Claim failed evaluations, too.
    renew_outdated
        Claim evaluations whose result was produced by other code, too.
    held
        Keys that the owner knows it holds. Other rows of the same owner stem from a claim whose success it could not
        see, and are claimed again.
    """
    now, up_since = server_time(connection)
    rows = [{**row, "heard": now, "started": now} for row in rows]
    stored = {found.key: found for found in _find(connection, [row["key"] for row in rows])}
    claimed = _insert(connection, [row for row in rows if row["key"] not in stored])
    for row in rows:
        found = stored.get(row["key"])
        if found is None:
            continue
        if found.state == "running":
            ours = found.owner == row["owner"]
            free = row["key"] not in held if ours else is_abandoned(found.owner, found.heard, now, up_since)
        else:
            outdated = renew_outdated and is_outdated(found.code, row["code"])
            free = (retry_failed and found.state == "failed") or outdated
        if free and _take_over(connection, row, found):
            claimed.add(row["key"])
    return claimed


def is_outdated(stored: str | None, current: str | None) -> bool:
    """Whether a result was produced by other code than the evaluator has now; False if either is unknown."""
    return stored is not None and current is not None and stored != current


def _find(connection: sa.Connection, keys: list[str]) -> list[Any]:
    found: list[Any] = []
    for part in chunks(keys):
        found += connection.execute(_FIND, {"keys": part}).all()
    return found


def _insert(connection: sa.Connection, rows: list[Mapping[str, Any]]) -> set[str]:
    """Insert new evaluations; returns the keys that no other process inserted at the same time."""
    inserted: set[str] = set()
    for part in chunks(rows):
        inserted |= set(connection.execute(_INSERT[connection.dialect.name], part).scalars())
    return inserted


def _take_over(connection: sa.Connection, row: Mapping[str, Any], found: Any) -> bool:
    """Take over an evaluation; False if another process was quicker."""
    before = {"of": row["key"], "was": found.state, "from": found.owner}
    new = {f"new_{name}": row[name] for name in _CLAIM_COLUMNS}
    return connection.execute(_TAKE_OVER, {**before, **new}).rowcount == 1
