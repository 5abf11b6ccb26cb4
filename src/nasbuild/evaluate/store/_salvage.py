"""Recovers the sound rows of a damaged store into a new one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.store._address import check_file, display_name, store_url
from nasbuild.evaluate.store._database import (
    CHECKED,
    chunks,
    evaluations,
    insertions,
    open_engine,
    prepare_schema,
    row_digest,
)
from nasbuild.evaluate.store._errors import StoreError, classify_error, error_text, store_error
from nasbuild.evaluate.store._read_rows import find_damage

_COLUMNS = [column.name for column in evaluations.columns if column.name != "number"]
_ADD = insertions(lambda new: new.on_conflict_do_nothing())
_MAX_TRIES = 1_000_000  # row ids that are tried one by one


def salvage_store(damaged: str | os.PathLike[str], into: str | os.PathLike[str]) -> str:
    """Copy all sound results of a damaged store into another one.

    Reads every row that the database can still return, around unreadable pages. Skips rows with a wrong checksum, and
    evaluations that were running. Does not write to the damaged store.

    Parameters
    ----------
    damaged, into
        Paths or URLs, as for `Store`.

    Returns
    -------
    str
        A sentence for the user with the number of recovered and of damaged rows.

    Raises
    ------
    NasbuildError
        If nothing can be read from the damaged store, or the new one can't be written.

    Examples
    --------
    >>> from nasbuild.evaluate import salvage_store
    >>> store = Store("damaged.db", space, "train.py:measure")
    >>> store.finish_all([(a, Result({"acc": 93.1})) for a in store.claim([first, second])])
    >>> store.close()
    >>> salvage_store("damaged.db", "sound.db")
    'recovered 2 sound results of damaged.db into sound.db; skipped 0 damaged ones'
    """
    old, new = store_url(damaged), store_url(into)
    name, target = display_name(damaged), display_name(into)
    if old == new:
        raise NasbuildError("is the damaged store itself", where=f"store {target}", todo="give a new one")
    sound: list[dict[str, Any]] = []
    skipped = 0
    for row in _rows_of_file(Path(old.database or ""), name) if _is_file(old) else _rows_of_server(old, name):
        if row.get("state") == "running":
            continue
        whole = {"number": None, **dict.fromkeys(_COLUMNS), **row}
        if not row.keys() >= CHECKED:
            # The checksum covers columns that are missing, so it can't be checked.
            whole["digest"] = None
        if find_damage(whole) is None:
            copy = {column: whole[column] for column in _COLUMNS}
            sound.append({**copy, "digest": row_digest(copy)})
        else:
            skipped += 1
    check_file(new, target)
    engine = open_engine(new)
    try:
        with engine.begin() as connection:
            prepare_schema(connection, target)
            before = _count(connection)
            for part in chunks(sound):
                connection.execute(_ADD[connection.dialect.name], part)
            taken = _count(connection) - before
    except exc.SQLAlchemyError as error:
        raise store_error(target, classify_error(error), error_text(error)) from error
    finally:
        engine.dispose()
    return f"recovered {taken:,} sound results of {name} into {target}; skipped {skipped:,} damaged ones"


def _count(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(evaluations)).scalar_one()


def _is_file(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _rows_of_file(path: Path, name: str) -> Iterator[Mapping[str, Any]]:
    """Rows of an SQLite file; those that a scan from neither end reaches are read one by one."""
    if not path.is_file():
        raise NasbuildError("does not exist", where=f"store {name}")
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda text: text.decode(errors="replace")
    try:
        try:
            columns = [row["name"] for row in connection.execute("PRAGMA table_info(evaluations)")]
        except (sqlite3.Error, UnicodeError) as error:
            raise StoreError(f"can't be read at all ({error})", where=f"store {name}") from error
        if not columns:
            raise StoreError("has no evaluations", where=f"store {name}")
        named = _names_by_place(columns)
        for row in _around_damage(connection):
            yield {named.get(column, column): value for column, value in row.items()}
    finally:
        connection.close()


def _names_by_place(columns: Sequence[str]) -> dict[str, str]:
    """The true name of each column, by its place: damage in the name of a column would hide it from the checksum."""
    known = [column.name for column in evaluations.columns]
    return dict(zip(columns, known, strict=True)) if len(columns) == len(known) else {}


def _around_damage(connection: sqlite3.Connection) -> Iterator[Mapping[str, Any]]:
    seen: set[int] = set()
    ends: list[int] = []
    for order in ("ASC", "DESC"):
        last = 0
        try:
            for row in connection.execute(
                f"SELECT rowid AS number, * FROM evaluations NOT INDEXED ORDER BY rowid {order}"
            ):
                last = row["number"]
                if last not in seen:
                    seen.add(last)
                    yield dict(row)
        except (sqlite3.Error, UnicodeError):
            ends.append(last)
        else:
            return
    low, high = min(ends) + 1, max(ends) - 1
    # The scan from the end failed at once. Rows are numbered consecutively, so a margin beyond the start suffices.
    high = max(high, low + 10_000) if ends[1] == 0 else high
    for number in range(low, min(high, low + _MAX_TRIES) + 1):
        try:
            row = connection.execute(
                "SELECT rowid AS number, * FROM evaluations NOT INDEXED WHERE rowid = ?", [number]
            ).fetchone()
        except (sqlite3.Error, UnicodeError):
            continue
        if row is not None and number not in seen:
            yield dict(row)


def _rows_of_server(url: sa.URL, name: str) -> Iterator[Mapping[str, Any]]:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            present = {column["name"] for column in sa.inspect(connection).get_columns(evaluations.name)}
            columns = [column for column in evaluations.columns if column.name in present]
            yield from (dict(row._mapping) for row in connection.execute(sa.select(*columns)))
    except exc.SQLAlchemyError as error:
        raise store_error(name, classify_error(error), error_text(error)) from error
    finally:
        engine.dispose()
