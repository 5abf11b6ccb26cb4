"""Where a store is: paths mean themselves, and no password is ever shown."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.store._database import refuse_foreign

ALLOWED = "a path, sqlite:///PATH, postgresql+psycopg://USER@HOST/DATABASE"
_SECRET = re.compile(r"(://[^/@\s]*?:)[^@\s]*(?=@)|((?:^|[?&;])[^=&;]*passw[^=&;]*=)[^&;\s]*", re.IGNORECASE)
_HIDDEN = "***"


def address_of(place: str | os.PathLike[str] | sa.URL) -> sa.URL:
    """The address of a path, in which no character has another meaning, or of a URL.

    Raises
    ------
    NasbuildError
        If it is no URL of SQLite or PostgreSQL, or one of a database in memory, which would keep nothing.
    """
    if isinstance(place, sa.URL):
        return place
    text = os.fspath(place)
    if "://" not in text:
        if text in ("", ":memory:"):
            raise _keeps_nothing(text)
        # Its parts are told apart here: a text would be read as a URL, where ?, % and # are signs.
        return sa.URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise NasbuildError(
            "is no URL of a database", where=f"store {shown(text)}", allowed=ALLOWED
        ) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise NasbuildError(
            "is no database that evaluations are kept in", where=f"store {shown(text)}", allowed=ALLOWED
        )
    if url.get_backend_name() == "sqlite":
        memory = not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"
        if memory:
            raise _keeps_nothing(text)
    return url


def shown(place: str | os.PathLike[str] | sa.URL) -> str:
    """A place as it may be printed and written."""
    if isinstance(place, sa.URL):
        path = place.database if place.get_backend_name() == "sqlite" else None
        return path or shown(place.render_as_string(hide_password=True))
    text = os.fspath(place)
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}{_HIDDEN}", text) if "://" in text else text


def check_file(url: sa.URL, name: str) -> None:
    """Look into a file before anything is written to it.

    Raises
    ------
    NasbuildError
        If it is no place for a database, or a database of something else.
    """
    if url.get_backend_name() != "sqlite" or url.database is None or url.database.startswith("file:"):
        return
    path, where = Path(url.database), f"store {name}"
    if path.is_dir():
        raise NasbuildError("is a folder", where=where, allowed="a file", todo="name a file in it")
    if not path.parent.is_dir():
        raise NasbuildError(
            f"can't be opened (there is no folder {path.parent})", where=where, todo="make the folder first"
        )
    if path.exists() and not path.is_file():
        raise NasbuildError("is no regular file", where=where, allowed="a file")
    if path.is_file() and path.stat().st_size:
        refuse_foreign(_tables(path), name)


def _tables(path: Path) -> set[str]:
    """Names of a file's tables; none where it can't be told without waiting or writing."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1)
    except sqlite3.Error:
        return set()
    try:
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return {str(name) for (name,) in rows}
    except (sqlite3.Error, UnicodeError):
        return set()
    finally:
        connection.close()


def _keeps_nothing(text: str) -> NasbuildError:
    return NasbuildError(
        "is a database in memory, which keeps nothing" if text else "is empty",
        where=f"store {text!r}",
        allowed=ALLOWED,
        todo="give a path",
    )
