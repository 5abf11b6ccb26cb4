"""Renews the claims of this process while it evaluates."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.store._owner import LEASE_SECONDS

if TYPE_CHECKING:
    from nasbuild.evaluate.store._store import Store


class Heartbeats:
    """Renews the leases of a store's claims four times per lease, in a thread, until it is stopped.

    Examples
    --------
    >>> from nasbuild.evaluate import Heartbeats
    >>> store = Store("beats.db", space, "my-evaluator")
    >>> with Heartbeats(store):
    ...     claimed = store.claim([first])  # stays claimed while the block runs
    >>> store.close()
    """

    def __init__(self, store: Store) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=_beat, args=(store, self._stopped), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._stopped.set()
        self._thread.join()

    def __enter__(self) -> Heartbeats:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _beat(store: Store, stopped: threading.Event) -> None:
    while not stopped.wait(LEASE_SECONDS / 4):
        # A store that is unreachable now may be back for the next heartbeat.
        with contextlib.suppress(NasbuildError):
            store.heartbeat()
