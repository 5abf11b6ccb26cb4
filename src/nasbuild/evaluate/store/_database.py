"""The database of a store: its tables, connections, and differences between SQLite and PostgreSQL."""

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

from nasbuild.evaluate.store._errors import StoreError, damaged_todo

SCHEMA_VERSION = 2
_CHUNK = 500  # keys or rows per statement
_LOCK = 0x6E6173  # advisory lock of PostgreSQL, held while tables are created
_BUSY = 1_000  # ms that SQLite itself waits for a lock; longer waits are in Python, where Ctrl-C works

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
    # The owner's last heartbeat, Unix seconds.
    sa.Column("heard", sa.Float),
    sa.Column("started", sa.Float),
    sa.Column("seconds", sa.Float),
    sa.Column("versions", sa.Text),
    # Since schema 2: notes, checksum of the evaluator's code, checksum of the row.
    sa.Column("notes", sa.Text),
    sa.Column("code", sa.String(64)),
    sa.Column("digest", sa.String(16)),
)
_CHECKED = ("key", "study", "arch", "state", "metrics", "reason", "seconds", "notes")
CHECKED = frozenset(_CHECKED)
_SINCE_2 = ("notes", "code", "digest")
_INSERTS: dict[str, Callable[[sa.Table], Any]] = {"sqlite": insert_sqlite, "postgresql": insert_postgresql}


def open_engine(url: sa.URL) -> sa.Engine:
    """An engine for a SQLite or PostgreSQL database."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout={_BUSY}")
            # Readers and one writer at a time; a commit survives a crash of the process.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            # Transactions begin explicitly and as writers, so that none fails halfway.
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine
    # A broken connection is reopened, and an unreachable host is noticed within a minute.
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
    """Create missing tables, and upgrade those of an older version.

    Raises
    ------
    StoreError
        If the database belongs to another program, has a newer version, or lacks columns.
    """
    if connection.dialect.name == "postgresql":
        # Several processes may create the tables at once.
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
        present = {column["name"] for column in inspector.get_columns(evaluations.name)}
        missing = [column for column in evaluations.columns if column.name not in present]
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
    """Raise StoreError if a database has tables, but not the one that marks it as a store."""
    if tables and about.name not in tables:
        shown = ", ".join(sorted(tables)[:4]) + (", ..." if len(tables) > 4 else "")
        raise StoreError(
            f"belongs to another program (tables {shown}) and was not changed",
            where=f"store {name}",
            todo="give a separate database, such as a new file",
        )


def insertions(completed: Callable[[Any], sa.Insert]) -> dict[str, sa.Insert]:
    """Statements that insert evaluations, by dialect; ``completed`` adds what to do if a key exists.

    They get their values when they are executed: a statement with inline values would be compiled every time.
    """
    return {name: completed(new(evaluations)) for name, new in _INSERTS.items()}


def server_time(connection: sa.Connection) -> tuple[float, float]:
    """The time and the start of the server, Unix seconds. The server's clock is used, as those of machines differ."""
    if connection.dialect.name == "sqlite":
        return time.time(), 0.0
    seconds = "extract(epoch from clock_timestamp()), extract(epoch from pg_postmaster_start_time())"
    now, up = connection.execute(sa.text(f"SELECT {seconds}")).one()
    return float(now), float(up)


def row_digest(row: Mapping[str, Any]) -> str:
    """Checksum of an evaluation and its result, which reveals bytes that changed on the disk."""
    content = json.dumps([row[name] for name in _CHECKED])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def chunks(items: list[Item]) -> list[list[Item]]:
    """As many items at a time as one question may hold."""
    return [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
