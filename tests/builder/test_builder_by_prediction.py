"""Building by prediction against every architecture of small spaces."""

from __future__ import annotations

import numpy as np
import pytest
from builder_samples import EVERY, QUICK, SIZES, predicted

from nasbuild.builder import (
    PREDICTION_POOL,
    Bound,
    _beam_search,
    _best_context,
    best_by_prediction,
    best_context_modules,
    best_context_values,
    best_predicted_modules,
    build_predicted,
    build_within,
    expected_values,
    parse_bound,
)
from nasbuild.builder._beam_search import best_predicted_picks
from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._scored_modules import scored_modules
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import enumerate_architectures
from nasbuild.table import load_builtin

pytestmark = pytest.mark.usefixtures("few_rounds")


@pytest.fixture(scope="module", params=["default", "ridge"])
def fitted(request):
    some = np.sort(np.random.default_rng(0).permutation(1728)[:90])
    table = load_builtin("digits-macro").select(some)
    return fit(table, ["acc", "latency_cpu"], recipe=QUICK[request.param], baselines=False)


def bounded_table(seed: int) -> tuple[PairwisePrediction, np.ndarray]:
    """Combinations with an exact cost and a bound on the second target, and those that are within."""
    rng = np.random.default_rng(seed + 50)
    costs = tuple(rng.integers(1, 9, (size, 1)).astype(float) for size in SIZES)
    plain = predicted(seed, 2, strength=0.3)
    limit = float(np.quantile(plain.values(EVERY)[:, 1], 0.3))
    what = predicted(seed, 2, strength=0.3, costs=costs, upper=np.array([18.0]), on_targets=((1, 1, limit),))
    spent = sum(cost[EVERY[:, u], 0] for u, cost in enumerate(costs))
    return what, EVERY[(spent <= 18) & (plain.values(EVERY)[:, 1] <= limit)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", range(4))
def test_a_small_space_is_compared_exhaustively(seed, sign, monkeypatch):
    monkeypatch.setattr(_beam_search, "_CHUNK", 100)
    what, inside = bounded_table(seed)
    found, proven = best_predicted_picks(what, sign, EVERY[:0], 12)
    assert proven
    expected_order = inside[np.argsort(-sign * what.values(inside)[:, 0])][:12]
    assert found.tolist() == expected_order.tolist()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", range(4))
def test_beam_search_finds_the_best_of_a_larger_space(seed, sign, monkeypatch):
    monkeypatch.setattr(_beam_search, "LISTED", 0)
    monkeypatch.setattr(_beam_search, "WIDTH", 40)
    what, inside = bounded_table(seed)
    spent = sum(cost[EVERY[:, u]] for u, cost in enumerate(what.costs))
    # It begins beyond the bound on the target, at what is within the costs alone.
    values = what.values(EVERY)
    beyond = EVERY[(spent <= what.upper).all(axis=1) & (what.excess(values) > 0)][:3]
    found, proven = best_predicted_picks(what, sign, beyond, 12)
    assert not proven
    best = np.sort(-sign * what.values(inside)[:, 0])[:12]
    assert -sign * what.values(found)[:, 0] == pytest.approx(best)
    assert {tuple(p) for p in found.tolist()} <= {tuple(p) for p in inside.tolist()}


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_nothing_within_bounds_has_a_better_prediction(fitted, share):
    most = float(np.quantile(fitted.of("latency_cpu").labels.values, share))
    every = list(enumerate_architectures(fitted.space))
    value, latency = (fitted.of(name).scorer.predict(every)[0] for name in ("acc", "latency_cpu"))
    layers = np.array([sum(map(len, a.modules)) for a in every])
    best = np.sort(value[(latency <= most) & (layers >= 4)])[::-1][:25]
    assert len(best) == 25
    found = build_predicted(fitted, "acc", 25, [Bound("latency_cpu", 1, most), Bound("layers", -1, 4)])
    assert found.proven
    assert found.pool is None
    assert [one.prediction for one in found.built] == pytest.approx(best)
    built = [one.architecture for one in found.built]
    assert expected_values(fitted, "latency_cpu", built)[0].max() <= most * (1 + 1e-6)
    assert min(sum(map(len, a.modules)) for a in built) >= 4


def test_inexact_pairs_are_reranked_by_the_prediction_and_not_proven():
    some = np.sort(np.random.default_rng(0).permutation(1728)[:90])
    table = load_builtin("digits-macro").select(some)
    fitted = fit(table, ["acc", "latency_cpu"], recipe=QUICK["radial"], baselines=False)
    target_fit = fitted.of("acc")
    assert not target_fit.scorer.exact_pairs
    most = float(np.median(fitted.of("latency_cpu").labels.values))
    every = list(enumerate_architectures(fitted.space))
    value, latency = (fitted.of(name).scorer.predict(every)[0] for name in ("acc", "latency_cpu"))
    found = build_predicted(fitted, "acc", 20, [Bound("latency_cpu", 1, most)])
    assert not found.proven
    assert [one.prediction for one in found.built] == pytest.approx(
        np.sort(value[latency <= most])[::-1][:20]
    )
    codes = [
        [s.encode(m) for m in dict.fromkeys(a.modules[u] for a in every)]
        for u, s in enumerate(fitted.space.stages)
    ]
    assert np.sort(target_fit.scorer.predict_combinations(codes)) == pytest.approx(np.sort(value))


def test_beam_search_of_a_fit_matches_exhaustive_search(fitted, monkeypatch):
    bounds = [Bound("latency_cpu", 1, float(np.median(fitted.of("latency_cpu").labels.values)))]
    whole = build_predicted(fitted, "acc", 10, bounds)
    monkeypatch.setattr(_beam_search, "LISTED", 0)
    found = build_predicted(fitted, "acc", 10, bounds)
    assert not found.proven
    assert [one.prediction for one in found.built] == pytest.approx([one.prediction for one in whole.built])


@pytest.fixture(scope="module")
def company(fitted):
    """For each stage, its modules with the best y' of all architectures that hold them, best first."""
    every = list(enumerate_architectures(fitted.space))
    value = fitted.of("acc").scorer.predict(every)[0]
    found = []
    for u in range(len(fitted.space.stages)):
        best: dict = {}
        for architecture, v in zip(every, value, strict=True):
            best[architecture.modules[u]] = max(best.get(architecture.modules[u], -np.inf), v)
        found.append(best)
    return found


@pytest.mark.parametrize("listed", [True, False])
def test_best_context_values_match_brute_force(fitted, company, listed, monkeypatch):
    if not listed:
        monkeypatch.setattr(_best_context, "LISTED", 0)
        monkeypatch.setattr(_beam_search, "LISTED", 0)
    target_fit = fitted.of("acc")
    table = scored_modules([target_fit])
    worth = best_context_values(target_fit.scorer, 1, table)
    for u, own in enumerate(worth):
        found = target_fit.scorer.labels_at(own)
        told = np.array([company[u][table.module(u, i)] for i in range(len(own))])
        assert (found <= told + 1e-9).all()
        # What swaps don't reach is no module of the best architectures.
        close = np.argsort(-told)[: len(told) if listed else 4]
        assert found[close] == pytest.approx(told[close])
    best = best_predicted_modules(target_fit.scorer, 1, table, 7)
    built = [one.architecture for one in build_predicted(fitted, "acc", 7).built]
    assert [table.architecture(pick) for pick in best.tolist()] == built
    small = best_context_values(
        fitted.of("latency_cpu").scorer, -1, scored_modules([fitted.of("latency_cpu")])
    )
    assert max(map(max, small)) == pytest.approx(min(map(max, small)))


def test_modules_are_ranked_by_their_expected_best_context(fitted):
    """Against eight times the samples, of all of the space."""
    target_fit = fitted.of("acc")
    table = scored_modules([target_fit])
    found = best_context_modules(target_fit.scorer, 1, table, 3)
    every = list(enumerate_architectures(fitted.space))
    samples = target_fit.scorer.posterior_samples(every, 4_000, seed=9)
    if samples is None:
        worth = best_context_values(target_fit.scorer, 1, table)
        assert [own.tolist() for own in found] == [np.argsort(-w, kind="stable")[:3].tolist() for w in worth]
        return
    for u, own in enumerate(found):
        modules = [table.module(u, i) for i in range(len(table.codes[u]))]
        of = np.array([modules.index(a.modules[u]) for a in every])
        hoped = np.array([samples[:, of == i].max(axis=1).mean() for i in range(len(modules))])
        assert hoped[own] == pytest.approx(np.sort(hoped)[::-1][:3], abs=0.1 * np.ptp(hoped))
        assert own[0] == hoped.argmax()


def test_modules_of_no_candidate_are_ordered_by_their_best_context(fitted, monkeypatch):
    monkeypatch.setattr(_best_context, "_CANDIDATES", 1)
    target_fit = fitted.of("acc")
    table = scored_modules([target_fit])
    worth = best_context_values(target_fit.scorer, 1, table)
    for own, found in zip(worth, best_context_modules(target_fit.scorer, 1, table, 5), strict=True):
        # One candidate has one module a stage.
        rest = [i for i in np.argsort(-own, kind="stable") if i != found[0]]
        assert found[1:].tolist() == rest[: len(found) - 1]


def test_only_the_modules_of_the_best_context_are_used(fitted):
    built = build_predicted(fitted, "acc", 1000, k=2).built
    assert len(built) == 8
    target_fit = fitted.of("acc")
    table = scored_modules([target_fit])
    for u, own in enumerate(best_context_modules(target_fit.scorer, 1, table, 2)):
        assert {one.architecture.modules[u] for one in built} == {table.module(u, i) for i in own}
    values = [one.prediction for one in built]
    assert values == sorted(values, reverse=True)


def test_architectures_within_bounds_only_by_prediction_are_found(fitted):
    latency = fitted.of("latency_cpu").scorer
    every = list(enumerate_architectures(fitted.space))
    value = latency.predict(every)[0]
    # Between the least y' and the least of what sums expect, where the two differ.
    most = float(value.min()) * 1.0001
    found = build_predicted(fitted, "acc", 3, [Bound("latency_cpu", 1, most)])
    assert {one.architecture for one in found.built} == {
        a for a, v in zip(every, value, strict=True) if v <= most
    }


def test_an_infeasible_bound_names_the_nearest_value(fitted):
    least = float(
        fitted.of("latency_cpu").scorer.predict(list(enumerate_architectures(fitted.space)))[0].min()
    )
    with pytest.raises(
        NasbuildError, match="no architecture was found whose predictions are within"
    ) as caught:
        build_predicted(fitted, "acc", 3, [Bound("latency_cpu", 1, least / 2)])
    near = parse_bound((caught.value.todo or "").removeprefix("loosen them: the nearest needs "))
    assert near == Bound("latency_cpu", 1, pytest.approx(least, rel=1e-3))
    assert build_predicted(fitted, "acc", 3, [near]).built
    with pytest.raises(NasbuildError, match="nothing is within all bounds"):
        build_predicted(fitted, "acc", 3, [Bound("latency_cpu", 1, least * 2), Bound("layers", 1, 0)])


def test_recipes_without_pairs_compare_the_best_by_score():
    table = load_builtin("digits-macro").select(range(0, 1728, 20))
    fitted = fit(table, ["acc", "latency_cpu"], recipe=recipe("lightgbm", folds=2), baselines=False)
    most = float(np.median(fitted.of("latency_cpu").labels.values))
    bounds = [Bound("latency_cpu", 1, most)]
    found = build_predicted(fitted, "acc", 5, bounds)
    pool = build_within(fitted, "acc", PREDICTION_POOL, bounds).built
    assert found.pool == len(pool)
    assert not found.proven
    latency = expected_values(fitted, "latency_cpu", [one.architecture for one in pool])[0]
    within = [one for one, value in zip(pool, latency, strict=True) if value <= most]
    assert len(within) < len(pool)
    assert [one.prediction for one in found.built] == [
        one.prediction for one in best_by_prediction(fitted.of("acc"), within, 5)
    ]
