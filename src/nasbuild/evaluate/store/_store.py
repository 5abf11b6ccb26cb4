"""What was evaluated, kept in a database: nothing is lost, and nothing is evaluated twice."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from nasbuild._version import __version__
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.store import _pending
from nasbuild.evaluate.store._address import address_of, check_file, shown
from nasbuild.evaluate.store._claims import claimed, is_outdated
from nasbuild.evaluate.store._database import chunks, clock, evaluations
from nasbuild.evaluate.store._faults import Fault, StoreError
from nasbuild.evaluate.store._owner import is_lost, owner_name
from nasbuild.evaluate.store._results import (
    counted_results,
    finish_rows,
    keep_beside,
    result_row,
    take_in_rows,
)
from nasbuild.evaluate.store._rows import read_row, shown_arch
from nasbuild.evaluate.store._transactions import PATIENCE, Transactions
from nasbuild.space import Architecture, Space, architecture_id, space_to_dict, to_dict
from nasbuild.table import Table, table_from_evaluations

_VERSIONS = json.dumps({"nasbuild": __version__, "python": platform.python_version()})
_HURRY = 1.0  # seconds of patience where the user waits for the end


class Store:
    """Evaluations by one evaluator with one seed in one space; a database holds many such studies.

    What another process holds locked, or a server that is away, is tried again for a while. What was finished and can't be
    written then is kept in a file beside the store, and taken in when the store is opened next.

    Parameters
    ----------
    place
        A path (SQLite), or ``sqlite:///...`` or ``postgresql+psycopg://...``.
    space, evaluator, seed
        What is evaluated, and how: another evaluator's results are not touched.
    patience
        Seconds for which a store that is locked or away is tried again.
    tell
        Takes sentences for the user: that the store is waited for, that kept results were taken in.

    Attributes
    ----------
    name
        The place as it may be shown, without a password.
    database
        Its transactions.

    Raises
    ------
    NasbuildError
        If the database can't be opened, holds something else, is damaged, or a newer version wrote it.
    """

    def __init__(
        self,
        place: str | os.PathLike[str] | sa.URL,
        space: Space,
        evaluator: str,
        *,
        seed: int = 0,
        patience: float = PATIENCE,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.space, self.evaluator, self.seed = space, evaluator, seed
        self.url, self.name = address_of(place), shown(place)
        stages = json.dumps(space_to_dict(Space("", space.stages)), sort_keys=True)
        self._study = hashlib.sha256(f"{stages}\n{evaluator}\n{seed}".encode()).hexdigest()
        self.owner = owner_name()
        self._held: set[str] = set()
        check_file(self.url, self.name)
        self.database = Transactions(self.url, self.name, patience, tell)
        self._run = self.database.run
        try:
            self.database.prepare()
            taken = _pending.take_in(self.url, lambda rows: self._run(lambda c: take_in_rows(c, rows)))
            for path, count in taken.items():
                tell(f"{counted_results(count)} that the store could not take before: taken in from {path}")
        except BaseException:
            self.close()
            raise

    def sibling(self, seed: int) -> Store:
        """The study of another seed in the same database."""
        return Store(
            self.url,
            self.space,
            self.evaluator,
            seed=seed,
            patience=self.database.patience,
            tell=self.database.tell,
        )

    def claim(
        self,
        architectures: Sequence[Architecture],
        *,
        again: bool = False,
        renew: bool = False,
        code: str | None = None,
    ) -> list[Architecture]:
        """Those that are this process' to evaluate now: neither done nor under way anywhere.

        What a process was at when it died is free again: at once if it was on this machine, after `LEASE`
        seconds elsewhere.

        Parameters
        ----------
        again
            Claim those that failed, too.
        renew
            Claim those that other code told, too.
        code
            Of the evaluator now, kept with what it tells (`code_of`).
        """
        keys = {self._key(a): a for a in architectures}
        mine = {"state": "running", "owner": self.owner, "versions": _VERSIONS, "code": code}
        rows = [{**self._row(key, architecture), **mine} for key, architecture in keys.items()]
        taken = self._run(lambda c: claimed(c, rows, again=again, renew=renew, held=self._held))
        self._held |= taken
        return [architecture for key, architecture in keys.items() if key in taken]

    def finish(self, architecture: Architecture, result: Result) -> None:
        """Write what came of an evaluation; on return it is safe from a crash of the process."""
        self.finish_all([(architecture, result)])

    def finish_all(self, results: Sequence[tuple[Architecture, Result]], *, code: str | None = None) -> None:
        """Write what came of several evaluations: all of them, or none if the process dies in it.

        Parameters
        ----------
        code
            Of the evaluator, for the case that the results have to be kept elsewhere.

        Raises
        ------
        StoreError
            If they can't be written; they are kept in a file that the error names, and taken in by the next `Store`.
        """
        if not results:
            return
        rows = [result_row(result, self._row(self._key(a), a)) for a, result in results]
        try:
            self._run(lambda c: finish_rows(c, rows))
        except StoreError as error:
            kept = [{**row, "versions": _VERSIONS, "code": code} for row in rows]
            raise keep_beside(error, self.url, kept) from error.__cause__
        self._held -= {row["key"] for row in rows}

    def release(self, architectures: Iterable[Architecture]) -> None:
        """Give back what was claimed and not begun, without patience for a store that can't be had."""
        keys = [self._key(a) for a in architectures]

        def give_back(connection: sa.Connection) -> None:
            for part in chunks(keys):
                connection.execute(
                    sa.delete(evaluations).where(
                        evaluations.c.key.in_(part),
                        evaluations.c.state == "running",
                        evaluations.c.owner == self.owner,
                    )
                )

        if keys:
            self._run(give_back, patience=dict.fromkeys(Fault, _HURRY))
            self._held -= set(keys)

    def heartbeat(self) -> None:
        """Tell other processes that this one lives."""

        def beat(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(evaluations)
                .where(evaluations.c.owner == self.owner, evaluations.c.state == "running")
                .values(heard=clock(connection)[0])
            )

        self._run(beat, patience=dict.fromkeys(Fault, 0.0))

    def results(self) -> dict[Architecture, Result]:
        """All that is done or failed, in the order in which it was begun.

        Raises
        ------
        StoreError
            If a row is damaged: naming it, and how the others are saved.
        """
        query = (
            sa.select(evaluations)
            .where(evaluations.c.study == self._study, evaluations.c.state != "running")
            .order_by(evaluations.c.number)
        )
        found: dict[Architecture, Result] = {}
        for row in self._run(lambda c: [dict(one._mapping) for one in c.execute(query)]):
            architecture, result = read_row(self.space, self._key, row, self.name)
            found[architecture] = result
        return found

    def outdated(self, code: str | None) -> list[Architecture]:
        """What other code of the evaluator told than it has now."""
        return [a for a, result in self.results().items() if is_outdated(result.code, code)]

    def interrupted(self) -> list[str]:
        """Ids of what a process was at when it died, here or elsewhere."""
        c = evaluations.c
        query = sa.select(c.arch, c.owner, c.heard).where(c.study == self._study, c.state == "running")

        def ask(connection: sa.Connection) -> tuple[Sequence[Any], float, float]:
            return (connection.execute(query.order_by(c.number)).all(), *clock(connection))

        rows, now, up = self._run(ask)
        return [shown_arch(self.space, arch) for arch, owner, heard in rows if is_lost(owner, heard, now, up)]

    def counts(self) -> dict[str, int]:
        """How many are running, done and failed."""
        query = (
            sa.select(evaluations.c.state, sa.func.count())
            .where(evaluations.c.study == self._study)
            .group_by(evaluations.c.state)
        )
        found = {state: int(count) for state, count in self._run(lambda c: c.execute(query).all())}
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
            raise NasbuildError("holds no finished evaluation", where=f"store {self.name}")
        return table_from_evaluations(self.space, done)

    def take_in(self, table: Table) -> int:
        """Write a table's rows as evaluations that are done; returns how many were not known before."""
        new = self.claim(table.architectures, again=True)
        rows = [table.row_of[architecture] for architecture in new]
        told = [Result({n: float(v[row]) for n, v in table.columns.items()}) for row in rows]
        self.finish_all(list(zip(new, told, strict=True)))
        return len(new)

    def close(self) -> None:
        """Give connections back."""
        self.database.close()

    def _row(self, key: str, architecture: Architecture) -> dict[str, Any]:
        """What a row tells of an evaluation before anything came of it."""
        return {
            "key": key,
            "study": self._study,
            "evaluator": self.evaluator,
            "seed": self.seed,
            "arch": json.dumps(to_dict(self.space, architecture)),
        }

    def _key(self, architecture: Architecture) -> str:
        return hashlib.sha256(
            f"{self._study}\n{architecture_id(self.space, architecture)}".encode()
        ).hexdigest()
