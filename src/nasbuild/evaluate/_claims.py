"""Whose an evaluation is: claimed by one process, and by another one only if the first is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nasbuild.evaluate._database import chunks, evaluations, insert
from nasbuild.evaluate._owner import is_lost

_KNOWN = (evaluations.c.key, evaluations.c.state, evaluations.c.owner, evaluations.c.heard)
_OF_AN_OWNER = ("state", "owner", "heard", "started", "versions")


def claimed(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, again: bool) -> set[str]:
    """Claim evaluations that are neither done nor under way elsewhere; gives the keys of those that were.

    Parameters
    ----------
    rows
        What the database is to hold of each, all of the same owner.
    again
        Claim those that failed, too.
    """
    known = {found.key: found for found in _known(connection, [row["key"] for row in rows])}
    taken = _begun(connection, [row for row in rows if row["key"] not in known])
    for row in rows:
        found = known.get(row["key"])
        if found is not None and _is_free(found, row, again) and _taken_over(connection, row, found):
            taken.add(row["key"])
    return taken


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


def _is_free(found: Any, row: Mapping[str, Any], again: bool) -> bool:
    """Whether a known evaluation may be taken over."""
    if found.state == "running":
        return found.owner != row["owner"] and is_lost(found.owner, found.heard, row["heard"])
    return found.state == "failed" and again


def _taken_over(connection: sa.Connection, row: Mapping[str, Any], found: Any) -> bool:
    """Take over an evaluation; not if another process was quicker."""
    c = evaluations.c
    taken = connection.execute(
        sa.update(evaluations)
        .where(c.key == row["key"], c.state == found.state, c.owner == found.owner)
        .values(**{name: row[name] for name in _OF_AN_OWNER}, metrics=None, reason=None, seconds=None)
    )
    return taken.rowcount == 1
