"""Running the command line, and what the tests of it work on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nasbuild.cli._json_schema import checked


def _refused(text: str):
    raise AssertionError(f"{text} is no JSON")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        """What ``--json`` printed: nothing but one object, of the fields that are documented."""
        data = json.loads(self.out, parse_constant=_refused)
        checked(data)
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
    """Run the command line as a process of its own."""
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
