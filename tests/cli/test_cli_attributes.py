"""A table that lacks one of six resolutions, whose pixels are declared: it is named, predicted and built."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nasbuild.predictor import AdditiveRecipe
from nasbuild.score import fit, load_fit, predict, save_fit
from nasbuild.space import sample, space_from_yaml
from nasbuild.table import Table, write_table

NAMES = ("xs", "s", "m", "l", "xl", "xxl")
HELD, BEYOND = "l", "xxl"
PIXELS = ", ".join(f"{name}: {96 + 32 * n}" for n, name in enumerate(NAMES))
SPACE = f"""
name: sizes
metrics: {{acc: {{direction: maximize}}}}
globals: {{resolution: [{", ".join(NAMES)}]}}
stages:
  - {{name: one, depth: [1, 2], features: {{kernel: [3, 5, 7]}}}}
  - {{name: two, depth: [1, 2], features: {{kernel: [3, 5, 7]}}}}
attributes: {{resolution: {{pixels: {{{PIXELS}}}}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Accuracy is highest at the resolution that no row has; none has the largest one, either."""
    folder = tmp_path_factory.mktemp("sizes")
    (folder / "space.yaml").write_text(SPACE)
    space = space_from_yaml(SPACE)
    some = [
        a for a in sample(space, 400, np.random.default_rng(0)) if a.modules[2][0][0] not in (HELD, BEYOND)
    ]
    acc = np.array([worth(a) for a in some[:120]])
    acc += 0.1 * np.random.default_rng(1).normal(size=len(acc))
    table = Table(space, tuple(f"n{i}" for i in range(120)), tuple(some[:120]), {"acc": acc})
    write_table(table, folder / "archs.jsonl")
    quick = AdditiveRecipe(samples=16, folds=3, iterations=40)
    save_fit(fit(table, ["acc"], recipe=quick, baselines=False), folder / "fit")
    return folder


def worth(architecture) -> float:
    kernels = sum(k for m in architecture.modules[:2] for (k,) in m)
    return kernels - 1.5 * (NAMES.index(architecture.modules[2][0][0]) - 3) ** 2


def test_check_and_explain_say_what_is_known_from_attributes(nasbuild, folder):
    ask = ("check", "--space", folder / "space.yaml", "--data", folder / "archs.jsonl")
    out = " ".join(nasbuild(*ask).out.split())
    assert "attributes of choices: pixels of resolution (6 choices, 96.00 to 256.0)" in out
    assert f"No row has globals resolution {BEYOND}. A fit of this table can't estimate" in out
    assert f"No row has globals resolution {HELD}. A fit predicts their effect from their attributes." in out
    [attribute] = nasbuild(*ask, "--json").json["attributes"]
    assert (attribute["attribute"], attribute["minimum"], attribute["maximum"]) == ("pixels", 96.0, 256.0)
    out = " ".join(nasbuild("explain", folder / "fit").out.split())
    assert f"No labelled architecture has globals resolution {BEYOND}. They are not used" in out
    assert f"No labelled architecture has globals resolution {HELD}. Their attributes (pixels) lie" in out


def test_a_choice_between_others_is_built_one_beyond_them_is_not(nasbuild, folder, tmp_path):
    done = nasbuild("build", folder / "fit", "--top", 40, "--out", tmp_path / "built.jsonl")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "built.jsonl").read_text().splitlines()]
    marked = {row["arch"]["globals"]["resolution"]: row["extrapolates"] for row in rows}
    assert marked[HELD]  # no row has it
    assert BEYOND not in marked
    assert not all(marked.values())


def test_a_saved_fit_predicts_it_within_its_interval(folder):
    space = space_from_yaml(SPACE)
    some = [a for a in sample(space, 300, np.random.default_rng(2)) if a.modules[2][0][0] == HELD]
    found = predict(load_fit(folder / "fit").targets[0], some)
    error = np.abs(found.value - [worth(a) for a in some])
    assert np.mean(error <= 1.645 * found.std) > 0.8
    assert np.median(found.std) < 0.5 * np.std(
        [worth(a) for a in sample(space, 300, np.random.default_rng(3))]
    )
