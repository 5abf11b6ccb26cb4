"""Architectures that make the same network are built once."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild import fit
from nasbuild.builder import (
    Bound,
    build,
    build_exhaustive,
    build_within,
    count_buildable,
    propose,
    reduce_space,
)
from nasbuild.predictor import AdditiveRecipe
from nasbuild.report import explain_data
from nasbuild.score import Fit
from nasbuild.space import Architecture, Feature, Metric, Space, Stage, enumerate_architectures, sample
from nasbuild.table import Table

OPS = ("identity", "a", "b")
METRICS = {"acc": Metric("acc", "maximize"), "cost": Metric("cost", "minimize")}
SPACE = Space(
    "small",
    tuple(Stage(name, (3,), (Feature("op", OPS),)) for name in ("one", "two")),
    METRICS,
)
NETWORKS = (3 * 7) ** 2  # a first layer, and none, one or two layers that do something


def network(architecture: Architecture) -> tuple:
    return tuple(m[:1] + tuple(layer for layer in m[1:] if layer != ("identity",)) for m in architecture)


def worth(architecture: Architecture, of: dict[str, float]) -> float:
    return sum(of[op] / (1 + place) for m in network(architecture) for place, (op,) in enumerate(m))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    some = sample(SPACE, 60, np.random.default_rng(0))
    # Of middling architectures the best is often written in several ways.
    acc = [
        worth(a, {"identity": 0.0, "a": 1.0, "b": 0.8}) - 0.1 * len(sum(network(a), ())) ** 2 for a in some
    ]
    cost = [worth(a, {"identity": 0.1, "a": 1.0, "b": 2.0}) for a in some]
    ids = tuple(str(n) for n in range(len(some)))
    table = Table(SPACE, ids, tuple(some), {"acc": np.array(acc), "cost": np.array(cost)})
    return fit(table, ["acc", "cost"], recipe=AdditiveRecipe(samples=4, folds=2), baselines=False)


def test_the_space_has_fewer_networks_than_architectures(fitted):
    assert all(one.scorer.has_equivalents for one in fitted.targets)
    assert len({network(a) for a in enumerate_architectures(SPACE)}) == NETWORKS
    assert count_buildable(fitted.of("acc")) == NETWORKS
    assert len(build(fitted.of("acc"), 1000)) == NETWORKS


@pytest.mark.parametrize("way", ["score", "within", "exhaustive", "propose"])
def test_each_network_is_built_once(fitted, way):
    target_fit = fitted.of("acc")
    found = {
        "score": lambda: build(target_fit, 50),
        "within": lambda: build_within(fitted, "acc", 50, [Bound("cost", 1, 4.0)]).built,
        "exhaustive": lambda: build_exhaustive(target_fit, 50),
        "propose": lambda: propose(target_fit, 20),
    }[way]()
    made = [network(one.architecture) for one in found]
    assert len(made) > 10
    assert len(set(made)) == len(made)
    if way == "propose":
        assert not set(made) & {network(a) for a in fitted.table.architectures}


def test_the_best_networks_are_built(fitted):
    """By brute force: no network of the space has a better sum than the last one built, but those built."""
    target_fit = fitted.of("acc")
    built = build(target_fit, 30)
    made = {network(one.architecture) for one in built}
    rest = [a for a in enumerate_architectures(SPACE) if network(a) not in made]
    assert target_fit.scorer.shares(rest).sum(axis=1).max() <= built[-1].score + 1e-9


def test_a_reduced_space_has_k_distinct_modules(fitted):
    reduced = reduce_space([fitted.of("acc")], 5)
    for stage in reduced.stages:
        assert len({network(Architecture((m,))) for m in stage.modules}) == 5 == len(stage.modules)


def test_targets_share_one_canonical_module(fitted):
    reduced = reduce_space(fitted.targets, 21)
    for stage in reduced.stages:
        assert len(stage.modules) == 21


def test_explain_reports_equivalent_modules(fitted):
    said = explain_data(fitted)["targets"][0]["findings"]
    assert any("identity layers after the first layer" in sentence for sentence in said)
    listed = [m["id"] for m in explain_data(fitted, modules=30)["targets"][0]["stages"][0]["best"]]
    left = [(i.split("-")[0], *(op for op in i.split("-")[1:] if op != "identity")) for i in listed]
    assert len(set(left)) == len(left) > 5
