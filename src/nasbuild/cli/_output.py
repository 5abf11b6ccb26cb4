"""Prints what commands report: tables for people, JSON for programs, progress on the error stream."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import IO, Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nasbuild._records import json_text

_CLEANUPS: list[contextlib.ExitStack] = []
"""Callbacks that run when the command ends."""
_NARROWEST = 16  # a column that would be narrower is left to rich
_PLAIN_WIDTH = 160  # a file or a pipe has no width; ids should stay on one line


_running: ContextVar[str] = ContextVar("command")


def begin(command: str) -> None:
    """Sets the name of the running command, which its JSON output carries."""
    _running.set(command)


class ProgressCallback(Protocol):
    """Reports how many steps of a named part are done; ``note`` is a short result to show."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None: ...


class Output:
    """Prints text for people or, with ``as_json``, one JSON object at the end."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._machine = _guarded_stdout() if as_json else None
        self._wraps = sys.stdout.isatty()
        width = None if self._wraps else _PLAIN_WIDTH
        self._console = Console(highlight=False, width=width, soft_wrap=False)

    def line(self, text: str = "", style: str | None = None) -> None:
        """Prints a line; on a terminal it wraps between words, except for indented commands and ids."""
        if not self.as_json:
            indented = text.lstrip("\n").startswith("  ")
            # Text, not markup: names from the user's files may contain square brackets.
            self._console.print(Text(text, style=style or ""), soft_wrap=indented or not self._wraps)

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()
    ) -> None:
        """Prints a table; ``right`` are the indices of right-aligned columns."""
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for position, name in enumerate(header):
            table.add_column(Text(name), justify="right" if position in right else "left", overflow="fold")
        texts = [[str(cell) for cell in row] for row in rows]
        if self._wraps:
            texts = _folded(texts, [header, *texts], self._console.width)
        for row in texts:
            table.add_row(*map(Text, row))
        self._console.print(table)

    def json(self, data: dict[str, Any]) -> None:
        """Prints the result with the command's name; ``_json_schema.py`` defines its fields."""
        if self.as_json:
            text = json_text({"command": _running.get(), **data}, indent=1)
            print(text, file=self._machine, flush=True)

    def now(self, text: str) -> None:
        """Prints a line to the error stream immediately, with and without ``--json``."""
        print(text, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def progress(self, stopped: str = "stopped: nothing was written") -> Iterator[ProgressCallback]:
        """Shows a bar on a terminal, a line at every 10 % elsewhere, nothing with ``--json``.

        An interrupt prints ``stopped`` and exits. Commands write complete results only, so that there is nothing
        to clean up.
        """
        try:
            with self._progress() as move:
                yield move
        except KeyboardInterrupt:
            print(stopped, file=sys.stderr)
            sys.exit(130)

    @contextlib.contextmanager
    def _progress(self) -> Iterator[ProgressCallback]:
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
    """Restores the output stream, which `Output` may have redirected, at the end of the block."""
    with contextlib.ExitStack() as stack:
        _CLEANUPS.append(stack)
        try:
            yield
        finally:
            _CLEANUPS.pop()


def _guarded_stdout() -> IO[str]:
    """Returns the output stream for JSON alone; until the command ends, all other output goes to the error stream.

    This covers prints of the user's networks and evaluators. Because file descriptors are exchanged, it also covers
    native libraries and child processes.
    """
    machine = sys.stdout
    if not _CLEANUPS:
        return machine
    machine.flush()
    try:
        number, error = machine.fileno(), sys.stderr.fileno()
    except (OSError, ValueError):
        # A stream without a descriptor, as in tests and notebooks.
        _CLEANUPS[-1].enter_context(contextlib.redirect_stdout(sys.stderr))
        return machine
    kept = _CLEANUPS[-1].enter_context(os.fdopen(os.dup(number), "w", encoding="utf-8"))
    os.dup2(error, number)

    def restore() -> None:
        machine.flush()
        os.dup2(kept.fileno(), number)

    _CLEANUPS[-1].callback(restore)
    return kept


def _folded(rows: list[list[str]], whole: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Breaks the widest column of a table that is too wide: between modules of an id, or else between its layers."""
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    widest = max(range(len(widths)), key=widths.__getitem__)
    room = width - sum(widths) + widths[widest] - 2 * (len(widths) - 1)
    if room >= widths[widest] or room < _NARROWEST:
        return rows
    return [
        [_broken(cell, room) if column == widest else cell for column, cell in enumerate(row)] for row in rows
    ]


def _broken(text: str, width: int) -> str:
    lines = [""]
    for module in re.findall(r"[^/]+/?|/", text):
        parts = [module] if len(module) <= width else re.findall(r"[^-]+-?|-", module)
        for part in parts:
            if lines[-1] and len(lines[-1]) + len(part) > width:
                lines.append("")
            lines[-1] += part
    return "\n".join(lines)


def _silent(what: str, done: int, total: int, note: str = "") -> None:
    pass


class _Lines:
    """Prints progress as plain lines, at most ten per part."""

    def __init__(self) -> None:
        self._printed_tenths: dict[str, int] = {}

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > self._printed_tenths.get(what, 0):
            self._printed_tenths[what] = tenth
            print(f"{what} {10 * tenth} %{', ' * bool(note)}{note}", file=sys.stderr, flush=True)


def number(value: float) -> str:
    """Formats a number with four significant digits, and an exponent only where needed."""
    if value != value:
        return "-"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3e}"
    digits = max(0, 4 - len(str(int(abs(value))))) if abs(value) >= 1 else 4
    return f"{value:,.{digits}f}"
