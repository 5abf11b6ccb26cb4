"""An evaluator that is a command of the user's: JSON in, JSON out, within a time limit."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import threading
from typing import IO, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.executors._supervised import Supervised, shown_status

_KEPT = 1 << 20  # bytes of what a command says; its answer is its last line
_GOING = 2.0  # seconds for what it said last to arrive


class EvaluationError(NasbuildError):
    """An evaluation that failed; the search or the store goes on with the others."""


def check_command(command: str) -> None:
    """Refuse a command that this machine does not have, before any work is done."""
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise NasbuildError(f"is no command ({error})", where=f"--evaluator command:{command}") from None
    if not parts or shutil.which(parts[0]) is None:
        raise NasbuildError(
            f"there is no program {parts[0] if parts else ''!r}",
            where=f"--evaluator command:{command}",
            todo="give its path",
        )


def run_command(command: str, architecture: dict[str, Any], limit: float | None) -> Any:
    """Run a command with an architecture as one line of JSON on its input; its last line is read as JSON.

    When it ends, everything that it started is ended; so it is when this process ends, however that happens.

    Parameters
    ----------
    limit
        Seconds after which it is ended; None for no limit.

    Raises
    ------
    EvaluationError
        If it fails, takes too long, or answers with something else.
    """
    pipe = subprocess.PIPE
    running = Supervised(shlex.split(command), stdin=pipe, stdout=pipe, stderr=pipe)
    assert running.process.stdin is not None
    out, err = _Tail(running.process.stdout), _Tail(running.process.stderr)
    # A command may not read all, or nothing, of its input.
    asking = threading.Thread(
        target=_ask, args=(running.process.stdin, json.dumps(architecture) + "\n"), daemon=True
    )
    asking.start()
    try:
        code = running.wait(limit)
    except subprocess.TimeoutExpired:
        raise EvaluationError(f"took longer than {limit:g} s") from None
    finally:
        running.end()
        for thread in (asking, out, err):
            thread.join(_GOING)
    if code:
        said = (err.text().strip().splitlines() or ["it said nothing"])[-1]
        how = f"ended with code {code}" if code > 0 else f"died ({shown_status(code)})"
        raise EvaluationError(f"{how}: {said}")
    lines = out.text().strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError, RecursionError):
        said = repr(lines[-1][:200]) if lines else "nothing"
        raise EvaluationError(f"answered {said}, not JSON") from None


def _ask(stream: IO[bytes], line: str) -> None:
    with contextlib.suppress(OSError), stream:
        stream.write(line.encode())


class _Tail(threading.Thread):
    """The last of what a stream says; all else is read and forgotten."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream, self._bytes = stream, bytearray()
        self.start()

    def run(self) -> None:
        with self._stream:
            while part := self._stream.read1(_KEPT):  # type: ignore[attr-defined]
                self._bytes += part
                if len(self._bytes) > 2 * _KEPT:
                    del self._bytes[:-_KEPT]

    def text(self) -> str:
        return self._bytes.decode(errors="replace")
