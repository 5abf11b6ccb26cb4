"""Progress of a notebook's calls: a bar that goes away, drawn by rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[str, int, int], None]
"""Called with the current activity, how much of it is done, and the total."""


@contextmanager
def reporting(progress: bool | Report) -> Iterator[Report]:
    """What to call: a bar for each activity if True, nothing if False, else ``progress`` itself."""
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield lambda *_: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield move
