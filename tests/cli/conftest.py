"""Files for all tests of the command line, each made once."""

from __future__ import annotations

import pytest

from cli_samples import Files
from nasbuild.predictor import recipe
from nasbuild.score import fit, save_fit
from nasbuild.space import load_space, save_space
from nasbuild.table import load_builtin, write_table


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
