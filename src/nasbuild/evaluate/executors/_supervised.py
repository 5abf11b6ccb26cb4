"""Starts a program that never outlives this process, and leaves no processes behind."""

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
_STOP_WAIT = 5.0  # seconds for a supervisor to end what it started


class SupervisedProcess:
    """A running program. When it or this process ends, all processes that it started are ended (`_supervisor`).

    Parameters
    ----------
    command
        The program and its arguments.
    passed
        File descriptors that it inherits besides the standard ones.
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
                # Ctrl-C in a terminal goes to this process, which then ends the others.
                start_new_session=True,
            )
        except BaseException:
            os.close(self._control)
            raise
        finally:
            os.close(control)
        self._open = True

    def wait(self, seconds: float | None) -> int:
        """Wait for the exit status: the negative signal number if a signal killed the program.

        Raises
        ------
        subprocess.TimeoutExpired
            If it has not ended after so many seconds.
        """
        return self.process.wait(seconds)

    def request_stop(self) -> None:
        """End the program and all processes that it started, without waiting."""
        if self._open:
            self._open = False
            os.close(self._control)

    def stop(self) -> int:
        """End the program and all processes that it started; returns its exit status."""
        self.request_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(_STOP_WAIT)
        # The kernel ends its child with it (PR_SET_PDEATHSIG).
        self.process.kill()
        return self.process.wait()


def exit_description(code: int) -> str:
    """Describes an exit status for the user."""
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
