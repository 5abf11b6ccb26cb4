"""Evaluate architectures into a store: what is known is not repeated, what comes is kept as it comes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from nasbuild.evaluate._owner import LEASE
from nasbuild.evaluate._protocol import Result
from nasbuild.evaluate._store import Store
from nasbuild.evaluate._work import Executor, InProcess, Spec
from nasbuild.space import Architecture

Progress = Callable[[int, int, int], None]
"""Called with what is known by now, how many are wanted, and how many failed."""


def evaluate_all(
    spec: Spec,
    architectures: Sequence[Architecture],
    store: Store,
    *,
    executor: Executor | None = None,
    again: bool = False,
    progress: Progress = lambda *_: None,
) -> dict[Architecture, Result]:
    """Results of all architectures, from the store or evaluated now, each written as it ends.

    Another process on the same store may evaluate some of them meanwhile: these are left to it, and are
    missing from what is returned if they are not done at the end.

    Parameters
    ----------
    again
        Evaluate those that failed once more.
    """
    wanted = list(dict.fromkeys(architectures))
    known = store.results()
    done = {a: r for a, r in known.items() if r.metrics is not None or not again}
    left = iter([a for a in wanted if a not in done])
    under_way: set[Architecture] = set()

    def take(count: int) -> list[Architecture]:
        taken: list[Architecture] = []
        while len(taken) < count:
            batch = list(islice(left, count - len(taken)))
            if not batch:
                break
            taken += store.claim(batch, again=again)
        under_way.update(taken)
        return taken

    results = {a: done[a] for a in wanted if a in done}
    failed = sum(r.metrics is None for r in results.values())
    progress(len(results), len(wanted), failed)
    try:
        with _heard_of(store):
            for ended in (executor or InProcess()).run(spec, take):
                store.finish_all(ended)
                for architecture, result in ended:
                    under_way.discard(architecture)
                    results[architecture] = result
                    failed += result.metrics is None
                    progress(len(results), len(wanted), failed)
    finally:
        store.release(under_way)
    found = store.results()
    return {a: found[a] for a in wanted if a in found}


@contextlib.contextmanager
def _heard_of(store: Store) -> Iterator[Any]:
    """Tell others now and then that this process lives."""
    stopped = threading.Event()

    def tell() -> None:
        while not stopped.wait(LEASE / 4):
            store.heartbeat()

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
