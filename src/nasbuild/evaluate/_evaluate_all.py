"""Evaluate architectures into a store: what is known is not repeated, what comes is kept as it comes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.executors._pool import InProcess
from nasbuild.evaluate.executors._work import Ended, Executor, Spec
from nasbuild.evaluate.store._claims import is_outdated
from nasbuild.evaluate.store._faults import StoreError
from nasbuild.evaluate.store._owner import LEASE
from nasbuild.evaluate.store._store import Store
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
    renew: bool = False,
    progress: Progress = lambda *_: None,
) -> dict[Architecture, Result]:
    """Results of all architectures, from the store or evaluated now, each written as it ends.

    Another process on the same store may evaluate some of them meanwhile: these are left to it, and are
    missing from what is returned if they are not done at the end.

    Parameters
    ----------
    again
        Evaluate those that failed once more.
    renew
        Evaluate once more what other code of the evaluator told.

    Raises
    ------
    StoreError
        If the store can't be read or written. What is under way by then is finished first, and kept beside the store
        as long as that can't take it.
    """
    wanted = list(dict.fromkeys(architectures))
    code = spec.load().code
    known = store.results()
    stale = {a for a, r in known.items() if renew and is_outdated(r.code, code)}
    done = {a: r for a, r in known.items() if (r.metrics is not None or not again) and a not in stale}
    left = iter([a for a in wanted if a not in done])
    under_way: set[Architecture] = set()
    faults: list[StoreError] = []

    def take(count: int) -> list[Architecture]:
        taken: list[Architecture] = []
        while len(taken) < count and not faults:
            batch = list(islice(left, count - len(taken)))
            if not batch:
                break
            try:
                taken += store.claim(batch, again=again, renew=renew, code=code)
            except StoreError as fault:
                faults.append(fault)
        under_way.update(taken)
        return taken

    def keep(ended: Sequence[Ended]) -> None:
        try:
            store.finish_all(ended, code=code)
        except StoreError as fault:
            faults.append(fault)
            more = len(under_way) - len(ended)
            if more:
                store.database.tell(f"{fault}; what else is under way is finished first")
            store.database.patience = 0.0

    results = {a: done[a] for a in wanted if a in done}
    failed = sum(r.metrics is None for r in results.values())
    progress(len(results), len(wanted), failed)
    try:
        with _heard_of(store), contextlib.closing((executor or InProcess()).run(spec, take)) as running:
            for ended in running:
                keep(ended)
                for architecture, result in ended:
                    under_way.discard(architecture)
                    results[architecture] = result
                    failed += result.metrics is None
                    progress(len(results), len(wanted), failed)
    finally:
        # What can't be given back is free when this process has ended.
        with contextlib.suppress(StoreError):
            store.release(under_way)
    if faults:
        raise faults[-1]
    found = store.results()
    return {a: found[a] for a in wanted if a in found}


@contextlib.contextmanager
def _heard_of(store: Store) -> Iterator[Any]:
    """Tell others now and then that this process lives."""
    stopped = threading.Event()

    def tell() -> None:
        while not stopped.wait(LEASE / 4):
            # A store that is away now may be back for the next one.
            with contextlib.suppress(NasbuildError):
                store.heartbeat()

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
