"""Runs the command line in tests, and describes their files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nasbuild.cli._json_schema import validated


def _refused(text: str):
    raise AssertionError(f"{text} is not JSON")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The output of ``--json``: a single object with the documented fields."""
        data = json.loads(self.out, parse_constant=_refused)
        validated(data)
        return data

    @property
    def sentence(self) -> str:
        """The one line of an error."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert self.code == 2, self
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert "Traceback" not in self.err
        return lines[0].removeprefix("error: ")


def as_process(*arguments: object, **options) -> Done:
    """Runs the command line in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", "from nasbuild.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Files:
    folder: Path
    space: Path
    data: Path
    fit: Path
    network_fit: Path
