"""Shared by the scripts that make the built-in tables: progress lines, stored results, rounding."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nasbuild.evaluate import Executor, InProcess, Result, Spec, Store, evaluate_all
from nasbuild.space import Architecture

Progress = Callable[[str, int, int], None]
"""Called with the current step, and its completed and total work."""


class ProgressLines:
    """Reports progress in lines: at the start of a step, every minute, and at its end.

    Parameters
    ----------
    write_line
        Called with each line.
    """

    def __init__(self, write_line: Callable[[str], object]) -> None:
        self.write_line, self.step, self.last = write_line, "", 0.0

    def __call__(self, text: str, done: int, total: int) -> None:
        now = time.monotonic()
        # Figures in parentheses, such as a loss, change from line to line.
        step = text.partition(" (")[0]
        if step == self.step and now - self.last < 60 and done < total:
            return
        self.step, self.last = step, now
        self.write_line(f"{text}: {done:,} of {total:,}")


def stored_results(
    path: Path,
    spec: Spec,
    evaluator: str,
    architectures: Sequence[Architecture],
    progress: Progress,
    step: str,
    executor: Executor | None = None,
) -> dict[Architecture, Result]:
    """Results of architectures, from the store at ``path`` or evaluated now, failures included.

    Parameters
    ----------
    evaluator
        Name of the evaluator in the store.
    step
        Name of the step for ``progress``.
    """
    store = Store(path, spec.space, evaluator, seed=spec.seed)
    try:
        return evaluate_all(
            spec,
            architectures,
            store,
            executor=executor or InProcess(),
            progress=lambda done, total, _: progress(step, done, total),
        )
    finally:
        store.close()


def rounded(value: float | None) -> float | None:
    """The value to six digits, since more are noise and enlarge a table. Whole numbers stay exact."""
    return None if value is None else value if value == int(value) else float(f"{value:.6g}")
