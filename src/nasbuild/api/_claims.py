"""What an optimizer has asked for: claimed in the store, and kept alive."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Heartbeats, Result, Store
from nasbuild.space import Architecture


class Claims:
    """What an optimizer has claimed in its store, kept alive by heartbeats until it is told."""

    def __init__(self, store: Store, folder: str | None) -> None:
        self._store, self._folder = store, folder
        self._held: set[Architecture] = set()
        self._heartbeats: Heartbeats | None = None

    def claim(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        claimed = self._store.claim(architectures)
        self._held.update(claimed)
        if self._held and self._heartbeats is None:
            self._heartbeats = Heartbeats(self._store)
        return claimed

    def finish(self, results: Sequence[tuple[Architecture, Result]]) -> None:
        # What was not asked for here needs a row to be written to.
        self._store.claim([a for a, _ in results if a not in self._held])
        self._store.finish_all(results)
        self._held.difference_update(a for a, _ in results)
        if not self._held:
            self._stop()

    def release(self, architectures: Sequence[Architecture]) -> None:
        self._store.release(architectures)
        self._held.difference_update(architectures)

    def close(self) -> None:
        self._stop()
        with suppress(NasbuildError):
            self._store.abandon()
        self._store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _stop(self) -> None:
        if self._heartbeats is not None:
            self._heartbeats.stop()
            self._heartbeats = None
