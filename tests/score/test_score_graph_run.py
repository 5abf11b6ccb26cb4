"""Run folders of graphs: whole, equal, and refused where they are damaged."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from graph_samples import planted_table
from nasbuild.errors import FitError
from nasbuild.predictor import OperatorRecipe
from nasbuild.score.graphs import (
    fit_graphs,
    is_graph_fit,
    load_graph_fit,
    predict_graphs,
    save_graph_fit,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    recipe = OperatorRecipe(feature_epochs=2, epochs=2, width=8, hops=2, few=0, members=2)
    fitted = fit_graphs(planted_table(40), ["acc", "-acc"], recipe=recipe)
    folder = tmp_path_factory.mktemp("graphs") / "run"
    save_graph_fit(fitted, folder)
    return fitted, folder


def test_a_run_comes_back_equal(saved):
    fitted, folder = saved
    again = load_graph_fit(folder)
    assert is_graph_fit(folder)
    assert again.table.digest() == fitted.table.digest()
    assert again.table.metrics == fitted.table.metrics
    assert again.recipe == fitted.recipe
    for one, other in zip(fitted.targets, again.targets, strict=True):
        assert one.target == other.target
        assert one.trust == other.trust
        assert one.features == other.features
        first, second = (
            predict_graphs(whole, part, fitted.table.graphs)
            for whole, part in ((fitted, one), (again, other))
        )
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["graphs.parquet", "metrics.jsonl", "model.safetensors", "trust.json"])
def test_a_changed_or_missing_file_is_named(saved, tmp_path, name):
    copied = tmp_path / "run"
    shutil.copytree(saved[1], copied)
    (copied / name).write_bytes((copied / name).read_bytes() + b" ")
    with pytest.raises(FitError, match="changed"):
        load_graph_fit(copied)
    (copied / name).unlink()
    with pytest.raises(FitError, match=f"lacks {name}"):
        load_graph_fit(copied)


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"kind": "x"}, {"seed": "0"}, {"targets": ["acc"]}, {"more": 1}]
)
def test_a_foreign_or_newer_run_is_refused(saved, tmp_path, change):
    copied = tmp_path / "run"
    shutil.copytree(saved[1], copied)
    held = {**json.loads((copied / "run.json").read_text()), **change}
    (copied / "run.json").write_text(json.dumps(held))
    with pytest.raises(FitError):
        load_graph_fit(copied)


def test_what_is_no_run_is_told(tmp_path):
    assert not is_graph_fit(tmp_path)
    with pytest.raises(FitError, match="no run folder"):
        load_graph_fit(tmp_path)
