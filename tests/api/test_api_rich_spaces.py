"""Fits, builders and reports on spaces with conditions, absent stages, a range and choices of several types."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.stats import spearmanr

import nasbuild as nb
from nasbuild.space import (
    ABSENT,
    contains,
    enumerate_architectures,
    fix_parts,
    parse_architecture,
    sample,
    space_from_yaml,
)
from nasbuild.table import read_table, table_from_evaluations, write_table

SPACE = space_from_yaml(
    """
name: rich
metrics: {acc: {direction: maximize}}
stages:
  - name: s
    depth: [1, 2]
    features:
      op: [conv, attn, skip]
      kernel: {choices: [3, 5], when: {op: conv}}
      heads: {choices: [2, 4], when: {op: attn}}
  - {name: t, depth: [0, 1], features: {norm: [null, bn, [3, 5], true]}}
globals: {lr: {range: [1.0e-5, 1.0e-1], scale: log}}
costs:
  size: {sum: [{feature: kernel, values: [[3, 9], [5, 25]]}, {feature: heads, values: [[2, 8], [4, 16]]}]}
identity: none
"""
)
WORTH = {("conv", 3): 1.0, ("conv", 5): 1.6, ("attn", 2): 1.2, ("attn", 4): 2.0, ("skip", None): 0.0}
NORM = {None: 0.5, "bn": 1.2, (3, 5): 0.8, True: 0.3}
SIZE = {("conv", 3): 9, ("conv", 5): 25, ("attn", 2): 8, ("attn", 4): 16, ("skip", None): 0}


pytestmark = pytest.mark.usefixtures("few_rounds")
ONE_RATE = "globals.lr = 0.001"


def parts(architecture):
    chosen = [
        (op, kernel if op == "conv" else heads if op == "attn" else None)
        for op, kernel, heads in architecture.modules[0]
    ]
    return chosen, [layer[0] for layer in architecture.modules[1]], architecture.modules[2][0][0]


def truth(architecture) -> float:
    """What is planted: a sum of layers, with the best learning rate in the middle of its range."""
    chosen, norms, lr = parts(architecture)
    return sum(WORTH[c] for c in chosen) + sum(NORM[n] for n in norms) - (math.log10(lr) + 3) ** 2


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    some = sample(SPACE, 110, rng)
    # Any learning rate, not only those of the grid.
    moved = [a.replace(2, ((float(10 ** rng.uniform(-5, -1)),),)) for a in some]
    noise = rng.normal(0, 0.02, len(moved))
    return table_from_evaluations(
        SPACE, {a: {"acc": truth(a) + e} for a, e in zip(moved, noise, strict=True)}
    )


@pytest.fixture(scope="module")
def everything():
    """All architectures with one learning rate."""
    return list(enumerate_architectures(fix_parts(SPACE, [ONE_RATE])))


@pytest.fixture(scope="module", params=["default", "ridge", "lightgbm"])
def fit(request, table):
    return nb.fit(table, "acc", recipe=request.param, seed=0, baselines=False)


def test_the_planted_order_is_learnt(fit):
    some = sample(SPACE, 200, 5)
    predicted = [row["prediction"] for row in fit.predict(some)]
    # A straight line can't follow the learning rate.
    least = {"default": 0.99, "ridge": 0.3, "lightgbm": 0.8}[fit.recipe.name]
    assert spearmanr(predicted, [truth(a) for a in some]).statistic > least
    if fit.recipe.name != "default":
        return
    built = parse_architecture(SPACE, fit.build(1)[0]["arch"])
    assert truth(built) > 2 * WORTH["attn", 4] + NORM["bn"] - 0.2
    effect = {(s.feature, s.choice): s.effect for s in fit["acc"].features if s.stage is None}
    assert effect["kernel", 5] - effect["kernel", 3] == pytest.approx(0.6, abs=0.1)
    assert effect["heads", 4] - effect["heads", 2] == pytest.approx(0.8, abs=0.1)
    # A substituted operation has the mean over what exists with it.
    assert effect["op", "attn"] - effect["op", "conv"] == pytest.approx(0.3, abs=0.1)
    assert max((e, c) for (f, c), e in effect.items() if f == "lr")[1] == pytest.approx(1e-3, rel=0.1)


def test_what_is_built_is_the_best_of_all_by_prediction(fit, everything):
    predicted = {a: row["prediction"] for a, row in zip(everything, fit.predict(everything), strict=True)}
    rows = fit.build(3, by="exhaustive", fix=ONE_RATE)
    expected = sorted(predicted.values(), reverse=True)[:3]
    assert [row["prediction"] for row in rows] == pytest.approx(expected, rel=1e-6)
    small = {a: p for a, p in predicted.items() if sum(SIZE[c] for c in parts(a)[0]) <= 10}
    bounded = fit.build(1, where=["size <= 10"], fix=["t.depth = 0", ONE_RATE], by="prediction")[0]
    absent = {a: p for a, p in small.items() if not a.modules[1]}
    assert bounded["prediction"] == pytest.approx(max(absent.values()), rel=1e-6)
    assert bounded["arch"]["stages"][1] == []
    assert "absent" not in json.dumps(bounded)


def test_a_fit_is_saved_loaded_explained_and_reported(fit, tmp_path, everything):
    fit.save(tmp_path / "fit")
    again = nb.load_fit(tmp_path / "fit")
    assert list(again.predict(everything[:50])) == list(fit.predict(everything[:50]))
    assert again["acc"].features == fit["acc"].features
    assert "op" in str(fit.explain())
    fit.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "no layers" in page
    assert "ABSENT" not in page
    for name in ("modules.csv", "modules.parquet", "modules.jsonl"):
        fit.modules().save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500
    # A few values stand for the range.
    of_lr = [s for s in fit["acc"].features if s.feature == "lr" and s.stage is None]
    assert 5 <= len(of_lr) <= 9
    assert all(ABSENT is not s.choice for s in fit["acc"].features)


@pytest.mark.parametrize("ending", ["jsonl", "json", "yaml", "csv", "tsv", "parquet"])
def test_tables_are_written_and_read_again(table, tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    write_table(table, path)
    assert read_table(path, SPACE) == table


@pytest.mark.slow
def test_a_deep_stage_with_conditions_is_built_layer_by_layer():
    """Against an integer programme over the planted worth of each layer."""
    depth = 8
    space = space_from_yaml(
        f"""
