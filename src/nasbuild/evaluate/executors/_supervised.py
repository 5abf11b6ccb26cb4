"""A program that does not outlive the process that started it, nor leaves anything behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

_SUPERVISOR = str(Path(__file__).with_name("_supervisor.py"))
_GOING = 5.0  # seconds for a supervisor to end what it started


class Supervised:
    """A running program; when it ends, or this process does, all processes that it started are ended (`_supervisor`).

    Parameters
    ----------
    command
        The program and its arguments.
    passed
        Descriptors that it inherits besides its standard ones.
    stdin, stdout, stderr
        As of `subprocess.Popen`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        passed: Sequence[int] = (),
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
    ) -> None:
        control, self._control = os.pipe()
        try:
            descriptors = ",".join(str(n) for n in (control, *passed))
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", _SUPERVISOR, descriptors, *command],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(control, *passed),
                # A terminal's Ctrl-C is for this process, which then ends the others.
                start_new_session=True,
            )
        except BaseException:
            os.close(self._control)
            raise
        finally:
            os.close(control)
        self._open = True

    def wait(self, seconds: float | None) -> int:
        """The exit status, the negative number of a signal if one killed it.

        Raises
        ------
        subprocess.TimeoutExpired
            If it has not ended by then.
        """
        return self.process.wait(seconds)

    def ask_to_end(self) -> None:
        """End it and all that it started; does not wait for it."""
        if self._open:
            self._open = False
            os.close(self._control)

    def end(self) -> int:
        """End it and all that it started; its exit status."""
        self.ask_to_end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(_GOING)
        # Its child goes with it, as the kernel was told to.
        self.process.kill()
        return self.process.wait()


def shown_status(code: int) -> str:
    """How a process ended, for a person."""
    if code >= 0:
        return f"it ended with code {code}"
    if -code == signal.SIGSEGV:
        return "segmentation fault"
    if -code == signal.SIGABRT:
        return "it aborted (SIGABRT)"
    if -code == signal.SIGKILL:
        return "it was killed (SIGKILL), as the system does when memory runs out"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"
