"""Runs a user's command as an evaluator: JSON in, JSON out, within a time limit."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import threading
from typing import IO, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.executors._supervised import SupervisedProcess, exit_description

_KEPT = 1 << 20  # bytes of a command's output that are kept; its answer is the last line
_DRAIN_WAIT = 2.0  # seconds for its last output to arrive


class EvaluationError(NasbuildError):
    """A failed evaluation; the others go on.

    Examples
    --------
    >>> from nasbuild.evaluate import EvaluationError
    >>> from nasbuild.evaluate import load_evaluator
    >>> [result] = load_evaluator("command:false", space).evaluate([first])
    >>> result.reason
    'ended with code 1: no error message'
    """


def check_command(command: str) -> None:
    """Raise NasbuildError if the command's program is not installed, before any work is done."""
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise NasbuildError(
            f"is not a valid command ({error})", where=f"--evaluator command:{command}"
        ) from None
    if not parts or shutil.which(parts[0]) is None:
        raise NasbuildError(
            f"there is no program {parts[0] if parts else ''!r}",
            where=f"--evaluator command:{command}",
            todo="give its path",
        )


def run_command(command: str, architecture: dict[str, Any], limit: float | None) -> Any:
    """Run a command with an architecture as a line of JSON on its input, and parse its last line of output as JSON.

    When the command or this process ends, for any reason, all processes that the command started are ended.

    Parameters
    ----------
    limit
        Seconds after which the command is ended; None for no limit.

    Raises
    ------
    EvaluationError
        If the command fails, takes too long, or does not answer with JSON.
    """
    pipe = subprocess.PIPE
    running = SupervisedProcess(shlex.split(command), stdin=pipe, stdout=pipe, stderr=pipe)
    assert running.process.stdin is not None
    out, err = _Tail(running.process.stdout), _Tail(running.process.stderr)
    # The command may read only a part of its input, or nothing.
    writer = threading.Thread(
        target=_write, args=(running.process.stdin, json.dumps(architecture) + "\n"), daemon=True
    )
    writer.start()
    try:
        code = running.wait(limit)
    except subprocess.TimeoutExpired:
        raise EvaluationError(f"took longer than {limit:g} s") from None
    finally:
        running.stop()
        for thread in (writer, out, err):
            thread.join(_DRAIN_WAIT)
    if code:
        message = (err.text().strip().splitlines() or ["no error message"])[-1]
        how = f"ended with code {code}" if code > 0 else f"died ({exit_description(code)})"
        raise EvaluationError(f"{how}: {message}")
    lines = out.text().strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError, RecursionError):
        answer = repr(lines[-1][:200]) if lines else "nothing"
        raise EvaluationError(f"answered {answer}, not JSON") from None


def _write(stream: IO[bytes], line: str) -> None:
    with contextlib.suppress(OSError), stream:
        stream.write(line.encode())


class _Tail(threading.Thread):
    """Reads a stream to its end and keeps its last bytes."""

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
