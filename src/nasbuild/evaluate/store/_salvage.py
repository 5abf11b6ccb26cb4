"""Sound rows of a damaged store, taken over into a new one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.store._address import address_of, check_file, shown
from nasbuild.evaluate.store._database import (
    CHECKED,
    chunks,
    digest,
    evaluations,
    insertions,
    open_engine,
    prepare_schema,
)
from nasbuild.evaluate.store._faults import StoreError, cause_of, fault_of, store_error
from nasbuild.evaluate.store._rows import fault_in

_COLUMNS = [column.name for column in evaluations.columns if column.name != "number"]
_ADD = insertions(lambda new: new.on_conflict_do_nothing())
_MOST = 1_000_000  # numbers that are tried one by one


def salvaged(damaged: str | os.PathLike[str], into: str | os.PathLike[str]) -> str:
    """Take over all results of a damaged store that are sound; tells how many there were.

    Every row is read that the database still gives, around pages that it can't read; whose parts are not as they were
    written is left. What was under way is left, too. The damaged store is not written to.

    Raises
    ------
    NasbuildError
        If nothing can be read there, or the other store can't be written.
    """
    old, new = address_of(damaged), address_of(into)
    name, target = shown(damaged), shown(into)
    if old == new:
        raise NasbuildError("is the store to be saved", where=f"store {target}", todo="name a new one")
    sound: list[dict[str, Any]] = []
    left = 0
    for row in _rows_of_file(Path(old.database or ""), name) if _is_file(old) else _rows_of_server(old, name):
        if row.get("state") == "running":
            continue
        whole = {"number": None, **dict.fromkeys(_COLUMNS), **row}
        if not row.keys() >= CHECKED:
            # A checksum of columns that are no longer there tells nothing.
            whole["digest"] = None
        if fault_in(whole) is None:
            kept = {column: whole[column] for column in _COLUMNS}
            sound.append({**kept, "digest": digest(kept)})
        else:
            left += 1
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
        raise store_error(target, fault_of(error), cause_of(error)) from error
    finally:
        engine.dispose()
    return f"{taken:,} sound results of {name} are taken over into {target}; {left:,} damaged ones are left"


def _count(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(evaluations)).scalar_one()


def _is_file(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _rows_of_file(path: Path, name: str) -> Iterator[Mapping[str, Any]]:
    """Rows of an SQLite file; what can't be reached from either end is asked for one by one."""
    if not path.is_file():
        raise NasbuildError("does not exist", where=f"store {name}")
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda text: text.decode(errors="replace")
    try:
        try:
            columns = [row["name"] for row in connection.execute("PRAGMA table_info(evaluations)")]
        except (sqlite3.Error, UnicodeError) as error:
            raise StoreError(f"nothing of it can be read ({error})", where=f"store {name}") from error
        if not columns:
            raise StoreError("has no evaluations", where=f"store {name}")
        yield from _around_damage(connection)
    finally:
        connection.close()


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
    # The end could not be read from there: rows are numbered one by one, so what follows is soon found to be missing.
    high = max(high, low + 10_000) if ends[1] == 0 else high
    for number in range(low, min(high, low + _MOST) + 1):
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
            there = {column["name"] for column in sa.inspect(connection).get_columns(evaluations.name)}
            columns = [column for column in evaluations.columns if column.name in there]
            yield from (dict(row._mapping) for row in connection.execute(sa.select(*columns)))
    except exc.SQLAlchemyError as error:
        raise store_error(name, fault_of(error), cause_of(error)) from error
    finally:
        engine.dispose()
