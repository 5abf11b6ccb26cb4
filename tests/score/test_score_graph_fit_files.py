"""Fit folders of graphs: whole, equal when read back, and refused where they are damaged."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest

from graph_samples import planted_table
from nasbuild.errors import FitError
from nasbuild.predictor import OperatorRecipe
from nasbuild.score import SCHEMA_VERSION, load_fit, save_fit
from nasbuild.score.graphs import GraphFit, fit_graphs, predict_graphs

WRITTEN = ["graphs.parquet", "metrics.jsonl", "model.safetensors", "trust.json"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    recipe = OperatorRecipe(feature_epochs=2, epochs=2, width=8, hops=2, few=0, members=2)
    fitted = fit_graphs(planted_table(40), ["acc", "-acc"], recipe=recipe)
    folder = tmp_path_factory.mktemp("graphs") / "fit"
    save_fit(fitted, folder)
    return fitted, folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved[1], tmp_path / "fit")
    return tmp_path / "fit"


def edit(folder, **changes):
    data = {**json.loads((folder / "fit.json").read_text()), **changes}
    (folder / "fit.json").write_text(json.dumps(data))


def sign(folder):
    """Write the checksums of the files as they are into fit.json, as someone who meant it would."""
    edit(folder, files={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in WRITTEN})


def test_a_fit_is_equal_when_read_back(saved):
    fitted, folder = saved
    again = load_fit(folder)
    assert isinstance(again, GraphFit)
    assert again.kind == "graphs"
    assert again.table.digest() == fitted.table.digest()
    assert again.table.metrics == fitted.table.metrics
    assert again.table.notes == fitted.table.notes
    assert again.recipe == fitted.recipe
    assert list(again) == ["acc", "-acc"]
    for one, other in zip(fitted.targets, again.targets, strict=True):
        assert one.target == other.target
        assert one.trust == other.trust
        assert one.features == other.features
        first, second = (
            predict_graphs(whole, part, fitted.table.graphs)
            for whole, part in ((fitted, one), (again, other))
        )
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_fit_read_and_saved_again_has_the_same_bytes(saved, tmp_path):
    _, folder = saved
    save_fit(load_fit(folder), tmp_path / "again")
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", WRITTEN)
def test_a_changed_or_missing_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(FitError, match=f"{name}: is damaged or from another fit"):
        load_fit(folder)
    (folder / name).unlink()
    with pytest.raises(FitError, match=rf"{name}: can't be read \(No such file"):
        load_fit(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "x"},
        {"kind": "space"},
        {"kind": ["graphs"]},
        {"seed": "0"},
        {"targets": ["acc"]},
        {"targets": []},
        {"targets": [{"name": "acc", "direction": "up", "unit": ""}]},
        {"metrics": {}},
        {"recipe": {}},
        {"method": "additive"},
        {"table": {"sha256": "0" * 64, "rows": 40, "notes": []}},
        {"more": 1},
    ],
)
def test_a_foreign_or_damaged_fit_file_is_refused(folder, change):
    edit(folder, **change)
    with pytest.raises(FitError):
        load_fit(folder)


@pytest.mark.parametrize(
    ("version", "todo"), [(SCHEMA_VERSION - 1, "fit again"), (SCHEMA_VERSION + 1, "install a newer nasbuild")]
)
def test_another_schema_version_is_refused_in_the_words_used_for_spaces(folder, version, todo):
    edit(folder, schema_version=version)
    with pytest.raises(FitError, match=rf"fit.json: has schema version {version}, .*; {todo}$"):
        load_fit(folder)


def test_replaced_metrics_are_noticed_even_with_right_checksums(folder):
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(text.replace('"acc": ', '"acc": 1', 1))
    sign(folder)
    with pytest.raises(FitError, match="not the table that the fit was learnt from"):
        load_fit(folder)


def test_a_fit_of_the_other_kind_is_refused_where_one_kind_is_needed(folder):
    with pytest.raises(FitError, match="is a fit of networks without a space"):
        load_fit(folder, "space")
    assert load_fit(folder, "graphs").kind == "graphs"
