"""The best architectures by summed score, against enumeration."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from builder_samples import made_up
from hypothesis import assume, given
from hypothesis import strategies as st

from nasbuild.builder import SELECTION_STD_FACTOR, best_by_prediction, build, count_buildable
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import contains, count_architectures, encode, load_space
from nasbuild.table import load_builtin
from strategies import relaxed, spaces


@pytest.fixture(scope="module")
def fitted():
    table = load_builtin("digits-macro").select(range(0, 1728, 40))
    return fit(table, ["loss", "acc"], recipe=recipe("paper", epochs=1, repeats=1), baselines=False)


@given(
    spaces(most_stages=2, most_modules=20),
    st.integers(0, 99),
    st.booleans(),
    st.booleans(),
    st.integers(1, 30),
)
@relaxed
def test_the_best_of_any_space_match_brute_force(space, seed, minimize, ties, n):
    assume(count_architectures(space) <= 3_000)
    target_fit = made_up(space, seed, minimize=minimize, ties=ties)
    built = build(target_fit, n)
    sums = [sum(c) for c in product(*(stage.score.tolist() for stage in target_fit.stages))]
    expected = sorted(sums, reverse=not minimize)[:n]
    assert [b.score for b in built] == pytest.approx(expected)
    assert len({b.architecture for b in built}) == len(built) == min(n, len(sums))
    for b in built:
        assert contains(space, b.architecture)
        assert b.score == pytest.approx(sum(b.shares))
        assert all(type(v) is float for v in (b.score, *b.shares, b.prediction, b.std))
        for stage, module, share in zip(target_fit.stages, b.architecture, b.shares, strict=True):
            ranks = [r for r in range(len(stage)) if stage.module(space, r) == module]
            assert share in [stage.score[r] for r in ranks]
    # A minimised target's scores ascend, a maximised one's descend; never by a rounding the other way.
    ordered = [b.score for b in built]
    assert ordered == sorted(ordered, reverse=not minimize)


@given(spaces(), st.integers(0, 99), st.booleans(), st.integers(1, 3))
@relaxed
def test_k_modules_per_stage_give_k_to_the_stages(space, seed, minimize, k):
    target_fit = made_up(space, seed, minimize=minimize)
    possible = math.prod(min(k, len(stage)) for stage in target_fit.stages)
    built = build(target_fit, 10_000, k=k)
    assert len(built) == possible
    for u, stage in enumerate(target_fit.stages):
        ends = range(len(stage))[-k:] if minimize else range(len(stage))[:k]
        assert {b.architecture.modules[u] for b in built} == {stage.module(space, r) for r in ends}


def test_predictions_match_the_ensemble():
    space = load_space("nas-bench-macro")
    target_fit = made_up(space, 3)
    built = build(target_fit, 20)
    value, std = target_fit.scorer.ensemble.predict(encode(space, [b.architecture for b in built]))
    assert [b.prediction for b in built] == pytest.approx(value.tolist(), rel=1e-6)
    assert [b.std for b in built] == pytest.approx((SELECTION_STD_FACTOR * std).tolist(), rel=1e-6)
    assert np.ptp(value) > 0


@given(spaces(), st.integers(0, 9))
@relaxed
def test_buildable_architectures_are_counted(space, seed):
    assert count_buildable(made_up(space, seed)) == count_architectures(space)
    searched = made_up(space, seed, kept=2)
    assert count_buildable(searched) == math.prod(len(stage) for stage in searched.stages)
    if count_buildable(searched) < 300:
        assert len(build(searched, 301)) == count_buildable(searched)


def test_a_large_space_is_counted_exactly():
    assert count_buildable(made_up(load_space("ofa-mobilenet-v3"), 0)) == 7_371**5


@pytest.mark.parametrize("target", ["loss", "acc"])
def test_build_matches_brute_force(fitted, target):
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
def test_best_by_prediction_selects_the_best(fitted, target):
    target_fit = fitted.of(target)
    built = build(target_fit, 60)
    chosen = best_by_prediction(target_fit, built, 7)
    values = sorted((one.prediction for one in built), reverse=target_fit.target.sign > 0)[:7]
    assert [one.prediction for one in chosen] == values


def test_k_restricts_each_stage(fitted):
    target_fit = fitted.of("loss")
    built = build(target_fit, 1000, k=3)
    assert len(built) == 27
    for u in range(3):
        top = {target_fit.stages[u].module(fitted.space, int(r)) for r in target_fit.stages[u].best(-1, 3)}
        assert {b.architecture.modules[u] for b in built} == top


def test_build_returns_at_most_the_whole_space(fitted):
    assert len(build(fitted.of(), 5000)) == 1728 == count_buildable(fitted.of())


@pytest.mark.parametrize(("n", "k"), [(0, None), (-1, None), (1, 0)])
def test_invalid_numbers_are_refused(fitted, n, k):
    with pytest.raises(NasbuildError, match="1 or more"):
        build(fitted.of(), n, k=k)
