"""Trust in fits on graphs: levels, better baselines, and effects of sizes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from graph_samples import planted_table
from nasbuild.predictor import GraphBatch, OperatorRecipe
from nasbuild.score import Agreement
from nasbuild.score.graphs import fit_graphs, number_curves
from nasbuild.score.graphs._graph_trust import measure_graph_trust


def members(values: list[float], tested: int) -> list[Any]:
    """Members that each held out the same share of networks, whose y' had these correlations."""
    parts = np.array_split(np.arange(tested), len(values))
    return [SimpleNamespace(srcc=np.array([0.1, 0.2, v]), test=p) for v, p in zip(values, parts, strict=True)]


def baselines(**means: float) -> dict[str, Agreement]:
    return {name: Agreement.of([mean, mean]) for name, mean in means.items()}


def test_hops_and_prediction_are_distinguished():
    trust = measure_graph_trust(members([0.9, 0.8], 200), 200, {})
    assert [a.mean for a in trust.hops] == pytest.approx([0.1, 0.2])
    assert trust.prediction.mean == pytest.approx(0.85)
    assert (trust.labels, trust.held_out, trust.tested) == (200, 100, 200)
    assert trust.verdict.startswith("From 200 networks, y' orders unseen ones with SRCC 0.85 (about 100 held")


@pytest.mark.parametrize(
    ("value", "tested", "level", "words"),
    [
        (0.95, 400, "high", "can be relied on"),
        (0.7, 400, "fair", "but not neighbours in rank"),
        (0.3, 400, "low", "a hint"),
        (0.05, 400, "none", "too low to be believed"),
        (0.95, 12, "low", "Only 12 networks were held out"),
        (1.0, 3, "none", "Only 3 networks were held out"),
        (-1.0, 20, "none", "Only 20 networks"),
    ],
)
def test_level_and_verdict_follow_the_correlation_and_the_number_of_networks(value, tested, level, words):
    trust = measure_graph_trust(members([value], tested), tested, {})
    assert trust.level == level
    assert words in trust.verdict
    assert ("networks were held out" in trust.verdict) == (tested < 50)


def test_the_interval_of_few_networks_is_fishers():
    trust = measure_graph_trust(members([0.6], 28), 28, {})
    low, high = np.tanh(np.arctanh(0.6) + norm.ppf([0.025, 0.975]) / np.sqrt(25))
    assert f"its 95 % interval is {low:.2f} to {high:.2f}" in trust.verdict


@pytest.mark.parametrize(
    ("others", "better"),
    [
        ({"ridge": 0.7, "lightgbm": 0.85}, None),
        ({"ridge": 0.7, "lightgbm": 0.92}, "lightgbm"),
        ({"ridge": 0.95, "lightgbm": 0.92}, "ridge"),
        ({"ridge": 0.905, "lightgbm": 0.2}, None),
        ({}, None),
    ],
)
def test_a_significantly_better_baseline_is_named(others, better):
    trust = measure_graph_trust(members([0.9, 0.9], 300), 300, baselines(**others))
    assert trust.better == better
    assert ("is better" in trust.verdict) == (better is not None)
    for name, value in others.items():
        assert f"{value:.2f}" in trust.verdict
        assert {"ridge": "ridge regression", "lightgbm": "LightGBM"}[name] in trust.verdict


def test_a_lead_within_chance_is_no_lead():
    apart = members([0.5, 1.0, 0.6, 0.9], 300)
    assert measure_graph_trust(apart, 300, baselines(ridge=0.95)).better is None
    near = members([0.73, 0.77, 0.74, 0.76], 300)
    assert measure_graph_trust(near, 300, {"ridge": Agreement.of([0.95] * 4)}).better == "ridge"


@pytest.fixture(scope="module")
def fitted():
    recipe = OperatorRecipe(
        epochs=10, feature_epochs=5, width=8, hops=2, few=0, members=3, learning_rate=1e-2
    )
    return fit_graphs(planted_table(40), ["acc"], recipe=recipe)


def test_curves_are_the_scalars_of_the_nodes_themselves(fitted):
    """Against the 0-hop embeddings of the table's nodes, which the curves are not made from."""
    (target_fit,) = fitted.targets
    curves = number_curves(target_fit.ensemble, fitted.graphs)
    assert {c.feature for c in curves} == {"parameters", "macs"}
    names = [f.name for f in fitted.schema.numeric]
    first = len(fitted.schema.categorical)
    batch = GraphBatch.of(fitted.graphs)
    with torch.no_grad():
        hops = [n.hops(batch, last=0)[0].double().numpy() for n in target_fit.ensemble.networks]
    totals = [
        np.array([part.sum(1).mean() for part in np.split(h, fitted.graphs.offsets[1:-1])]) for h in hops
    ]
    weights = target_fit.ensemble.weights(0)
    sizes = {"parameters": "parameters", "macs": "macs"}
    for curve in curves:
        raw = np.concatenate([getattr(g, sizes[curve.feature]) for g in fitted.table.graphs])
        column = first + names.index(curve.feature)
        expected = [
            (h[:, column] - h[:, column].mean()) / total.std() for h, total in zip(hops, totals, strict=True)
        ]
        mean = np.tensordot(weights, np.array(expected), 1)
        assert curve.values == tuple(sorted(set(raw[raw > 0].tolist())))
        for value, effect, std, count, *each in zip(
            curve.values, curve.effect, curve.effect_std, curve.counts, *curve.member_effects, strict=True
        ):
            node = int(np.flatnonzero(raw == value)[0])
            assert effect == pytest.approx(mean[node], rel=1e-4, abs=1e-6)
            assert each == pytest.approx([e[node] for e in expected], rel=1e-4, abs=1e-6)
            assert std == pytest.approx(np.sqrt(weights @ (np.array(each) - effect) ** 2), rel=1e-6)
            assert count == (raw == value).sum()
        assert curve.absent is not None
        assert curve.absent[0] == pytest.approx(mean[int(np.flatnonzero(raw == 0)[0])], rel=1e-4, abs=1e-6)
        assert curve.absent[2] == (raw == 0).sum()


def test_many_values_become_evenly_spaced_points_that_count_every_node(fitted):
    (target_fit,) = fitted.targets
    numbers = fitted.graphs.numbers.copy()
    column = [f.name for f in fitted.schema.numeric].index("macs")
    numbers[:, column] = np.random.default_rng(0).uniform(0.1, 3, len(numbers))
    curves = number_curves(target_fit.ensemble, replace(fitted.graphs, numbers=numbers))
    curve = next(c for c in curves if c.feature == "macs")
    assert len(curve.values) == 24
    assert sum(curve.counts) == len(numbers)
    assert curve.absent is None
    assert np.std(np.diff(np.log(curve.values[8:]))) < 0.01
    assert [c.range for c in curves] == sorted((c.range for c in curves), reverse=True)
