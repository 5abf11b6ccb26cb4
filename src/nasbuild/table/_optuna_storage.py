"""Opens a study of Optuna by the URL of its storage, or by the file of a database or a journal."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild._file_formats import JOURNALS, SQLITE
from nasbuild._optional_imports import absent, is_installed
from nasbuild._text_input import refuse_endless
from nasbuild.errors import TableError

if TYPE_CHECKING:
    from optuna import Study

_SQLITE_URL = "sqlite:///"


def is_storage(source: object) -> bool:
    """Whether a source is the storage of a study: a URL, or a file by its ending; ``#NAME`` names the study."""
    if not isinstance(source, str | Path):
        return False
    text = str(source)
    return "://" in text or text.partition("#")[0].lower().endswith((*SQLITE, *JOURNALS))


def load_study(source: str) -> Study:
    """The study of a storage: the only one, or the one that follows a ``#``.

    Nothing is written to the storage, and a file that Optuna did not write is refused before Optuna opens it.

    Raises
    ------
    TableError
        If there is no such storage or study, or there are several studies.
    NasbuildError
        If Optuna is not installed.
    """
    place, _, name = source.partition("#")
    if not is_installed("optuna"):
        raise absent(ModuleNotFoundError(name="optuna"))
    import optuna

    if place.startswith(_SQLITE_URL):
        storage: Any = _database(place.removeprefix(_SQLITE_URL), place)
    elif "://" in place:
        storage = place
    elif place.lower().endswith(SQLITE):
        storage = _database(place, place)
    else:
        storage = _journal(place)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        names = optuna.get_all_study_names(storage)
        if not names or (name and name not in names):
            what = f"there is no study {name!r}" if name else "has no study"
            raise TableError(what, where=place, allowed=names or None)
        if len(names) > 1 and not name:
            todo = f"write {place}#{names[0]}"
            raise TableError(f"has {len(names)} studies", where=place, allowed=names, todo=todo)
        return optuna.load_study(study_name=name or names[0], storage=storage)
    except TableError:
        raise
    except Exception as error:  # Optuna passes on what SQLAlchemy, drivers and its own parsers raise.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TableError(f"can't be read as a storage of Optuna ({reason})", where=place) from None
    finally:
        optuna.logging.set_verbosity(verbosity)


def _database(path: str, where: str) -> str:
    _existing(path, where)
    try:
        with contextlib.closing(
            sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
        ) as base:
            found = base.execute(
                "select count(*) from sqlite_master where name in ('studies', 'trials')"
            ).fetchone()
    except sqlite3.Error as error:
        raise TableError(f"is not a SQLite database ({error})", where=where) from None
    if found[0] != 2:
        raise TableError(
            "is not a storage of Optuna", where=where, todo="give the table itself, or another file"
        )
    return f"{_SQLITE_URL}{path}"


def _journal(path: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    _existing(path, path)
    with Path(path).open("rb") as stream:
        first = stream.readline(2000)
    if not first.lstrip().startswith(b"{") or b'"op_code"' not in first:
        raise TableError(
            "is not a journal of Optuna", where=path, todo="give the table itself, or another file"
        )
    return JournalStorage(JournalFileBackend(path))


def _existing(path: str, where: str) -> None:
    try:
        refuse_endless(Path(path), TableError)
    except OSError:
        raise TableError("no such file", where=where) from None
