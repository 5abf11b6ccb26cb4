"""Stores results of evaluations in a database, so that none is lost or repeated."""

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
from nasbuild.evaluate.store._address import check_file, display_name, store_url
from nasbuild.evaluate.store._claims import claim_rows, is_outdated
from nasbuild.evaluate.store._database import chunks, evaluations, server_time
from nasbuild.evaluate.store._errors import Fault, StoreError
from nasbuild.evaluate.store._owner import is_abandoned, owner_name
from nasbuild.evaluate.store._read_rows import describe_arch, read_arch, read_row
from nasbuild.evaluate.store._transactions import PATIENCE, Transactions
from nasbuild.evaluate.store._write_rows import (
    count_text,
    finish_rows,
    insert_pending,
    result_row,
    save_pending,
)
from nasbuild.space import Architecture, Space, architecture_id, space_to_dict, to_dict
from nasbuild.table import Table, table_from_evaluations

_VERSIONS = json.dumps({"nasbuild": __version__, "python": platform.python_version()})
_HURRY = 1.0  # seconds of retries while the user waits for the end


class Store:
    """Evaluations by one evaluator with one seed in one space. A database holds many such studies.

    Processes on one store share the work: each claims evaluations before it runs them, and renews its lease by heartbeats.
    Evaluations of a dead process become claimable again. A database that is locked or unreachable is retried for a
    while. Completed results that can't be written are saved in a file beside the store, and imported when it is
    opened next.

    Parameters
    ----------
    place
        A path (SQLite), or ``sqlite:///...`` or ``postgresql+psycopg://...``.
    space, evaluator, seed
        Identify the study; results of other studies are not touched.
    patience
        Seconds of retries while the database is locked or unreachable.
    notify
        Called with messages for the user: that the store is being retried, that saved results were imported.

    Attributes
    ----------
    name
        The place without its password, for messages.
    database
        Runs the transactions.

    Raises
    ------
    NasbuildError
        If the database can't be opened, belongs to another program, is damaged, or has a newer version.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from nasbuild.evaluate import Result, Store
    >>> from nasbuild.space import load_space, sample
    >>> space = load_space("nas-bench-macro")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(f"{folder}/results.db", space, "train.py:measure")
    ...     first, second = store.claim(sample(space, 2, np.random.default_rng(0)))
    ...     store.finish(first, Result({"acc": 93.1}))
    ...     print(store.counts())
    ...     store.close()
    {'running': 1, 'done': 1, 'failed': 0}
    """

    def __init__(
        self,
        place: str | os.PathLike[str] | sa.URL,
        space: Space,
        evaluator: str,
        *,
        seed: int = 0,
        patience: float = PATIENCE,
        notify: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.space, self.evaluator, self.seed = space, evaluator, seed
        self.url, self.name = store_url(place), display_name(place)
        stages = json.dumps(space_to_dict(Space("", space.stages)), sort_keys=True)
        self._study = hashlib.sha256(f"{stages}\n{evaluator}\n{seed}".encode()).hexdigest()
        self.owner = owner_name()
        self._held: set[str] = set()
        check_file(self.url, self.name)
        self.database = Transactions(self.url, self.name, patience, notify)
        self._run = self.database.run
        try:
            self.database.prepare()
            imported = _pending.consume(self.url, lambda rows: self._run(lambda c: insert_pending(c, rows)))
            for path, count in imported.items():
                notify(f"imported {count_text(count)} from {path}, which the store could not take before")
        except BaseException:
            self.close()
            raise

    def with_seed(self, seed: int) -> Store:
        """The study with another seed in the same database.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> again = store.with_seed(1)
        >>> len(store.claim([first])), len(again.claim([first]))
        (1, 1)
        >>> store.close()
        >>> again.close()
        """
        return Store(
            self.url,
            self.space,
            self.evaluator,
            seed=seed,
            patience=self.database.patience,
            notify=self.database.notify,
        )

    def claim(
        self,
        architectures: Sequence[Architecture],
        *,
        retry_failed: bool = False,
        renew_outdated: bool = False,
        code: str | None = None,
    ) -> list[Architecture]:
        """Claim architectures for this process; returns those that are neither completed nor running elsewhere.

        Evaluations of a dead process become claimable again: at once if it ran on this machine, otherwise
        `LEASE_SECONDS` after its last heartbeat.

        Parameters
        ----------
        retry_failed
            Claim failed evaluations, too.
        renew_outdated
            Claim evaluations whose result was produced by other code, too.
        code
            Checksum of the evaluator's current code, stored with the results.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> store.claim([first, second]) == [first, second]
        True
        >>> store.finish(first, Result(None, "out of memory"))
        >>> store.claim([first]), store.claim([first], retry_failed=True) == [first]
        ([], True)
        >>> store.close()
        """
        keys = {self._key(a): a for a in architectures}
        claim = {"state": "running", "owner": self.owner, "versions": _VERSIONS, "code": code}
        rows = [{**self._row(key, architecture), **claim} for key, architecture in keys.items()]
        options = {"retry_failed": retry_failed, "renew_outdated": renew_outdated}
        claimed = self._run(lambda c: claim_rows(c, rows, **options, held=self._held))
        self._held |= claimed
        return [architecture for key, architecture in keys.items() if key in claimed]

    def finish(self, architecture: Architecture, result: Result) -> None:
        """Write a result; on return it is safe from a crash of the process. Raises like `finish_all`.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> store.claim([first]) == [first]
        True
        >>> store.finish(first, Result({"acc": 93.1}))
        >>> store.results()[first].metrics
        {'acc': 93.1}
        >>> store.close()
        """
        self.finish_all([(architecture, result)])

    def finish_all(self, results: Sequence[tuple[Architecture, Result]], *, code: str | None = None) -> None:
        """Write several results: all of them, or none if the process dies meanwhile.

        Parameters
        ----------
        code
            Checksum of the evaluator's code, for results that have to be saved beside the store.

        Raises
        ------
        StoreError
            If they can't be written. They are saved in a file that the error names, and imported by the next `Store`.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> claimed = store.claim([first, second])
        >>> store.finish_all([(architecture, Result({"acc": 93.1})) for architecture in claimed])
        >>> store.counts()["done"]
        2
        >>> store.close()
        """
        if not results:
            return
        rows = [result_row(result, self._row(self._key(a), a)) for a, result in results]
        try:
            self._run(lambda c: finish_rows(c, rows))
        except StoreError as error:
            pending = [{**row, "versions": _VERSIONS, "code": code} for row in rows]
            raise save_pending(error, self.url, pending) from error.__cause__
        self._held -= {row["key"] for row in rows}

    def release(self, architectures: Iterable[Architecture]) -> None:
        """Release claims that were not started, without many retries.

        Raises
        ------
        StoreError
            If the store can't be written.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> store.release(store.claim([first]))
        >>> store.counts()["running"]
        0
        >>> store.close()
        """
        keys = [self._key(a) for a in architectures]

        def delete(connection: sa.Connection) -> None:
            for part in chunks(keys):
                connection.execute(
                    sa.delete(evaluations).where(
                        evaluations.c.key.in_(part),
                        evaluations.c.state == "running",
                        evaluations.c.owner == self.owner,
                    )
                )

        if keys:
            self._run(delete, patience=dict.fromkeys(Fault, _HURRY))
            self._held -= set(keys)

    def heartbeat(self) -> None:
        """Renew the lease of this process.

        Raises
        ------
        StoreError
            If the store can't be written; there are no retries.
        """

        def beat(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(evaluations)
                .where(evaluations.c.owner == self.owner, evaluations.c.state == "running")
                .values(heard=server_time(connection)[0])
            )

        self._run(beat, patience=dict.fromkeys(Fault, 0.0))

    def results(self) -> dict[Architecture, Result]:
        """All completed and failed evaluations, in the order of their start.

        Raises
        ------
        StoreError
            If a row is damaged. The message names it and says how to recover the others.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> store.finish_all([(a, Result(None, "out of memory")) for a in store.claim([first])])
        >>> [result.reason for result in store.results().values()]
        ['out of memory']
        >>> store.close()
        """
        query = (
            sa.select(evaluations)
            .where(evaluations.c.study == self._study, evaluations.c.state != "running")
            .order_by(evaluations.c.number)
        )
        found: dict[Architecture, Result] = {}
        for row in self._run(lambda c: [dict(r._mapping) for r in c.execute(query)]):
            architecture, result = read_row(self.space, self._key, row, self.name)
            found[architecture] = result
        return found

    def outdated(self, code: str | None) -> list[Architecture]:
        """Architectures whose result was produced by other code of the evaluator than ``code``.

        Examples
        --------
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> store.finish_all([(a, Result({"acc": 93.1})) for a in store.claim([first], code="old")])
        >>> store.outdated("new") == [first]
        True
        >>> store.close()
        """
        return [a for a, result in self.results().items() if is_outdated(result.code, code)]

    def interrupted(self) -> list[str]:
        """Ids of the architectures that a process was evaluating when it died, here or elsewhere."""
        return [describe_arch(self.space, arch) for arch, abandoned in self._running() if abandoned]

    def claimed(self) -> dict[Architecture, bool]:
        """Claimed architectures in the order of their first claim, and whether their process has ended."""
        return {
            architecture: abandoned
            for arch, abandoned in self._running()
            if (architecture := read_arch(self.space, arch)) is not None
        }

    def abandon(self) -> None:
        """Let other processes claim what this one has claimed and not finished; the claims keep their order."""

        def give_up(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(evaluations)
                .where(evaluations.c.owner == self.owner, evaluations.c.state == "running")
                .values(owner=None, heard=None)
            )

        self._run(give_up, patience=dict.fromkeys(Fault, _HURRY))
        self._held.clear()

    def _running(self) -> list[tuple[object, bool]]:
        """Plain data of each claimed architecture, and whether the process that claimed it has ended."""
        c = evaluations.c
        query = sa.select(c.arch, c.owner, c.heard).where(c.study == self._study, c.state == "running")

        def read(connection: sa.Connection) -> tuple[Sequence[Any], float, float]:
            return (connection.execute(query.order_by(c.number)).all(), *server_time(connection))

        rows, now, up_since = self._run(read)
        return [(arch, is_abandoned(owner, heard, now, up_since)) for arch, owner, heard in rows]

    def counts(self) -> dict[str, int]:
        """Number of running, done and failed evaluations."""
        query = (
            sa.select(evaluations.c.state, sa.func.count())
            .where(evaluations.c.study == self._study)
            .group_by(evaluations.c.state)
        )
        found = {state: int(count) for state, count in self._run(lambda c: c.execute(query).all())}
        return {state: found.get(state, 0) for state in ("running", "done", "failed")}

    def table(self) -> Table:
        """All completed evaluations, as a table to learn from.

        Raises
        ------
        NasbuildError
            If none is completed.

        Examples
        --------
        >>> store = Store("runs.db", space, "digits-macro")
        >>> store.finish_all([(a, Result({"acc": 93.1})) for a in store.claim([first, second])])
        >>> len(store.table())
        2
        >>> store.close()
        """
        done = {a: r.metrics for a, r in self.results().items() if r.metrics is not None}
        if not done:
            raise NasbuildError("holds no completed evaluation", where=f"store {self.name}")
        return table_from_evaluations(self.space, done)

    def import_table(self, table: Table) -> int:
        """Write a table's rows as completed evaluations; returns the number of new ones.

        Examples
        --------
        >>> from nasbuild.table import load_builtin
        >>> store = Store("runs.db", space, "train.py:measure")
        >>> table = load_builtin("digits-macro").select(range(30))
        >>> store.import_table(table), store.import_table(table)
        (30, 0)
        >>> store.close()
        """
        new = self.claim(table.architectures, retry_failed=True)
        rows = [table.row_of[architecture] for architecture in new]
        results = [Result({n: float(v[row]) for n, v in table.columns.items()}) for row in rows]
        self.finish_all(list(zip(new, results, strict=True)))
        return len(new)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def _row(self, key: str, architecture: Architecture) -> dict[str, Any]:
        """The columns that describe an evaluation, without its claim and result."""
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
