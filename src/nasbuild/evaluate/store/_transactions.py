"""Transactions that wait for a store that is locked or away; all that is asked of a database goes through here."""

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
from nasbuild.evaluate.store._faults import Fault, StoreError, cause_of, fault_of, store_error

PATIENCE = 120.0
"""Seconds for which a server that is away is tried again."""
_LOCKED = 60.0  # seconds for which a locked file is tried again, at most
_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds

Answer = TypeVar("Answer")


class Transactions:
    """A database that is opened, and opened anew where its connection broke.

    Parameters
    ----------
    name
        Of the store, for messages.
    patience
        Seconds for which it is tried again when it is locked or away.
    tell
        Takes sentences for the user.

    Raises
    ------
    NasbuildError
        If there is no driver for it.
    """

    def __init__(self, url: sa.URL, name: str, patience: float, tell: Callable[[str], object]) -> None:
        self.name, self.patience, self.tell = name, patience, tell
        try:
            self._engine = open_engine(url)
        except (exc.SQLAlchemyError, ImportError) as error:
            raise self._unopened(error) from error

    def prepare(self) -> None:
        """Make the tables where they are missing.

        Raises
        ------
        NasbuildError
            If it can't be reached, or its tables are none of ours.
        """
        try:
            # A server that can't be reached now may be none at all.
            self.run(lambda connection: prepare_schema(connection, self.name), patience={Fault.AWAY: 0.0})
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, exc.SQLAlchemyError) and fault_of(cause) in (Fault.AWAY, Fault.OTHER):
                raise self._unopened(cause) from error
            raise

    def run(
        self, work: Callable[[sa.Connection], Answer], *, patience: Mapping[Fault, float] | None = None
    ) -> Answer:
        """A transaction, which may be tried more than once.

        Parameters
        ----------
        patience
            Seconds by kind of fault, where they are other ones.

        Raises
        ------
        StoreError
            If it can't be done.
        """
        most = {Fault.LOCKED: min(_LOCKED, self.patience), Fault.AWAY: self.patience, **(patience or {})}
        began, pause, told = time.monotonic(), _PAUSE, False
        while True:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except exc.SQLAlchemyError as error:
                fault, waited = fault_of(error), time.monotonic() - began
                if fault not in (Fault.LOCKED, Fault.AWAY) or waited >= most[fault]:
                    raise store_error(self.name, fault, cause_of(error), waited=waited) from error
                if not told and waited + pause > 1:
                    told = True
                    self.tell(f"store {self.name} {fault.value}: trying again for {most[fault]:.0f} s")
            except (UnicodeError, sqlite3.Error) as error:
                raise store_error(self.name, Fault.DAMAGED, cause_of(error)) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Give connections back."""
        self._engine.dispose()

    def _unopened(self, error: BaseException) -> NasbuildError:
        return NasbuildError(
            f"can't be opened ({cause_of(error)})", where=f"store {self.name}", allowed=ALLOWED
        )
