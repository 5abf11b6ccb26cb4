"""What was evaluated, kept in a database: nothing is lost, and nothing is evaluated twice."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import exc

from nasbuild._version import __version__
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._claims import claimed
from nasbuild.evaluate._database import (
    SCHEMA,
    SCHEMA_VERSION,
    about,
    chunks,
    evaluations,
    insert,
    open_engine,
    without_password,
)
from nasbuild.evaluate._owner import owner_name
from nasbuild.evaluate._protocol import Result
from nasbuild.space import Architecture, Space, architecture_id, parse_architecture, space_to_dict, to_dict
from nasbuild.table import Table, evaluated_table


class Store:
    """Evaluations by one evaluator with one seed in one space; a database holds many such studies.

    Parameters
    ----------
    url
        A path (SQLite), or ``sqlite:///...`` or ``postgresql+psycopg://...``.
    space, evaluator, seed
        What is evaluated, and how: another evaluator's results are not touched.

    Raises
    ------
    NasbuildError
        If the database can't be opened, or a newer version wrote it.
    """

    def __init__(self, url: str | os.PathLike[str], space: Space, evaluator: str, *, seed: int = 0) -> None:
        self.space, self.evaluator, self.seed = space, evaluator, seed
        self.url = str(url) if "://" in str(url) else f"sqlite:///{Path(url).absolute()}"
        stages = json.dumps(space_to_dict(Space("", space.stages)), sort_keys=True)
        self._study = hashlib.sha256(f"{stages}\n{evaluator}\n{seed}".encode()).hexdigest()
        self.owner = owner_name()
        try:
            self._engine = open_engine(self.url)
            found = self._prepare()
        except (exc.SQLAlchemyError, ImportError) as error:
            cause = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise NasbuildError(
                f"can't be opened ({cause})",
                where=f"store {without_password(self.url)}",
                allowed="a path, sqlite:///PATH, postgresql+psycopg://USER@HOST/DATABASE",
            ) from error
        if found > SCHEMA_VERSION:
            self.close()
            raise NasbuildError(
                f"was written by a newer version (schema {found}, known {SCHEMA_VERSION})",
                where=f"store {without_password(self.url)}",
                todo="update nasbuild",
            )

    def _prepare(self) -> int:
        """Make the tables where they are missing; the version that they are of."""
        try:
            with self._engine.begin() as connection:
                SCHEMA.create_all(connection)
                found = connection.execute(sa.select(sa.func.max(about.c.schema))).scalar()
                if found is None:
                    connection.execute(insert(connection, about), [{"schema": SCHEMA_VERSION}])
                return SCHEMA_VERSION if found is None else int(found)
        except BaseException:
            self.close()
            raise

    def claim(self, architectures: Sequence[Architecture], *, again: bool = False) -> list[Architecture]:
        """Those that are this process' to evaluate now: neither done nor under way anywhere.

        What a process was at when it died is free again: at once if it was on this machine, after `LEASE`
        seconds elsewhere.

        Parameters
        ----------
        again
            Claim those that failed, too.
        """
        keys = {self._key(a): a for a in architectures}
        now = time.time()
        rows = [
            {
                "key": key,
                "study": self._study,
                "evaluator": self.evaluator,
                "seed": self.seed,
                "arch": json.dumps(to_dict(self.space, architecture)),
                "state": "running",
                "owner": self.owner,
                "heard": now,
                "started": now,
                "versions": json.dumps(_versions()),
            }
            for key, architecture in keys.items()
        ]
        with self._engine.begin() as connection:
            taken = claimed(connection, rows, again=again)
        return [architecture for key, architecture in keys.items() if key in taken]

    def finish(self, architecture: Architecture, result: Result) -> None:
        """Write what came of an evaluation; on return it is safe from a crash of the process."""
        self.finish_all([(architecture, result)])

    def finish_all(self, results: Sequence[tuple[Architecture, Result]]) -> None:
        """Write what came of several evaluations: all of them, or none if the process dies in it."""
        if not results:
            return
        change = (
            sa.update(evaluations)
            .where(evaluations.c.key == sa.bindparam("of"))
            .values({c: sa.bindparam(f"new_{c}") for c in ("state", "metrics", "reason", "seconds")})
        )
        with self._engine.begin() as connection:
            connection.execute(change, [self._ended(a, r) for a, r in results])

    def _ended(self, architecture: Architecture, result: Result) -> dict[str, Any]:
        metrics = None if result.metrics is None else {k: _plain(v) for k, v in result.metrics.items()}
        return {
            "of": self._key(architecture),
            "new_state": "failed" if metrics is None else "done",
            "new_metrics": None if metrics is None else json.dumps(metrics),
            "new_reason": result.reason,
            "new_seconds": result.seconds,
        }

    def release(self, architectures: Iterable[Architecture]) -> None:
        """Give back what was claimed and not begun."""
        with self._engine.begin() as connection:
            for part in chunks([self._key(a) for a in architectures]):
                connection.execute(
                    sa.delete(evaluations).where(
                        evaluations.c.key.in_(part),
                        evaluations.c.state == "running",
                        evaluations.c.owner == self.owner,
                    )
                )

    def heartbeat(self) -> None:
        """Tell other processes that this one lives."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(evaluations)
                .where(evaluations.c.owner == self.owner, evaluations.c.state == "running")
                .values(heard=time.time())
            )

    def results(self) -> dict[Architecture, Result]:
        """All that is done or failed, in the order in which it was begun."""
        found: dict[Architecture, Result] = {}
        with self._engine.connect() as connection:
            query = (
                sa.select(evaluations)
                .where(evaluations.c.study == self._study, evaluations.c.state != "running")
                .order_by(evaluations.c.number)
            )
            for row in connection.execute(query):
                metrics = None if row.state == "failed" else json.loads(row.metrics)
                architecture = parse_architecture(self.space, json.loads(row.arch))
                found[architecture] = Result(metrics, row.reason, row.seconds)
        return found

    def counts(self) -> dict[str, int]:
        """How many are running, done and failed."""
        query = (
            sa.select(evaluations.c.state, sa.func.count())
            .where(evaluations.c.study == self._study)
            .group_by(evaluations.c.state)
        )
        with self._engine.connect() as connection:
            found = {state: int(count) for state, count in connection.execute(query)}
        return {state: found.get(state, 0) for state in ("running", "done", "failed")}

    def table(self) -> Table:
        """All that is done, as a table to learn from.

        Raises
        ------
        NasbuildError
            If nothing is done.
        """
        done = {a: r.metrics for a, r in self.results().items() if r.metrics is not None}
        if not done:
            raise NasbuildError("holds no finished evaluation", where=f"store {without_password(self.url)}")
        return evaluated_table(self.space, done)

    def take_in(self, table: Table) -> int:
        """Write a table's rows as evaluations that are done; returns how many were not known before."""
        new = self.claim(table.architectures, again=True)
        rows = [table.row_of[architecture] for architecture in new]
        told = [Result({n: float(v[row]) for n, v in table.columns.items()}) for row in rows]
        self.finish_all(list(zip(new, told, strict=True)))
        return len(new)

    def close(self) -> None:
        """Give connections back."""
        self._engine.dispose()

    def _key(self, architecture: Architecture) -> str:
        return hashlib.sha256(
            f"{self._study}\n{architecture_id(self.space, architecture)}".encode()
        ).hexdigest()


def _versions() -> dict[str, str]:
    return {"nasbuild": __version__, "python": platform.python_version()}


def _plain(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
