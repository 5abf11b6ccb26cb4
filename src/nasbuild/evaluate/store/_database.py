"""The database under a store: its tables, how it is opened, and what both dialects need told."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nasbuild.evaluate.store._faults import StoreError, damaged_todo

SCHEMA_VERSION = 2
_CHUNK = 500  # keys in one question
_LOCK = 0x6E6173  # of PostgreSQL, held while tables are made
_BUSY = 1_000  # ms that SQLite waits by itself; more often in Python, where an interrupt is heard

Item = TypeVar("Item")

SCHEMA = sa.MetaData()
about = sa.Table("nasbuild", SCHEMA, sa.Column("schema", sa.Integer, primary_key=True))
evaluations = sa.Table(
    "evaluations",
    SCHEMA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(64), unique=True, nullable=False),
    sa.Column("study", sa.String(64), index=True, nullable=False),
    sa.Column("evaluator", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("arch", sa.Text, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("metrics", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("heard", sa.Float),
    sa.Column("started", sa.Float),
    sa.Column("seconds", sa.Float),
    sa.Column("versions", sa.Text),
    # Since schema 2: what was left out, which code told it, and a checksum of what it told.
    sa.Column("notes", sa.Text),
    sa.Column("code", sa.String(64)),
    sa.Column("digest", sa.String(16)),
)
_CHECKED = ("key", "study", "arch", "state", "metrics", "reason", "seconds", "notes")
CHECKED = frozenset(_CHECKED)
_SINCE_2 = ("notes", "code", "digest")
_INSERTS: dict[str, Callable[[sa.Table], Any]] = {"sqlite": insert_sqlite, "postgresql": insert_postgresql}


def open_engine(url: sa.URL) -> sa.Engine:
    """A database of SQLite or PostgreSQL by its address."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout={_BUSY}")
            # Readers and one writer at a time; a commit survives a crash of the process.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            # Transactions begin where we say so, and as writers: none is refused halfway.
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine
    # A connection that broke is opened anew, and a host that is gone is noticed within a minute.
    waits = {
        "connect_timeout": 10,
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    libpq = url.get_driver_name() in ("psycopg", "psycopg2")
    return sa.create_engine(url, pool_pre_ping=True, connect_args=waits if libpq else {})


def prepare_schema(connection: sa.Connection, name: str) -> None:
    """Make the tables where they are missing, and bring older ones up to date.

    Raises
    ------
    StoreError
        If the database is somebody else's, of a newer version, or lacks parts of its tables.
    """
    if connection.dialect.name == "postgresql":
        # Several processes may meet on a new database.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    inspector = sa.inspect(connection)
    tables = set(inspector.get_table_names())
    refuse_foreign(tables, name)
    SCHEMA.create_all(connection)
    found = (
        connection.execute(sa.select(sa.func.max(about.c.schema))).scalar() if about.name in tables else None
    )
    if found is not None and not isinstance(found, int):
        raise StoreError(
            f"is damaged (its version is {found!r})", where=f"store {name}", todo=damaged_todo(name)
        )
    if found is not None and found > SCHEMA_VERSION:
        raise StoreError(
            f"was written by a newer version (schema {found}, known {SCHEMA_VERSION})",
            where=f"store {name}",
            todo="update nasbuild",
        )
    if evaluations.name in tables:
        there = {column["name"] for column in inspector.get_columns(evaluations.name)}
        missing = [column for column in evaluations.columns if column.name not in there]
        for column in missing:
            if column.name not in _SINCE_2 or found == SCHEMA_VERSION:
                raise StoreError(
                    f"is damaged (its table has no column {column.name})",
                    where=f"store {name}",
                    todo=damaged_todo(name),
                )
            kind = column.type.compile(connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {evaluations.name} ADD COLUMN {column.name} {kind}"))
    if found != SCHEMA_VERSION:
        connection.execute(sa.delete(about))
        connection.execute(sa.insert(about), [{"schema": SCHEMA_VERSION}])


def refuse_foreign(tables: set[str], name: str) -> None:
    """Refuse a database that holds tables, but none that says it is ours."""
    if tables and about.name not in tables:
        shown = ", ".join(sorted(tables)[:4]) + (", ..." if len(tables) > 4 else "")
        raise StoreError(
            f"holds something else (tables {shown}) and is left as it is",
            where=f"store {name}",
            todo="give a database of its own, such as a new file",
        )


def insertions(completed: Callable[[Any], sa.Insert]) -> dict[str, sa.Insert]:
    """A statement that inserts evaluations, by dialect; ``completed`` says what is done where a key is there already.

    Made once and given its values when it is executed, it is compiled once; with values of its own, every time.
    """
    return {name: completed(new(evaluations)) for name, new in _INSERTS.items()}


def clock(connection: sa.Connection) -> tuple[float, float]:
    """Now, and since when the database is up, in Unix seconds; by the server's clock, for those of several machines differ."""
    if connection.dialect.name == "sqlite":
        return time.time(), 0.0
    seconds = "extract(epoch from clock_timestamp()), extract(epoch from pg_postmaster_start_time())"
    now, up = connection.execute(sa.text(f"SELECT {seconds}")).one()
    return float(now), float(up)


def digest(row: Mapping[str, Any]) -> str:
    """A checksum of what was evaluated and what that told, which finds a byte that changed on the disk."""
    told = json.dumps([row[name] for name in _CHECKED])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def chunks(items: list[Item]) -> list[list[Item]]:
    """As many items at a time as one question may hold."""
    return [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
