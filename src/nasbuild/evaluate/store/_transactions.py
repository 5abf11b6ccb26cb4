"""Runs all transactions of a store, and retries while it is locked or unreachable."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.store._address import ALLOWED
from nasbuild.evaluate.store._database import open_engine, prepare_schema
from nasbuild.evaluate.store._errors import Fault, StoreError, classify_error, error_text, store_error

PATIENCE = 120.0
"""Seconds for which an unreachable server is retried."""
_MAX_LOCKED = 60.0  # seconds for which a locked file is retried at most
_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds

Answer = TypeVar("Answer")


class Transactions:
    """Runs transactions on a database, and reopens broken connections.

    Parameters
    ----------
    name
        Name of the store, for messages.
    patience
        Seconds of retries while the database is locked or unreachable.
    notify
        Called with messages for the user.

    Raises
    ------
    NasbuildError
        If the database driver is not installed.
    """

    def __init__(self, url: sa.URL, name: str, patience: float, notify: Callable[[str], object]) -> None:
        self.name, self.patience, self.notify = name, patience, notify
        try:
            self._engine = open_engine(url)
        except (exc.SQLAlchemyError, ImportError) as error:
            raise self._unopened(error) from error

    def prepare(self) -> None:
        """Create the tables if they are missing.

        Raises
        ------
        NasbuildError
            If the database can't be reached, or belongs to another program.
        """
        try:
            # Not retried: the address may be wrong.
            self.run(
                lambda connection: prepare_schema(connection, self.name), patience={Fault.UNREACHABLE: 0.0}
            )
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, exc.SQLAlchemyError) and classify_error(cause) in (
                Fault.UNREACHABLE,
                Fault.OTHER,
            ):
                raise self._unopened(cause) from error
            raise

    def run(
        self, work: Callable[[sa.Connection], Answer], *, patience: Mapping[Fault, float] | None = None
    ) -> Answer:
        """Run a transaction, repeatedly if need be.

        Parameters
        ----------
        patience
            Seconds of retries by kind of fault, where they differ from the default.

        Raises
        ------
        StoreError
            If the transaction fails for good.
        """
        most = {
            Fault.LOCKED: min(_MAX_LOCKED, self.patience),
            Fault.UNREACHABLE: self.patience,
            **(patience or {}),
        }
        began, pause, notified = time.monotonic(), _PAUSE, False
        while True:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except exc.SQLAlchemyError as error:
                fault, waited = classify_error(error), time.monotonic() - began
                if fault not in (Fault.LOCKED, Fault.UNREACHABLE) or waited >= most[fault]:
                    raise store_error(self.name, fault, error_text(error), waited=waited) from error
                if not notified and waited + pause > 1:
                    notified = True
                    self.notify(f"store {self.name} {fault.value}: retrying for {most[fault]:.0f} s")
            except (UnicodeError, sqlite3.Error) as error:
                raise store_error(self.name, Fault.DAMAGED, error_text(error)) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _unopened(self, error: BaseException) -> NasbuildError:
        return NasbuildError(
            f"can't be opened ({error_text(error)})", where=f"store {self.name}", allowed=ALLOWED
        )
