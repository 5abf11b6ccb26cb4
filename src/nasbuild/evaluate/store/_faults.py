"""What can go wrong with a database, each in one sentence with what to do."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import exc

from nasbuild.errors import NasbuildError

_GOES_ON = "the same command goes on"


class StoreError(NasbuildError):
    """A store that can't be read or written; what was finished meanwhile is kept beside it."""


class Fault(Enum):
    """Kinds of faults: the first two may pass by themselves."""

    LOCKED = "is locked by another process"
    AWAY = "the server is away"
    FULL = "the disk is full"
    UNWRITABLE = "can't be written"
    DAMAGED = "is damaged"
    NONE = "is no database of SQLite, or its beginning is damaged"
    OTHER = "can't be used"


_SQLITE = {
    "locked": Fault.LOCKED,
    "busy": Fault.LOCKED,
    "disk is full": Fault.FULL,
    "disk i/o error": Fault.UNWRITABLE,
    "readonly": Fault.UNWRITABLE,
    "read-only": Fault.UNWRITABLE,
    "malformed": Fault.DAMAGED,
    "not a database": Fault.NONE,
    "could not decode": Fault.DAMAGED,
    "no such column": Fault.DAMAGED,
    "no column named": Fault.DAMAGED,
    "no such table": Fault.DAMAGED,
    "unsupported file format": Fault.DAMAGED,
    "on conflict clause does not match": Fault.DAMAGED,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = {
    "53100": Fault.FULL,
    "25006": Fault.UNWRITABLE,
    "42501": Fault.UNWRITABLE,
    "42703": Fault.DAMAGED,
    "42P01": Fault.DAMAGED,
    "XX001": Fault.DAMAGED,
    "XX002": Fault.DAMAGED,
}
_AWAY = ("08", "57")
"""Classes of errors of a connection, and of a server that goes down or comes up."""
_TODO = {
    Fault.LOCKED: f"close what holds it open, such as a database browser; {_GOES_ON}",
    Fault.AWAY: f"start the server; {_GOES_ON}",
    Fault.FULL: f"make room; {_GOES_ON}",
    Fault.NONE: "give another path",
    Fault.UNWRITABLE: f"see that the place can be written and has room; {_GOES_ON}",
}


def fault_of(error: exc.SQLAlchemyError) -> Fault:
    """Of which kind an error of the database is."""
    origin = getattr(error, "orig", None)
    state = getattr(origin, "sqlstate", None)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return Fault.AWAY
    if state:
        return _POSTGRESQL.get(state, Fault.AWAY if state[:2] in _AWAY else Fault.OTHER)
    if type(origin).__module__.startswith("psycopg"):
        # Without a code it is the connection itself.
        return Fault.AWAY if isinstance(error, exc.OperationalError | exc.InterfaceError) else Fault.OTHER
    text = str(origin or error).lower()
    return next((fault for part, fault in _SQLITE.items() if part in text), Fault.OTHER)


def cause_of(error: BaseException) -> str:
    """What the database said, on one line."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def store_error(name: str, fault: Fault, cause: str, *, waited: float = 0.0) -> StoreError:
    """A fault as a sentence for the user.

    Parameters
    ----------
    waited
        Seconds for which it was tried again.
    """
    since = f" for more than {waited:.0f} s" if waited >= 1 else ""
    said = "" if fault in (Fault.LOCKED, Fault.FULL, Fault.NONE) else f" ({cause})"
    todo = damaged_todo(name) if fault is Fault.DAMAGED else _TODO.get(fault)
    return StoreError(f"{fault.value}{since}{said}", where=f"store {name}", todo=todo)


def damaged_todo(name: str) -> str:
    """How what is sound in a damaged store is saved."""
    return f"give a new --store and --salvage {name} to take over all rows that are sound"
