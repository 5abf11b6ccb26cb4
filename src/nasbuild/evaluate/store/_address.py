"""Parses the address of a store, a path or a URL, and displays it without its password."""

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


def store_url(place: str | os.PathLike[str] | sa.URL) -> sa.URL:
    """The URL of a store given by path or URL. In a path no character has a special meaning.

    Raises
    ------
    NasbuildError
        If it is not a URL of SQLite or PostgreSQL, or names a database in memory, which would be lost.
    """
    if isinstance(place, sa.URL):
        return place
    text = os.fspath(place)
    if "://" not in text:
        if text in ("", ":memory:"):
            raise _in_memory(text)
        # Built from parts: in a URL string ?, % and # would have a special meaning.
        return sa.URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise NasbuildError(
            "is not a database URL", where=f"store {display_name(text)}", allowed=ALLOWED
        ) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise NasbuildError(
            "is not a supported database", where=f"store {display_name(text)}", allowed=ALLOWED
        )
    if url.get_backend_name() == "sqlite":
        memory = not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"
        if memory:
            raise _in_memory(text)
    return url


def display_name(place: str | os.PathLike[str] | sa.URL) -> str:
    """The address of a store without its password."""
    if isinstance(place, sa.URL):
        path = place.database if place.get_backend_name() == "sqlite" else None
        return path or display_name(place.render_as_string(hide_password=True))
    text = os.fspath(place)
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}{_HIDDEN}", text) if "://" in text else text


def check_file(url: sa.URL, name: str) -> None:
    """Check a file before anything is written to it.

    Raises
    ------
    NasbuildError
        If there can't be a database, or it is the database of another program.
    """
    if url.get_backend_name() != "sqlite" or url.database is None or url.database.startswith("file:"):
        return
    path, where = Path(url.database), f"store {name}"
    if path.is_dir():
        raise NasbuildError("is a folder", where=where, allowed="a file", todo="give a file in it")
    if not path.parent.is_dir():
        raise NasbuildError(
            f"can't be opened (there is no folder {path.parent})", where=where, todo="create the folder first"
        )
    if path.exists() and not path.is_file():
        raise NasbuildError("is not a regular file", where=where, allowed="a file")
    if path.is_file() and path.stat().st_size:
        refuse_foreign(_tables(path), name)


def _tables(path: Path) -> set[str]:
    """Names of a file's tables; an empty set if they can't be read without waiting or writing."""
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


def _in_memory(text: str) -> NasbuildError:
    return NasbuildError(
        "is a database in memory, which is lost at the end" if text else "is empty",
        where=f"store {text!r}",
        allowed=ALLOWED,
        todo="give a path",
    )
