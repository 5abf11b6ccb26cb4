"""Exhaustive predictions against predicting architectures one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from builder_samples import made_up
from hypothesis import assume, given
from hypothesis import strategies as st

from nasbuild.builder import architecture_at, build, build_exhaustive, exhaustive_values
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe as named
from nasbuild.score import fit
from nasbuild.space import count_architectures, load_space
from nasbuild.table import load_builtin
from strategies import relaxed, spaces

pytestmark = pytest.mark.usefixtures("few_rounds")


def listed(target_fit):
    """Every architecture in the documented order."""
    return [architecture_at(target_fit, i) for i in range(int(np.prod([len(s) for s in target_fit.stages])))]


@given(spaces(), st.integers(0, 9))
@relaxed
def test_networks_predict_all_architectures_as_one_by_one(space, seed):
    assume(count_architectures(space) <= 2_000)
    target_fit = made_up(space, seed)
    every = listed(target_fit)
    assert len(set(every)) == len(every) == count_architectures(space)
    np.testing.assert_allclose(
        exhaustive_values(target_fit), target_fit.scorer.predict(every)[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("convolution", ["gatv2", "gcn", "graphconv", "gin"])
def test_a_deep_network_predicts_as_on_the_whole_chain(convolution):
    table = load_builtin("digits-macro")
    rows = np.random.default_rng(0).choice(len(table), 60, replace=False)
    settings = named("paper", convolution=convolution, epochs=3, repeats=1, folds=2, hops=2)
    target_fit = fit(table.select(rows), ["loss"], recipe=settings, baselines=False).targets[0]
    some = np.random.default_rng(1).choice(count_architectures(table.space), 200, replace=False)
    predicted = target_fit.scorer.predict([architecture_at(target_fit, int(i)) for i in some])[0]
    np.testing.assert_allclose(-exhaustive_values(target_fit)[some], predicted, rtol=1e-4)


def test_the_chunk_size_does_not_change_predictions(monkeypatch):
    import nasbuild.predictor.gnn._exhaustive as every

    target_fit = made_up(load_space("digits-macro"), 3)
    whole = exhaustive_values(target_fit)
    monkeypatch.setattr(every, "_AT_ONCE", 50)
    monkeypatch.setattr(every, "_GRAPHS", 7)
    np.testing.assert_allclose(exhaustive_values(target_fit), whole, rtol=1e-5)


@pytest.mark.parametrize("recipe", ["default", "ridge", "lightgbm"])
def test_other_recipes_rank_by_their_own_prediction(recipe):
    table = load_builtin("digits-macro")
    rows = np.random.default_rng(0).choice(len(table), 60, replace=False)
    target_fit = fit(table.select(rows), ["loss"], recipe=named(recipe, folds=2), baselines=False).targets[0]
    some = np.random.default_rng(1).choice(count_architectures(table.space), 100, replace=False)
    predicted = target_fit.scorer.predict([architecture_at(target_fit, int(i)) for i in some])[0]
    np.testing.assert_allclose(-exhaustive_values(target_fit)[some], predicted, rtol=1e-6)


@pytest.mark.parametrize("minimize", [False, True])
def test_the_best_are_the_first_in_sorted_order(minimize):
    table = load_builtin("digits-macro")
    table = table.select(np.random.default_rng(0).choice(len(table), 40, replace=False))
    target = "loss" if minimize else "sqrt(loss)"
    settings = named("paper", epochs=2, repeats=1, folds=2)
    target_fit = fit(table, [target], recipe=settings, baselines=False).targets[0]
    assert target_fit.target.sign == (-1 if minimize else 1)
    every = listed(target_fit)
    value = target_fit.target.sign * target_fit.scorer.predict(every)[0]
    built = build_exhaustive(target_fit, 25)
    found = target_fit.target.sign * np.array([one.prediction for one in built])
    np.testing.assert_allclose(found, np.sort(value)[::-1][:25], rtol=1e-5)
    assert len({one.architecture for one in built}) == 25
    assert len(build_exhaustive(target_fit, 10**6)) == len(every)


@given(spaces(), st.integers(0, 9))
@relaxed
def test_the_first_by_score_is_built_first(space, seed):
    assume(count_architectures(space) <= 2_000)
    target_fit = made_up(space, seed)
    worth = exhaustive_values(target_fit, "score")
    sums = [sum(v) for v in product(*(stage.score for stage in target_fit.stages))]
    assert worth == pytest.approx(sums)
    best = build(target_fit, 1)[0]
    assert architecture_at(target_fit, int(worth.argmax())) == best.architecture


def test_a_space_that_is_too_large_is_refused():
    with pytest.raises(NasbuildError, match=r"too large to predict.*4,000,000"):
        exhaustive_values(made_up(load_space("fashion-ofa"), 0, kept=30))
