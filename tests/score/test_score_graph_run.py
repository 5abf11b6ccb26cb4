"""Run folders of graphs: whole, equal, and refused where they are damaged."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from graph_samples import planted_table
from nasbuild.errors import RunError
from nasbuild.predictor import OperatorRecipe
from nasbuild.score.graphs import (
    is_graph_run,
    learn_graphs,
    load_graph_run,
    predict_graphs,
    save_graph_run,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    recipe = OperatorRecipe(feature_epochs=2, epochs=2, width=8, hops=2, few=0, members=2)
    run = learn_graphs(planted_table(40), ["acc", "-acc"], recipe=recipe)
    folder = tmp_path_factory.mktemp("graphs") / "run"
    save_graph_run(run, folder)
    return run, folder


def test_a_run_comes_back_equal(saved):
    run, folder = saved
    again = load_graph_run(folder)
    assert is_graph_run(folder)
    assert again.table.digest() == run.table.digest()
    assert again.table.metrics == run.table.metrics
    assert again.recipe == run.recipe
    for one, other in zip(run.learnt, again.learnt, strict=True):
        assert one.target == other.target
        assert one.trust == other.trust
        assert one.features == other.features
        first, second = (
            predict_graphs(whole, part, run.table.graphs) for whole, part in ((run, one), (again, other))
        )
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["graphs.parquet", "metrics.jsonl", "model.safetensors", "trust.json"])
def test_a_changed_or_missing_file_is_named(saved, tmp_path, name):
    copied = tmp_path / "run"
    shutil.copytree(saved[1], copied)
    (copied / name).write_bytes((copied / name).read_bytes() + b" ")
    with pytest.raises(RunError, match="changed"):
        load_graph_run(copied)
    (copied / name).unlink()
    with pytest.raises(RunError, match=f"lacks {name}"):
        load_graph_run(copied)


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"kind": "x"}, {"seed": "0"}, {"targets": ["acc"]}, {"more": 1}]
)
def test_a_foreign_or_newer_run_is_refused(saved, tmp_path, change):
    copied = tmp_path / "run"
    shutil.copytree(saved[1], copied)
    held = {**json.loads((copied / "run.json").read_text()), **change}
    (copied / "run.json").write_text(json.dumps(held))
    with pytest.raises(RunError):
        load_graph_run(copied)


def test_what_is_no_run_is_told(tmp_path):
    assert not is_graph_run(tmp_path)
    with pytest.raises(RunError, match="no run folder"):
        load_graph_run(tmp_path)
