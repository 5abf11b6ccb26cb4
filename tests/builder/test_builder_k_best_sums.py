"""Building: best first, whatever the size of the space."""

from __future__ import annotations

import heapq
from itertools import islice, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nasbuild.builder._k_best_sums as best
from nasbuild.builder import best_by_prediction, build, count_buildable, k_best_sums, reduce_space
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import contains, count_modules, load_space, space_from_yaml, space_to_yaml
from nasbuild.table import load_builtin

COLUMNS = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def fitted():
    table = load_builtin("digits-macro").select(range(0, 1728, 40))
    return fit(table, ["loss", "acc"], recipe=recipe("paper", epochs=1, repeats=1), baselines=False)


@settings(deadline=None)
@given(COLUMNS)
def test_every_combination_once_in_order_of_its_sum(columns):
    arrays = [np.sort(np.array(c, dtype=float))[::-1] for c in columns]
    found = list(k_best_sums(arrays))
    everything = list(product(*(range(len(a)) for a in arrays)))
    assert sorted(p for _, p in found) == everything
    sums = [s for s, _ in found]
    assert sums == sorted(sums, reverse=True)
    assert all(s == sum(a[i] for a, i in zip(arrays, p, strict=True)) for s, p in found)


def test_a_thousand_of_10_to_the_38_cost_a_few_thousand_steps(monkeypatch):
    pushed = []
    monkeypatch.setattr(
        best,
        "heapq",
        SimpleNamespace(
            heappop=heapq.heappop, heappush=lambda h, x: (pushed.append(1), heapq.heappush(h, x))
        ),
    )
    rng = np.random.default_rng(0)
    columns = [np.sort(rng.normal(size=7371))[::-1] for _ in range(10)]
    assert len(list(islice(best.k_best_sums(columns), 1000))) == 1000
    assert len(pushed) <= 10 * 1000


@pytest.mark.parametrize("target", ["loss", "acc"])
def test_the_best_by_brute_force(fitted, target):
    target_fit = fitted.of(target)
    by_stage = [s.score for s in target_fit.stages]
    sums = np.array([sum(c) for c in product(*by_stage)])
    expected = np.sort(sums)[:: -target_fit.target.sign][:50]
    built = build(target_fit, 50)
    assert np.allclose([b.score for b in built], expected, rtol=0, atol=1e-9)
    assert len({b.architecture for b in built}) == 50
    for b in built:
        assert contains(fitted.space, b.architecture)
        assert np.allclose(target_fit.scorer.shares([b.architecture])[0], b.shares, rtol=1e-5)


@pytest.mark.parametrize("target", ["loss", "acc"])
def test_the_best_predicted_of_some(fitted, target):
    target_fit = fitted.of(target)
    built = build(target_fit, 60)
    chosen = best_by_prediction(target_fit, built, 7)
    values = sorted((one.prediction for one in built), reverse=target_fit.target.sign > 0)[:7]
    assert [one.prediction for one in chosen] == values


def test_k_leaves_k_modules_a_stage(fitted):
    target_fit = fitted.of("loss")
    built = build(target_fit, 1000, k=3)
    assert len(built) == 27
    for u in range(3):
        top = {target_fit.stages[u].module(fitted.space, int(r)) for r in target_fit.stages[u].best(-1, 3)}
        assert {b.architecture.modules[u] for b in built} == top


def test_more_than_there_are(fitted):
    assert len(build(fitted.of(), 5000)) == 1728 == count_buildable(fitted.of())


@pytest.mark.parametrize(("n", "k"), [(0, None), (-1, None), (1, 0)])
def test_nothing_can_not_be_built(fitted, n, k):
    with pytest.raises(NasbuildError, match="1 or more"):
        build(fitted.of(), n, k=k)


def test_the_reduced_space_unites_the_best_modules_of_all_targets(fitted):
    reduced = reduce_space(fitted.targets, 4)
    for u, stage in enumerate(reduced.stages):
        expected = {
            one.stages[u].module(fitted.space, int(r))
            for one in fitted.targets
            for r in one.stages[u].best(one.target.sign, 4)
        }
        assert set(stage.modules or ()) == expected
        assert 4 <= count_modules(stage) <= 8
    assert space_from_yaml(space_to_yaml(reduced)) == reduced
    architectures = build(fitted.of(), 64, k=4)
    assert all(contains(reduced, b.architecture) for b in architectures)


def test_a_reduced_space_is_asked_for_rightly(fitted):
    with pytest.raises(NasbuildError, match="1 or more"):
        reduce_space(fitted.targets, 0)
    other = SimpleNamespace(scorer=SimpleNamespace(space=load_space("mnasnet")))
    with pytest.raises(NasbuildError, match="different spaces"):
        reduce_space([fitted.of(), other], 2)
