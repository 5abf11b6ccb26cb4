"""Evaluations of the loop: waits for other processes, and repeats architectures with other seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nasbuild.evaluate import Executor, Result, Spec, Store, evaluate_all
from nasbuild.optimize._race import Repeat
from nasbuild.space import Architecture

OTHER = 10_000
"""Distance between the seeds of repetitions: seed + 10,000, seed + 20,000, and so on."""
_WAIT = 1.0  # seconds between polls of evaluations in another process

Progress = Callable[[str, int, int, str], None]
"""Called with the current activity, the number done, the total, and a note."""


def evaluated(
    spec: Spec,
    wanted: Sequence[Architecture],
    store: Store,
    executor: Executor | None,
    again: bool,
    progress: Callable[[int, int], None],
    *,
    renew: bool = False,
) -> dict[Architecture, Result]:
    """Evaluates architectures, and waits for those that another process is evaluating."""
    while True:
        results = evaluate_all(
            spec,
            wanted,
            store,
            executor=executor,
            retry_failed=again,
            renew_outdated=renew,
            progress=lambda done, _, failed: progress(done, failed),
        )
        if len(results) == len(wanted):
            return results
        again = False
        time.sleep(_WAIT)


def repeating(
    spec: Spec,
    store: Store,
    n: int,
    executor: Executor | None = None,
    again: bool = False,
    progress: Progress = lambda *_: None,
) -> Repeat:
    """Makes the function that repeats evaluations with other seeds.

    Each seed has a study of its own in the store's database.

    Parameters
    ----------
    n
        Planned number of repetitions, for the progress.
    """
    done = 0

    def repeat(number: int, architectures: Sequence[Architecture]) -> Mapping[Architecture, Result]:
        nonlocal done
        other = replace(spec, seed=spec.seed + OTHER * number)
        kept = store.with_seed(other.seed)

        def move(now: int, _: int) -> None:
            progress("repeating the best", done + now, n, f"seed {other.seed}")

        try:
            results = evaluated(other, architectures, kept, executor, again, move)
        finally:
            kept.close()
        done += len(architectures)
        return results

    return repeat
