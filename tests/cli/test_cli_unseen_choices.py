"""A table with one of three resolutions: the others are reported, and built only on demand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nasbuild.predictor import AdditiveRecipe
from nasbuild.score import fit, save_fit
from nasbuild.space import sample, space_from_yaml
from nasbuild.table import Table

SPACE = """
name: sizes
metrics: {acc: {direction: maximize}, size: {direction: minimize}}
globals: {resolution: [128, 160, 192]}
stages:
  - {name: one, depth: [1, 2], features: {kernel: [3, 5, 7]}}
  - {name: two, depth: [1, 2], features: {kernel: [3, 5, 7]}}
"""
UNSEEN = "globals resolution 128, 160"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A space, 60 rows all at resolution 192, and their fit."""
    folder = tmp_path_factory.mktemp("sizes")
    (folder / "space.yaml").write_text(SPACE)
    space = space_from_yaml(SPACE)
    some = [a for a in sample(space, 300, np.random.default_rng(0)) if a.modules[2] == ((192,),)][:60]
    worth = np.array([sum(k for m in a.modules[:2] for (k,) in m) for a in some], dtype=float)
    labels = {"acc": worth + 0.1 * np.random.default_rng(1).normal(size=len(some)), "size": worth}
    table = Table(space, tuple(f"n{i}" for i in range(len(some))), tuple(some), labels)
    rows = [
        {
            "id": i,
            "arch": {
                "stages": [[{"kernel": k} for (k,) in m] for m in a.modules[:2]],
                "globals": {"resolution": 192},
            },
        }
        | {"metrics": {name: float(v[n]) for name, v in labels.items()}}
        for n, (i, a) in enumerate(zip(table.ids, some, strict=True))
    ]
    (folder / "archs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    quick = AdditiveRecipe(samples=16, folds=3, iterations=20)
    save_fit(fit(table, ["acc", "size"], recipe=quick, baselines=False), folder / "fit")
    return folder


def test_check_fit_explain_and_report_name_unseen_choices(nasbuild, folder, tmp_path):
    done = nasbuild("check", "--space", folder / "space.yaml", "--data", folder / "archs.jsonl")
    assert done.code == 0, done.err
    assert f"No row has {UNSEEN}." in done.out
    assert "no problems found" not in done.out
    ask = ("check", "--space", folder / "space.yaml", "--data", folder / "archs.jsonl", "--json")
    assert [one["choices"] for one in nasbuild(*ask).json["table"]["unseen"]] == [[128, 160]]
    done = nasbuild("explain", folder / "fit")
    assert f"No labelled architecture has {UNSEEN}." in " ".join(done.out.split())
    (tmp_path / "ids").write_text("".join(f"n{i}\n" for i in range(20)))
    done = nasbuild(
        *("fit", "--ids", tmp_path / "ids"),
        *("--space", folder / "space.yaml", "--data", folder / "archs.jsonl", "--target", "acc"),
        *("--no-baselines", "--out", tmp_path / "fit"),
    )
    assert f"No labelled architecture has {UNSEEN}." in " ".join(done.out.split())
    assert nasbuild("report", folder / "fit", "--out", tmp_path / "report.html").code == 0
    assert UNSEEN in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "how",
    [
        ("--top", 30),
        ("--top", 30, "--by", "score"),
        ("--top", 30, "--by", "prediction"),
        ("--top", 30, "--by", "exhaustive"),
        ("--top", 30, "--where", "layers <= 3"),
        ("--front", 10),
    ],
)
def test_unseen_choices_are_built_only_on_demand(nasbuild, folder, tmp_path, how):
    for flags in ((), ("--unseen",)):
        done = nasbuild("build", folder / "fit", *how, *flags, "--out", tmp_path / "built.jsonl")
        assert done.code == 0, done.err
        rows = [json.loads(line) for line in (tmp_path / "built.jsonl").read_text().splitlines()]
        found = {row["arch"]["globals"]["resolution"] for row in rows}
        # All three resolutions have equal predictions, so a front may keep any of them.
        assert found == {192} if not flags else found - {192} or "--front" in how


def test_unseen_choices_are_proposed_but_not_kept_in_a_reduced_space(nasbuild, folder, tmp_path):
    assert nasbuild("shrink", folder / "fit", "--k", 5, "--out", tmp_path / "less.yaml").code == 0
    assert "globals_modules: [{resolution: 192}]" in (tmp_path / "less.yaml").read_text()
    done = nasbuild("build", folder / "fit", "--propose", 20, "--out", tmp_path / "next.jsonl")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "next.jsonl").read_text().splitlines()]
    assert {row["arch"]["globals"]["resolution"] for row in rows} >= {128, 160}


def test_predictions_with_unseen_choices_are_as_uncertain_as_labels_vary(folder):
    from nasbuild.score import load_fit, predict

    target_fit = load_fit(folder / "fit").targets[0]
    known = target_fit.scorer.architectures[:10]
    others = [a.replace(2, ((128,),)) for a in known]
    near, far = predict(target_fit, known), predict(target_fit, others)
    spread = target_fit.labels.values.std()
    assert (near.std < 0.5 * spread).all()
    assert (far.std > 0.8 * spread).all()
    assert far.value == pytest.approx(near.value)
    assert far.extrapolates.all()
    assert not near.extrapolates.any()
