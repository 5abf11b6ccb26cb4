"""Progress of a notebook's calls: a bar that goes away, drawn by the notebook or, on a terminal, by rich."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[str, int, int], None]
"""Called with the current activity, how much of it is done, and the total."""


@contextmanager
def reporting(progress: bool | Report) -> Iterator[Report]:
    """What to call: a bar for each activity if True, nothing if False, else ``progress`` itself."""
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield lambda *_: None
    elif _in_notebook():
        with _notebook_bars() as report:
            yield report
    else:
        with _terminal_bars() as report:
            yield report


def bars_html(tasks: dict[str, tuple[int, int]]) -> str:
    """A bar for each activity, with how much of it is done.

    Examples
    --------
    >>> bars_html({"fit": (3, 6)})
    '<div>fit <progress value="3" max="6"></progress> 3 of 6</div>'
    """
    return "".join(
        f'<div>{html.escape(what)} <progress value="{done}" max="{total}"></progress> {done} of {total}</div>'
        for what, (done, total) in tasks.items()
    )


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython  # pyright: ignore[reportMissingImports]

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


@contextmanager
def _notebook_bars() -> Iterator[Report]:
    # Rich needs a further package here, and warns without it.
    from IPython import display  # pyright: ignore[reportMissingImports]

    tasks: dict[str, tuple[int, int]] = {}
    shown: Any = display.display(display.HTML(""), display_id=True)

    def move(what: str, done: int, total: int) -> None:
        tasks[what] = done, total
        shown.update(display.HTML(bars_html(tasks)))

    try:
        yield move
    finally:
        shown.update(display.HTML(""))


@contextmanager
def _terminal_bars() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield move
