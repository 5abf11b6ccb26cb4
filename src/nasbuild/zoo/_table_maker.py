"""What the makers of shipped tables have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nasbuild.evaluate import Executor, InProcess, Result, Spec, Store, evaluate_all
from nasbuild.space import Architecture

Progress = Callable[[str, int, int], None]
"""Called with what is under way, and how much of it is done and wanted."""


class StepLines:
    """Tells a step by lines: at its begin, every minute and at its end.

    Parameters
    ----------
    say
        Takes each line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self.say, self.what, self.last = say, "", 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        # What stands in brackets, such as a loss, changes from line to line.
        step = what.partition(" (")[0]
        if step == self.what and now - self.last < 60 and done < total:
            return
        self.what, self.last = step, now
        self.say(f"{what}: {done:,} of {total:,}")


def kept_results(
    path: Path,
    spec: Spec,
    evaluator: str,
    architectures: Sequence[Architecture],
    progress: Progress,
    what: str,
    executor: Executor | None = None,
) -> dict[Architecture, Result]:
    """Results of architectures, of the store at ``path`` or evaluated now; those that failed among them.

    Parameters
    ----------
    evaluator
        Its name in the store.
    what
        Said of it while it is under way.
    """
    store = Store(path, spec.space, evaluator, seed=spec.seed)
    try:
        return evaluate_all(
            spec,
            architectures,
            store,
            executor=executor or InProcess(),
            progress=lambda done, total, _: progress(what, done, total),
        )
    finally:
        store.close()


def rounded(value: float | None) -> float | None:
    """Six digits: more are noise and make a table large. Counts stay whole."""
    return None if value is None else value if value == int(value) else float(f"{value:.6g}")
