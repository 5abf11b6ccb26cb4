"""What the commands print: tables for people, JSON for machines, progress on the error stream."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import IO, Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nasbuild._records import json_text

_ENDS: list[contextlib.ExitStack] = []
"""What is undone when the command ends."""
_PLAIN_WIDTH = 160  # outside a terminal nothing tells the width; ids should stay on one line


_running: ContextVar[str] = ContextVar("command")


def begin(command: str) -> None:
    """Tell which command runs; its JSON bears the name."""
    _running.set(command)


class Report(Protocol):
    """Tells how far a part of the work is, and with ``note`` what it came to."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None: ...


class Output:
    """Prints either for people or, with ``as_json``, one JSON object at the end."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._machine = _guarded_stdout() if as_json else None
        width = None if sys.stdout.isatty() else _PLAIN_WIDTH
        self._console = Console(highlight=False, width=width, soft_wrap=False)

    def line(self, text: str = "", style: str | None = None) -> None:
        if not self.as_json:
            # Text, not markup: names come from the user's files and may hold square brackets.
            self._console.print(Text(text, style=style or ""), soft_wrap=True)

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()
    ) -> None:
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for position, name in enumerate(header):
            table.add_column(Text(name), justify="right" if position in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        self._console.print(table)

    def json(self, data: dict[str, Any]) -> None:
        """Print the result with the command's name; what it holds is in ``_schema.py`` and docs/json.md."""
        if self.as_json:
            text = json_text({"command": _running.get(), **data}, indent=1)
            print(text, file=self._machine, flush=True)

    def now(self, text: str) -> None:
        """A line on the error stream at once, whatever the form of the output."""
        print(text, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def progress(self, stopped: str = "stopped: nothing was written") -> Iterator[Report]:
        """A bar on a terminal, a line at every tenth elsewhere, nothing with ``--json``.

        An interrupt ends the program with the words of ``stopped``: results are written after the
        work, or whole parts of them during it, so there is nothing to undo.
        """
        try:
            with self._progress() as move:
                yield move
        except KeyboardInterrupt:
            print(stopped, file=sys.stderr)
            sys.exit(130)

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Report]:
        if self.as_json:
            yield _silent
        elif sys.stderr.isatty():
            columns = (
                TextColumn("{task.description:>8}"),
                BarColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
                tasks: dict[str, Any] = {}

                def move(what: str, done: int, total: int, note: str = "") -> None:
                    if what not in tasks:
                        tasks[what] = bar.add_task(what, total=total, note=note)
                    bar.update(tasks[what], completed=done, total=total, note=note)

                yield move
        else:
            yield _Lines()


@contextlib.contextmanager
def restoring_stdout() -> Iterator[None]:
    """What `Output` does to the output stream within is undone at the end."""
    with contextlib.ExitStack() as stack:
        _ENDS.append(stack)
        try:
            yield
        finally:
            _ENDS.pop()


def _guarded_stdout() -> IO[str]:
    """The output stream for JSON alone: until the command ends, all else that is printed goes to the error stream.

    That holds for what networks and evaluators of the user's print, and, as descriptors are exchanged, for native
    libraries and other processes.
    """
    machine = sys.stdout
    if not _ENDS:
        return machine
    machine.flush()
    try:
        number, error = machine.fileno(), sys.stderr.fileno()
    except (OSError, ValueError):
        # A stream without a descriptor, as of tests and notebooks.
        _ENDS[-1].enter_context(contextlib.redirect_stdout(sys.stderr))
        return machine
    kept = _ENDS[-1].enter_context(os.fdopen(os.dup(number), "w", encoding="utf-8"))
    os.dup2(error, number)

    def restore() -> None:
        machine.flush()
        os.dup2(kept.fileno(), number)

    _ENDS[-1].callback(restore)
    return kept


def _silent(what: str, done: int, total: int, note: str = "") -> None:
    pass


class _Lines:
    """Progress as plain lines, at most ten for each part."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > self._told.get(what, 0):
            self._told[what] = tenth
            print(f"{what} {10 * tenth} %{', ' * bool(note)}{note}", file=sys.stderr, flush=True)


def number(value: float) -> str:
    """Four significant digits, without an exponent where one is not needed."""
    if value != value:
        return "-"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3e}"
    digits = max(0, 4 - len(str(int(abs(value))))) if abs(value) >= 1 else 4
    return f"{value:,.{digits}f}"
