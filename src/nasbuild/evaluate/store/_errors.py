"""Classifies database errors and turns them into messages that say what to do."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import exc

from nasbuild.errors import NasbuildError

_RESUMES = "the same command resumes"


class StoreError(NasbuildError):
    """A store that can't be read or written; completed results are saved in a file beside it.

    Examples
    --------
    >>> from nasbuild.evaluate import StoreError
    >>> from pathlib import Path
    >>> Path("runs.db").write_bytes(b"not a database at all" * 99)
    2079
    >>> Store("runs.db", space, "train.py:measure")
    Traceback (most recent call last):
        ...
    nasbuild.evaluate.store._errors.StoreError: store runs.db: is not an SQLite database, or its header is damaged; give another path
    """


class Fault(Enum):
    """Kinds of database errors; the first two may be temporary."""

    LOCKED = "is locked by another process"
    UNREACHABLE = "the server is unreachable"
    FULL = "the disk is full"
    UNWRITABLE = "can't be written"
    DAMAGED = "is damaged"
    NOT_A_DATABASE = "is not an SQLite database, or its header is damaged"
    OTHER = "can't be used"


_SQLITE = {
    "locked": Fault.LOCKED,
    "busy": Fault.LOCKED,
    "disk is full": Fault.FULL,
    "disk i/o error": Fault.UNWRITABLE,
    "readonly": Fault.UNWRITABLE,
    "read-only": Fault.UNWRITABLE,
    "malformed": Fault.DAMAGED,
    "not a database": Fault.NOT_A_DATABASE,
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
_UNREACHABLE = ("08", "57")
"""Error classes: connection failures, and a server that shuts down or starts up."""
_TODO = {
    Fault.LOCKED: f"close the program that has it open, such as a database browser; {_RESUMES}",
    Fault.UNREACHABLE: f"start the server; {_RESUMES}",
    Fault.FULL: f"free disk space; {_RESUMES}",
    Fault.NOT_A_DATABASE: "give another path",
    Fault.UNWRITABLE: f"check permissions and free disk space; {_RESUMES}",
}


def classify_error(error: exc.SQLAlchemyError) -> Fault:
    """The kind of a database error."""
    origin = getattr(error, "orig", None)
    state = getattr(origin, "sqlstate", None)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return Fault.UNREACHABLE
    if state:
        return _POSTGRESQL.get(state, Fault.UNREACHABLE if state[:2] in _UNREACHABLE else Fault.OTHER)
    if type(origin).__module__.startswith("psycopg"):
        # Errors without a code are those of the connection.
        return (
            Fault.UNREACHABLE if isinstance(error, exc.OperationalError | exc.InterfaceError) else Fault.OTHER
        )
    text = str(origin or error).lower()
    return next((fault for part, fault in _SQLITE.items() if part in text), Fault.OTHER)


def error_text(error: BaseException) -> str:
    """The first line of the database's message."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def store_error(name: str, fault: Fault, cause: str, *, waited: float = 0.0) -> StoreError:
    """An exception that explains a fault to the user.

    Parameters
    ----------
    waited
        Seconds of retries before it.
    """
    since = f" for more than {waited:.0f} s" if waited >= 1 else ""
    detail = "" if fault in (Fault.LOCKED, Fault.FULL, Fault.NOT_A_DATABASE) else f" ({cause})"
    todo = damaged_todo(name) if fault is Fault.DAMAGED else _TODO.get(fault)
    return StoreError(f"{fault.value}{since}{detail}", where=f"store {name}", todo=todo)


def damaged_todo(name: str) -> str:
    """How to recover the sound rows of a damaged store."""
    return f"give a new --store and --salvage {name} to recover all sound rows"
