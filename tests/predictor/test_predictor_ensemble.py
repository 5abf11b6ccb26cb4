"""Ensembles: splits, weights of members, and equal bits for any number of workers."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictor_samples import SCHEMA, equal_members, network, random_graphs

from nasbuild.errors import NasbuildError, TableError
from nasbuild.predictor import (
    Ensemble,
    GraphBatch,
    Member,
    Recipe,
    Shape,
    fit_ensembles,
    plan_splits,
    recipe,
    weighted_mean_std,
)
from nasbuild.space import Graphs

SHAPE = Shape("gatv2", 2, 8)
RECIPE = recipe("paper", hops=2, width=8, epochs=2, batch=8, few=50, folds=2, repeats=1, members=2)


@given(st.integers(5, 60), st.integers(2, 5), st.integers(1, 3), st.integers(0, 5))
def test_few_labels_are_folded(n, folds, repeats, seed):
    plan = plan_splits(n, Recipe(few=60, folds=folds, repeats=repeats), seed)
    assert len(plan) == folds * repeats
    for start in range(0, len(plan), folds):
        held = np.concatenate([test for _, test in plan[start : start + folds]])
        assert sorted(held) == list(range(n))
        sizes = [len(test) for _, test in plan[start : start + folds]]
        assert max(sizes) - min(sizes) <= 1
    for train, test in plan:
        assert sorted([*train, *test]) == list(range(n))


@given(st.integers(10, 300), st.integers(1, 4), st.floats(0.05, 0.5), st.integers(0, 5))
def test_many_labels_are_held_out_at_random(n, members, share, seed):
    plan = plan_splits(n, Recipe(few=9, members=members, holdout=share), seed)
    assert len(plan) == members
    for train, test in plan:
        assert sorted([*train, *test]) == list(range(n))
        assert len(test) == max(round(n * share), 1)


def test_plans_depend_on_the_seed_and_repeats_are_shuffled_anew():
    plan = plan_splits(20, Recipe(), 0)
    again, other = plan_splits(20, Recipe(), 0), plan_splits(20, Recipe(), 1)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(plan, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(plan, other, strict=True))
    assert len({tuple(test) for _, test in plan}) > 5


@pytest.mark.parametrize(
    ("n", "settings"), [(3, Recipe(folds=2)), (2, Recipe()), (3, Recipe(few=0, holdout=0.9))]
)
def test_a_plan_leaves_two_labels_to_learn_from(n, settings):
    with pytest.raises(TableError, match="too few to learn from some"):
        plan_splits(n, settings, 0)


def with_srcc(*columns: list[float]) -> Ensemble:
    nothing = np.empty(0)
    members = (Member({}, 0.0, 1.0, nothing, nothing, np.array(c), nothing, nothing) for c in columns)
    return Ensemble(SCHEMA, SHAPE, tuple(members))


def test_members_weigh_what_their_test_says():
    ensemble = with_srcc([0.9, 0.0, -0.5, 1.0], [0.3, 0.2, -0.1, -1.0], [-0.6, 0.6, 0.0, -0.2])
    assert ensemble.weights(0) == pytest.approx([0.75, 0.25, 0])
    assert ensemble.weights(1) == pytest.approx([0, 0.25, 0.75])
    assert ensemble.weights(2) == pytest.approx([1 / 3] * 3)
    assert ensemble.weights(3) == pytest.approx([1, 0, 0])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_weights_are_shares(column):
    weights = with_srcc(*([v] for v in column)).weights(0)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    if max(column) > 0:
        assert all(w == 0 for w, v in zip(weights, column, strict=True) if v <= 0)


def test_means_and_deviations_are_weighted():
    values = np.array([[1.0, 5.0], [4.0, 5.0], [100.0, -3.0]])
    mean, std = weighted_mean_std(values, np.array([2 / 3, 1 / 3, 0]))
    assert mean == pytest.approx([2, 5])
    assert std == pytest.approx([np.sqrt((2 * 1 + 4) / 3), 0])


def made_of(nets, srccs, units) -> Ensemble:
    nothing = np.empty(0)
    members = []
    for net, srcc, (mean, std) in zip(nets, srccs, units, strict=True):
        weights = {n: v.numpy().copy() for n, v in net.state_dict().items()}
        members.append(Member(weights, mean, std, nothing, nothing, np.array(srcc), nothing, nothing))
    return Ensemble(SCHEMA, SHAPE, tuple(members))


def test_predictions_are_weighted_and_in_the_labels_unit():
    nets = [network(SHAPE, seed) for seed in range(3)]
    srccs = [[0.1, 0.1, 0.1, s] for s in (0.6, 0.2, -0.5)]
    ensemble = made_of(nets, srccs, [(10.0, 2.0), (20.0, 3.0), (1e9, 1.0)])
    graphs = random_graphs(np.random.default_rng(0), 6)
    value, std = ensemble.predict(graphs)
    first, second = (net(GraphBatch.of(graphs))[0].detach().numpy() for net in nets[:2])
    a, b = 10 + 2 * first, 20 + 3 * second
    assert value == pytest.approx(0.75 * a + 0.25 * b, rel=1e-5)
    assert std == pytest.approx(np.sqrt(0.75 * 0.25) * np.abs(a - b), rel=1e-4)
    assert [v.shape for v in ensemble.predict(graphs.select([]))] == [(0,), (0,)]


def problem(rows: int = 24, seed: int = 0) -> tuple[Graphs, np.ndarray]:
    rng = np.random.default_rng(seed)
    return random_graphs(rng, rows), rng.normal(size=rows)


def test_each_problem_gets_an_ensemble_by_the_plan():
    few, many = problem(20), problem(60, 1)
    first, second = fit_ensembles(SCHEMA, SHAPE, [few, many], RECIPE, seed=4)
    for ensemble, (_, labels) in ((first, few), (second, many)):
        plan = plan_splits(len(labels), RECIPE, 4)
        assert len(ensemble.members) == len(plan)
        for member, (train, test) in zip(ensemble.members, plan, strict=True):
            assert np.array_equal(member.train, train)
            assert np.array_equal(member.test, test)
    # By itself each is the same, and members begin at different weights.
    (alone,) = fit_ensembles(SCHEMA, SHAPE, [many], RECIPE, seed=4)
    assert all(equal_members(a, b) for a, b in zip(alone.members, second.members, strict=True))
    head = [member.weights["head.0.weight"] for member in second.members]
    assert not np.allclose(head[0], head[1], atol=0.01)


def test_any_number_of_workers_gives_the_same_bits_and_tells_its_progress():
    problems = [problem(), problem(30, 1)]
    told: list[tuple[int, int]] = []
    alone = fit_ensembles(SCHEMA, SHAPE, problems, RECIPE, seed=3, progress=lambda *p: told.append(p))
    assert told == [(n, 8) for n in range(1, 9)]
    told.clear()
    together = fit_ensembles(
        SCHEMA, SHAPE, problems, RECIPE, seed=3, workers=2, progress=lambda *p: told.append(p)
    )
    assert told[-1] == (8, 8)
    assert told == sorted(told)
    for one, two in zip(alone, together, strict=True):
        assert all(equal_members(a, b) for a, b in zip(one.members, two.members, strict=True))


@pytest.fixture
def one_process(monkeypatch):
    """A pool of one worker instead of two, as each imports PyTorch."""
    monkeypatch.setattr(
        "nasbuild.predictor.gnn._ensemble.ProcessPoolExecutor", lambda _, *more: ProcessPoolExecutor(1, *more)
    )


@pytest.mark.usefixtures("one_process")
def test_an_error_in_a_worker_is_the_callers():
    with pytest.raises(NasbuildError, match="recipe 'paper' diverged; use a smaller learning rate"):
        fit_ensembles(SCHEMA, SHAPE, [problem()], replace(RECIPE, learning_rate=1e30), workers=2)


class Fatal(Recipe):
    """A recipe that ends the process it is sent to."""

    def __reduce__(self):
        return os._exit, (3,)


@pytest.mark.usefixtures("one_process")
def test_a_worker_that_ends_raises_one_clear_sentence():
    fatal = Fatal(**RECIPE.as_dict())
    with pytest.raises(NasbuildError, match="ended before its work was done; fit with one worker"):
        fit_ensembles(SCHEMA, SHAPE, [problem()], fatal, workers=2)


@settings(max_examples=8, deadline=None)
@given(st.integers(5, 9), st.sampled_from(["gatv2", "graphconv", "gcn", "gin"]), st.integers(0, 99))
def test_tiny_tables_can_be_fitted(rows, kind, seed):
    graphs, labels = problem(rows, seed)
    labels = labels.round()  # a fold may hold a single value
    labels[0] = labels[1] + 1
    settings = replace(RECIPE, convolution=kind, folds=5)
    (ensemble,) = fit_ensembles(SCHEMA, replace(SHAPE, convolution=kind), [(graphs, labels)], settings)
    value, std = ensemble.predict(graphs)
    assert np.isfinite(value).all()
    assert (std >= 0).all()
