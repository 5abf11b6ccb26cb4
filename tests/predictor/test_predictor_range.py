"""The additive Gaussian process learns a smooth effect of a feature with a range."""

from __future__ import annotations

import math

import numpy as np

import nasbuild as nb
from nasbuild.predictor.additive_gp._terms import Terms
from nasbuild.space import Architecture, space_from_yaml
from nasbuild.table import table_from_evaluations

SPACE = space_from_yaml(
    "{name: r, metrics: {acc: {direction: maximize}}, globals: {lr: {range: [1e-5, 1e-1], scale: log}, "
    "opt: [sgd, adam]}, stages: [{name: s, depth: [1, 2], features: {k: [3, 5, 7]}}]}"
)


def planted(lr: float, opt: str) -> float:
    """Two different bumps: a narrow one and a wide one."""
    place = math.log10(lr)
    return 5 * math.exp(-((place + 2.5) ** 2)) - 0.3 * (place + 3) ** 2 + (opt == "adam")


def test_a_curve_is_recovered_between_the_rows():
    rng = np.random.default_rng(0)
    rows = {}
    for _ in range(60):
        lr, opt = float(10 ** rng.uniform(-5, -1)), str(rng.choice(["sgd", "adam"]))
        module = tuple((int(k),) for k in rng.choice([3, 5, 7], rng.integers(1, 3)))
        rows[Architecture((module, ((lr, opt),)))] = {
            "acc": planted(lr, opt) + sum(k for (k,) in module) / 10 + rng.normal(0, 0.05)
        }
    fit = nb.fit(table_from_evaluations(SPACE, rows), "acc", seed=0)
    places = np.linspace(-4.8, -1.2, 40)
    asked = [Architecture((((5,),), ((float(10**p), "sgd"),))) for p in places]
    predicted = np.array([row["prediction"] for row in fit.predict(asked)])
    expected = np.array([planted(10**p, "sgd") + 0.5 for p in places])
    assert np.abs(predicted - expected).max() < 0.6
    best = fit.build(1)[0]["arch"]["globals"]
    grid = SPACE.globals.features[0].choices
    assert abs(math.log10(best["lr"] / max(grid, key=lambda v: planted(v, "adam")))) < 0.15
    assert best["opt"] == "adam"


def test_no_column_stands_for_a_single_value_of_a_range():
    codes = np.array([[[n, 0]] for n in range(len(SPACE.globals.features[0].choices))], dtype=np.int16)
    found = dict(Terms(SPACE).entries(1, codes))
    of_range = [name for name in found if name.split(":")[1:2] == ["lr"]]
    assert sorted(of_range) == [
        "curve@stage:lr:16",
        "curve@stage:lr:4",
        "curve@stage:lr:8",
        "number@stage:lr",
    ]
    for name, entries in found.items():
        assert len(np.unique(entries.keys)) <= 16, name
