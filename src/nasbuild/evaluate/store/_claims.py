"""Whose an evaluation is: claimed by one process, and by another one only if the first is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nasbuild.evaluate.store._database import chunks, clock, evaluations, insert
from nasbuild.evaluate.store._owner import is_lost

_KNOWN = tuple(evaluations.c[name] for name in ("key", "state", "owner", "heard", "code"))
_OF_AN_OWNER = ("state", "owner", "heard", "started", "versions", "code")
_OF_A_RESULT = ("metrics", "reason", "seconds", "notes", "digest")


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
        found += connection.execute(sa.select(*_KNOWN).where(evaluations.c.key.in_(part))).all()
    return found


def _begun(connection: sa.Connection, rows: list[Mapping[str, Any]]) -> set[str]:
    """Begin evaluations that nobody had begun; the keys of those that no other process just did."""
    taken: set[str] = set()
    for part in chunks(rows):
        new = insert(connection, evaluations).values(part).on_conflict_do_nothing()
        taken |= set(connection.execute(new.returning(evaluations.c.key)).scalars())
    return taken


def _taken_over(connection: sa.Connection, row: Mapping[str, Any], found: Any) -> bool:
    """Take over an evaluation; not if another process was quicker."""
    c = evaluations.c
    taken = connection.execute(
        sa.update(evaluations)
        .where(c.key == row["key"], c.state == found.state, c.owner.is_not_distinct_from(found.owner))
        .values(**{name: row[name] for name in _OF_AN_OWNER}, **dict.fromkeys(_OF_A_RESULT))
    )
    return taken.rowcount == 1
