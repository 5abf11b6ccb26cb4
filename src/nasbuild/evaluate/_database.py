"""The database under a store: its tables, how it is opened, and what both dialects need told."""

from __future__ import annotations

from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nasbuild.errors import NasbuildError

SCHEMA_VERSION = 1
_CHUNK = 500  # keys in one question

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
)


def open_engine(url: str) -> sa.Engine:
    """A database by its address.

    Raises
    ------
    NasbuildError
        If it is neither SQLite nor PostgreSQL.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            # Readers and one writer at a time; a commit survives a crash of the process.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA busy_timeout=60000")
            # Transactions begin where we say so, and as writers: none is refused halfway.
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    elif engine.dialect.name != "postgresql":
        raise NasbuildError(
            f"{engine.dialect.name} is no database that evaluations are kept in",
            where="--store",
            allowed=("SQLite", "PostgreSQL"),
        )
    return engine


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """An insertion that may be told what to do where a key is there already."""
    return (insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql)(table)


def chunks(items: list[Item]) -> list[list[Item]]:
    """As many items at a time as one question may hold."""
    return [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]


def without_password(url: str) -> str:
    """An address as it may be shown."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except exc.ArgumentError:
        return url
