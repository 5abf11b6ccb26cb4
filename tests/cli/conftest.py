"""The command line, run in this process (quick) and as a real process (honest)."""

from __future__ import annotations

import sys

import pytest
from cli_samples import Done, Files, as_process

from nasbuild.cli import main
from nasbuild.space import load_space, save_space
from nasbuild.table import load_builtin, write_table


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


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Files:
    """A real table of 60 networks, a run of the default recipe with two targets, and one of networks."""
    folder = tmp_path_factory.mktemp("cli")
    space, data, run, run2 = folder / "space.yaml", folder / "archs.jsonl", folder / "run", folder / "run2"
    save_space(load_space("digits-macro"), space)
    write_table(load_builtin("digits-macro").select(range(0, 1728, 29)), data)
    options = ["--space", space, "--data", data, "--workers", 1, "--no-rivals"]
    networks = ["--recipe", "paper", "--epochs", 2]
    for out, targets, more in ((run, ["loss", "acc / log10(macs)"], []), (run2, ["acc"], networks)):
        chosen = [x for t in targets for x in ("--target", t)]
        done = as_process("fit", *options, *chosen, *more, "--out", out)
        assert done.code == 0, done.err
    return Files(folder, space, data, run, run2)
