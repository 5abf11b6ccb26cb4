"""An evaluator that is a command of the user's: JSON in, JSON out, within a time limit."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from typing import Any

from nasbuild.errors import NasbuildError


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

    Parameters
    ----------
    limit
        Seconds after which it is ended, with all processes that it started; None for no limit.

    Raises
    ------
    EvaluationError
        If it fails, takes too long, or answers with something else.
    """
    process = subprocess.Popen(
        shlex.split(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A group of its own, so that nothing that it starts outlives it.
        start_new_session=True,
    )
    try:
        out, err = process.communicate(json.dumps(architecture) + "\n", timeout=limit)
    except subprocess.TimeoutExpired:
        raise EvaluationError(f"took longer than {limit:g} s") from None
    finally:
        if process.poll() is None:
            _end(process)
    if process.returncode:
        said = (err.strip().splitlines() or ["it said nothing"])[-1]
        raise EvaluationError(f"ended with code {process.returncode}: {said}")
    lines = out.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        said = repr(lines[-1][:200]) if lines else "nothing"
        raise EvaluationError(f"answered {said}, not JSON") from None


def _end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
