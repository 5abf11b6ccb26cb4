"""Whose an evaluation is: claimed by one process, and by another one only if the first is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nasbuild.evaluate.store._database import chunks, clock, evaluations, insertions
from nasbuild.evaluate.store._owner import is_lost

_OF_AN_OWNER = ("state", "owner", "heard", "started", "versions", "code")
_OF_A_RESULT = ("metrics", "reason", "seconds", "notes", "digest")
_C = evaluations.c
_FIND = sa.select(_C.key, _C.state, _C.owner, _C.heard, _C.code).where(
    _C.key.in_(sa.bindparam("keys", expanding=True))
)
_BEGIN = insertions(lambda new: new.on_conflict_do_nothing().returning(_C.key))
_TAKE_OVER = (
    sa.update(evaluations)
    .where(
        _C.key == sa.bindparam("of"),
        _C.state == sa.bindparam("was"),
        _C.owner.is_not_distinct_from(sa.bindparam("from")),
    )
    .values(
        **{name: sa.bindparam(f"new_{name}") for name in _OF_AN_OWNER},
        **dict.fromkeys(_OF_A_RESULT, sa.null()),
    )
)


def claimed(
    connection: sa.Connection,
    rows: Sequence[Mapping[str, Any]],
    *,
    again: bool = False,
    renew: bool = False,
    held: Collection[str] = (),
) -> set[str]:
    """Claim evaluations that are neither done nor under way elsewhere; gives the keys of those that were.

    Parameters
    ----------
    rows
        What the database is to hold of each, all of the same owner; the times are filled in here.
    again
        Claim those that failed, too.
    renew
        Claim what other code of the evaluator told, too.
    held
        Keys that the owner is known to have. What else is its own, an attempt that was not heard to succeed claimed.
    """
    now, up = clock(connection)
    rows = [{**row, "heard": now, "started": now} for row in rows]
    known = {found.key: found for found in _known(connection, [row["key"] for row in rows])}
    taken = _begun(connection, [row for row in rows if row["key"] not in known])
    for row in rows:
        found = known.get(row["key"])
        if found is None:
            continue
        if found.state == "running":
            own = found.owner == row["owner"]
            free = row["key"] not in held if own else is_lost(found.owner, found.heard, now, up)
        else:
            free = (again and found.state == "failed") or (renew and is_outdated(found.code, row["code"]))
        if free and _taken_over(connection, row, found):
            taken.add(row["key"])
    return taken


def is_outdated(told: str | None, now: str | None) -> bool:
    """Whether other code told a result than the evaluator has now; not if either is unknown."""
    return told is not None and now is not None and told != now


def _known(connection: sa.Connection, keys: list[str]) -> list[Any]:
    found: list[Any] = []
    for part in chunks(keys):
        found += connection.execute(_FIND, {"keys": part}).all()
    return found


def _begun(connection: sa.Connection, rows: list[Mapping[str, Any]]) -> set[str]:
    """Begin evaluations that nobody had begun; the keys of those that no other process just did."""
    taken: set[str] = set()
    for part in chunks(rows):
        taken |= set(connection.execute(_BEGIN[connection.dialect.name], part).scalars())
    return taken


def _taken_over(connection: sa.Connection, row: Mapping[str, Any], found: Any) -> bool:
    """Take over an evaluation; not if another process was quicker."""
    before = {"of": row["key"], "was": found.state, "from": found.owner}
    new = {f"new_{name}": row[name] for name in _OF_AN_OWNER}
    return connection.execute(_TAKE_OVER, {**before, **new}).rowcount == 1
