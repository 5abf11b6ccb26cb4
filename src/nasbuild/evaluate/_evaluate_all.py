"""Evaluates architectures into a store: reuses stored results and stores new ones as they complete."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import islice

from nasbuild.evaluate._result import Result
from nasbuild.evaluate.executors._executor import Completed, Executor, Spec
from nasbuild.evaluate.executors._pool import InProcess
from nasbuild.evaluate.store._claims import is_outdated
from nasbuild.evaluate.store._errors import StoreError
from nasbuild.evaluate.store._heartbeats import Heartbeats
from nasbuild.evaluate.store._store import Store
from nasbuild.space import Architecture

Progress = Callable[[int, int, int], None]
"""Called with the number of known results, of architectures, and of failures."""


def evaluate_all(
    spec: Spec,
    architectures: Sequence[Architecture],
    store: Store,
    *,
    executor: Executor | None = None,
    retry_failed: bool = False,
    renew_outdated: bool = False,
    progress: Progress = lambda *_: None,
) -> dict[Architecture, Result]:
    """Results of architectures, from the store or evaluated now. Each new result is stored as it completes.

    Another process on the same store may be evaluating some of them. These are left to that process, and are
    missing from the returned results if it has not completed them at the end.

    Parameters
    ----------
    spec
        The evaluator.
    architectures
        Duplicates are evaluated once.
    store
        Holds results of the same evaluator, space and seed.
    executor
        Where evaluations run; `InProcess` by default.
    retry_failed
        Evaluate failed architectures again.
    renew_outdated
        Evaluate again where the stored result was produced by other code of the evaluator.
    progress
        Called at the start and after each result.

    Raises
    ------
    NasbuildError
        If the evaluator can't be loaded.
    StoreError
        If the store can't be read or written. Running evaluations are completed first, and saved in a file beside the
        store until it is writable again.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from nasbuild.evaluate import Spec, Store, evaluate_all
    >>> from nasbuild.space import load_space, sample
    >>> space = load_space("digits-macro")
    >>> spec = Spec("digits-macro", space)  # looks architectures up in the built-in table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(f"{folder}/results.db", space, spec.name)
    ...     results = evaluate_all(spec, sample(space, 1, np.random.default_rng(0)), store)
    ...     store.close()
    >>> [result.metrics["params"] for result in results.values()]
    [6514.0]
    """
    wanted = list(dict.fromkeys(architectures))
    code = spec.load().code
    known = store.results()
    outdated = {a for a, r in known.items() if renew_outdated and is_outdated(r.code, code)}
    done = {
        a: r for a, r in known.items() if (r.metrics is not None or not retry_failed) and a not in outdated
    }
    remaining = iter([a for a in wanted if a not in done])
    running: set[Architecture] = set()
    faults: list[StoreError] = []

    def next_batch(count: int) -> list[Architecture]:
        taken: list[Architecture] = []
        while len(taken) < count and not faults:
            batch = list(islice(remaining, count - len(taken)))
            if not batch:
                break
            try:
                taken += store.claim(
                    batch, retry_failed=retry_failed, renew_outdated=renew_outdated, code=code
                )
            except StoreError as fault:
                faults.append(fault)
        running.update(taken)
        return taken

    def save(completed: Sequence[Completed]) -> None:
        try:
            store.finish_all(completed, code=code)
        except StoreError as fault:
            faults.append(fault)
            if len(running) > len(completed):
                store.database.notify(f"{fault}; evaluations that are running are completed first")
            store.database.patience = 0.0

    results = {a: done[a] for a in wanted if a in done}
    failed = sum(r.metrics is None for r in results.values())
    progress(len(results), len(wanted), failed)
    try:
        with Heartbeats(store), contextlib.closing((executor or InProcess()).run(spec, next_batch)) as runs:
            for completed in runs:
                save(completed)
                for architecture, result in completed:
                    running.discard(architecture)
                    results[architecture] = result
                    failed += result.metrics is None
                    progress(len(results), len(wanted), failed)
    finally:
        # Claims that can't be released now become claimable when this process has ended.
        with contextlib.suppress(StoreError):
            store.release(running)
    if faults:
        raise faults[-1]
    found = store.results()
    return {a: found[a] for a in wanted if a in found}