name: deep
metrics: {{acc: {{direction: maximize}}}}
stages:
  - name: s
    depth: {depth}
    features: {{op: [conv, attn, skip], kernel: {{choices: [3, 5], when: {{op: conv}}}}, heads: {{choices: [2, 4], when: {{op: attn}}}}}}
costs:
  size: {{sum: [{{feature: kernel, values: [[3, 9], [5, 25]]}}, {{feature: heads, values: [[2, 8], [4, 16]]}}]}}
identity: none
"""
    )
    rng = np.random.default_rng(0)
    worth = {(place, c): v * rng.uniform(0.5, 1.5) for place, (c, v) in product(range(depth), WORTH.items())}

    def value(architecture):
        return sum(
            worth[place, (op, kernel if op == "conv" else heads if op == "attn" else None)]
            for place, (op, kernel, heads) in enumerate(architecture.modules[0])
        )

    some = sample(space, 120, rng)
    table = table_from_evaluations(space, {a: {"acc": value(a)} for a in some})
    fit = nb.fit(table, "acc", seed=0, max_modules=2000, baselines=False)
    row = fit.build(1, where=["size <= 48"], by="score")[0]
    keys = list(worth)
    each = np.array([[float(k[0] == place) for k in keys] for place in range(depth)])
    sizes = np.array([SIZE[k[1]] for k in keys])
    found = milp(
        -np.array(list(worth.values())),
        integrality=np.ones(len(keys)),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(each, 1, 1), LinearConstraint(sizes, -np.inf, 48)],
    )
    built = parse_architecture(space, row["arch"])
    assert contains(space, built)
    assert space.costs["size"].values(space, [built])[0] <= 48
    assert value(built) == pytest.approx(-found.fun, rel=0.02)
