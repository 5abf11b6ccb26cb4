"""The command line, run in this process (quick) and as a real process (honest)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasbuild.cli import main
from nasbuild.space import load_space, save_space
from nasbuild.table import load_builtin, write_table


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line of an error."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert self.code == 2, self
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert "Traceback" not in self.err
        return lines[0].removeprefix("error: ")


@pytest.fixture
def nasbuild(capsys, monkeypatch):
    """Run the command line in this process."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["nasbuild", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


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
    run: Path
    run2: Path


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Files:
    """A real table of 60 networks, and two runs learnt from it."""
    folder = tmp_path_factory.mktemp("cli")
    space, data, run, run2 = folder / "space.yaml", folder / "archs.jsonl", folder / "run", folder / "run2"
    save_space(load_space("digits-macro"), space)
    write_table(load_builtin("digits-macro").select(range(0, 1728, 29)), data)
    options = ["--space", space, "--data", data, "--epochs", 2, "--workers", 1]
    for out, targets in ((run, ["loss", "acc / log10(macs)"]), (run2, ["acc"])):
        chosen = [x for t in targets for x in ("--target", t)]
        done = as_process("fit", *options, *chosen, "--out", out)
        assert done.code == 0, done.err
    return Files(folder, space, data, run, run2)
