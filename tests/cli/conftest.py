"""Runs the command line within the test process, which is fast."""

from __future__ import annotations

import sys

import pytest
from cli_samples import Done, Files

from nasbuild.cli import main
from nasbuild.predictor import recipe
from nasbuild.score import fit, save_fit
from nasbuild.space import load_space, save_space
from nasbuild.table import load_builtin, write_table


@pytest.fixture
def nasbuild(capsys, monkeypatch):
    """Runs the command line in this process."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["nasbuild", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Files:
    """A table of 60 networks, a fit of the default recipe with two targets, and one of recipe paper."""
    folder = tmp_path_factory.mktemp("cli")
    space, data, fitted, network_fit = (
        folder / "space.yaml",
        folder / "archs.jsonl",
        folder / "fit",
        folder / "network_fit",
    )
    save_space(load_space("digits-macro"), space)
    table = load_builtin("digits-macro").select(range(0, 1728, 29))
    quick = recipe("default", folds=2), recipe("paper", epochs=2)
    write_table(table, data)
    for out, targets, chosen in zip(
        (fitted, network_fit), (["loss", "acc / log10(macs)"], ["acc"]), quick, strict=True
    ):
        save_fit(fit(table, targets, recipe=chosen, baselines=False), out)
    return Files(folder, space, data, fitted, network_fit)
