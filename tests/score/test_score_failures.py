"""Where evaluations fail: several kinds of regions against the truth, and bad luck distinguished from them."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nasbuild.score import FailureRule, failure_rule, fit_failures
from nasbuild.score._failure_columns import FailureColumns
from nasbuild.score._failures import _fitted
from nasbuild.space import enumerate_architectures, sample, space_from_dict, to_dict


def space_of(stages, depth, features, **more):
    each = [{"name": f"s{n}", "depth": depth, "features": features} for n in range(stages)]
    return space_from_dict({"name": "failing", "stages": each, **more})


MIXED = space_of(3, [1, 2, 3], {"op": ["a", "b", "c"], "width": [16, 32, 64]})
SINGLE = space_of(6, [1], {"width": [8, 16, 32, 64]})
DEEP = space_of(2, [6, 8, 10], {"op": ["a", "b", "c"], "width": [16, 32]})
TIED = space_of(
    3,
    [1, 2],
    {"op": ["a", "b"], "width": [16, 32, 64]},
    tied=[["s0.width", "s1.width"]],
    globals={"resolution": [128, 160, 224]},
    costs={"params": {"constant": 5, "sum": [{"product": "previous.width * width", "first": {"width": 3}}]}},
)


def layers(arch):
    return [layer for stage in arch["stages"] for layer in stage]


def width(arch):
    return sum(layer["width"] for layer in layers(arch))


def params(arch):
    widths = [3, *(layer["width"] for layer in layers(arch))]
    return 5 + sum(a * b for a, b in pairwise(widths))


REGIONS = {
    "choice": (MIXED, lambda a: a["stages"][0][0]["op"] == "c"),
    "depth": (MIXED, lambda a: len(a["stages"][1]) == 3),
    "sum": (MIXED, lambda a: width(a) > 270),
    "pair": (SINGLE, lambda a: a["stages"][0][0]["width"] >= 32 and a["stages"][3][0]["width"] >= 32),
    "deep choice": (DEEP, lambda a: a["stages"][0][0]["op"] == "c"),
    "deep count": (DEEP, lambda a: sum(layer["op"] == "c" for layer in a["stages"][1]) >= 4),
    "cost": (TIED, lambda a: params(a) > 6_000),
    "globals": (TIED, lambda a: a["globals"]["resolution"] == 224),
}


def drawn(space, n, seed, fails):
    some = sample(space, n, np.random.default_rng(seed), over="depths")
    return some, np.array([bool(fails(to_dict(space, a))) for a in some])


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_is_learnt_from_forty_and_most_of_what_is_held_safe_is(name):
    space, fails = REGIONS[name]
    target_fit = fit_failures(space, *drawn(space, 40, 3, fails))
    assert target_fit is not None
    others, failed = drawn(space, 1_000, 77, fails)
    risk = target_fit.probability(others)
    safe = risk <= 0.25
    base = failed.mean()
    assert failed[safe].mean() < 0.1 < base
    assert safe.sum() > 0.6 * (~failed).sum()
    # Brier score, far below the one of the base rate.
    assert ((risk - failed) ** 2).mean() < 0.5 * base * (1 - base)


LIMITS = {2: 380, 3: 240, 4: 180}


@pytest.mark.parametrize("space", [MIXED, DEEP, TIED])
def test_log_odds_are_sums_over_modules_and_costs_of_neighbours(space):
    some, failed = drawn(space, 40, 3, lambda a: width(a) > LIMITS[len(space.stages)])
    target_fit = fit_failures(space, some, failed)
    own = sum(
        target_fit.of_modules(u, [stage.encode(a.modules[u]) for a in some])
        for u, stage in enumerate(space.stages)
    )
    columns = target_fit.columns
    apart = np.zeros(len(some))
    for cost, weight in zip(columns.costs, target_fit.weights[columns.first_cost :], strict=True):
        inner = sum(
            np.array([cost.inner(space, u, stage.encode(a.modules[u])[None])[0] for a in some])
            for u, stage in enumerate(space.stages)
        )
        apart += weight * (cost.values(space, some) - cost.constant - inner)
    assert target_fit.log_odds(some) == pytest.approx(own + apart)


def test_columns_count_what_they_say():
    columns = FailureColumns(TIED)
    some = sample(TIED, 30, np.random.default_rng(0), over="depths")
    found = columns.of_architectures(some)
    archs = [to_dict(TIED, a) for a in some]
    assert found[:, columns.first_cost] == pytest.approx([params(a) - 5 for a in archs])
    assert found[:, columns.first_cost - 1] == pytest.approx([len(layers(a)) for a in archs])
    # In units of 64 and 128, the powers of 2 up to the largest, 64 and 224.
    sums = [[sum(la["width"] for la in layers(a)) / 64, a["globals"]["resolution"] / 128] for a in archs]
    assert found[:, columns.first_cost - 3 : columns.first_cost - 1] == pytest.approx(np.array(sums))
    # A choice at a layer, a depth: of each stage as many ones as it has choices made, and one for its depth.
    ones = found[:, columns.own[1]]
    places = max(TIED.stages[1].depths) * sum(TIED.stages[1].sizes)
    assert ones[:, :places].sum(axis=1).tolist() == [2 * len(a["stages"][1]) for a in archs]
    assert ones[:, -2:].tolist() == [[len(a["stages"][1]) == d for d in (1, 2)] for a in archs]


@pytest.mark.parametrize("strength", [0.3, 3.0, 30.0])
def test_weights_are_those_of_a_penalised_logistic_regression(strength):
    rng = np.random.default_rng(0)
    for rows, width in ((12, 9), (40, 3), (200, 30)):
        columns = rng.normal(size=(rows, width)) / np.sqrt(width)
        # By chance, and by a column alone: no weights without a penalty would be finite.
        for failed in (rng.random(rows) < 0.3, columns[:, 0] > 0.5 / np.sqrt(width)):
            slopes, level = _fitted(columns, failed, strength)
            oracle = LogisticRegression(C=strength, tol=1e-10, solver="newton-cholesky").fit(columns, failed)
            assert slopes == pytest.approx(oracle.coef_[0], rel=1e-5, abs=1e-5)
            assert level == pytest.approx(oracle.intercept_[0], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.33])
def test_bad_luck_is_distinguished_from_regions(share):
    told = 0
    for seed in range(12):
        rng = np.random.default_rng([seed, 5])
        some = sample(MIXED, 30, rng, over="depths")
        told += fit_failures(MIXED, some, rng.random(30) < share) is not None
    assert told <= 2


def test_a_few_failures_close_nothing():
    some, _ = drawn(MIXED, 40, 1, lambda _: False)
    for failed in combinations(range(3), 2):
        assert fit_failures(MIXED, some, np.isin(np.arange(40), failed)) is None
    assert fit_failures(MIXED, some, np.zeros(40, dtype=bool)) is None
    assert fit_failures(MIXED, some, np.ones(40, dtype=bool)) is None


def test_a_region_with_bad_luck_beside_it_stays_open_elsewhere():
    space, fails = REGIONS["choice"]
    some, failed = drawn(space, 80, 4, fails)
    lost = np.random.default_rng(4).random(80) < 0.1
    target_fit = fit_failures(space, some, failed | lost)
    risk = target_fit.probability(some)
    assert risk[failed].min() > 0.5
    assert np.median(risk[~failed]) < 0.25


def test_the_rule_names_the_region_in_counts():
    space, fails = REGIONS["choice"]
    some, failed = drawn(space, 60, 2, fails)
    found = failure_rule(space, some, failed)
    assert found == FailureRule(
        ("op = c at layer 1 of s0",), int(failed.sum()), int(failed.sum()), 0, int((~failed).sum())
    )
    assert (
        found.text
        == f"{failed.sum()} of {failed.sum()} with op = c at layer 1 of s0, 0 of {(~failed).sum()} otherwise"
    )
    space, fails = REGIONS["pair"]
    some, failed = drawn(space, 60, 2, fails)
    found = failure_rule(space, some, failed)
    assert found.conditions == ("width >= 32 in s0", "width >= 32 in s3")
    assert (found.failed, found.count, found.other_failed) == (failed.sum(), failed.sum(), 0)
    # One more that failed by bad luck is counted among the others.
    lucky = failed.copy()
    lucky[np.flatnonzero(~failed)[0]] = True
    again = failure_rule(space, some, lucky)
    assert again.conditions == found.conditions
    assert again.other_failed == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("depth", "layers >= 3 in s1"),
        ("sum", "the sum of width >= 272 over all layers"),
        ("deep count", "op = c in 4 or more layers of s1"),
        ("globals", "resolution = 224"),
    ],
)
def test_rules_speak_of_depths_sums_counts_and_globals(name, text):
    space, fails = REGIONS[name]
    some, failed = drawn(space, 60, 2, fails)
    found = failure_rule(space, some, failed)
    assert found.conditions == (text,)
    assert (found.failed, found.other_failed) == (failed.sum(), 0)


def test_no_rule_where_nothing_failed_or_all_did_or_by_bad_luck():
    some, _ = drawn(MIXED, 40, 1, lambda _: False)
    assert failure_rule(MIXED, some, np.zeros(40, dtype=bool)) is None
    assert failure_rule(MIXED, some, np.ones(40, dtype=bool)) is None
    assert failure_rule(MIXED, some, np.arange(40) % 10 == 4) is None


def huge(widths, costs=None):
    stage = {"depth": [1, 2], "features": {"width": widths, "op": ["a", "b"]}}
    costs = {"cost": {"sum": [{"feature": "op", "values": costs}]}} if costs else {}
    return space_from_dict({"name": "huge", "stages": [{"name": n, **stage} for n in "st"], "costs": costs})


def failing_by(space, architectures, place):
    """Fails with two layers or more that have the last choice of a feature."""
    last = space.stages[0].features[place].choices[-1]
    return np.array([sum(layer[place] == last for m in a.modules for layer in m) >= 2 for a in architectures])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("place", [0, 1], ids=["width", "op"])
@pytest.mark.parametrize(
    ("widths", "costs"),
    [
        ([1e307, 1e308], None),
        ([-1e308, 1e308], None),
        ([1e-308, 3e-308], None),
        ([5e-324, 1e-310], None),
        ([1e-308, 1.0, 1e308], None),
        ([7, 7.000000001], {"a": 5.0, "b": 5.0}),
        ([1, 2], {"a": 1e297, "b": 9e298}),
        ([1, 2], {"a": 9e298, "b": 1e-308}),
        ([1, 2], {"a": 1e-308, "b": 4e-308}),
        ([0, 0.0001], {"a": 0, "b": -9e298}),
    ],
)
def test_numbers_of_any_size_tell_where_evaluations_fail(widths, costs, place):
    space = huge(widths, costs)
    some = sample(space, 80, np.random.default_rng(0))
    target_fit = fit_failures(space, some, failing_by(space, some, place))
    assert target_fit is not None
    every = list(enumerate_architectures(space))
    probability = target_fit.probability(every)
    assert np.isfinite(target_fit.weights).all()
    assert np.mean((probability > 0.5) == failing_by(space, every, place)) > 0.95
    rule = failure_rule(space, some, failing_by(space, some, place))
    assert rule is not None
    assert (rule.failed, rule.other_failed) == (rule.count, 0)


def test_units_change_nothing():
    found = []
    for power in (0, 900, -900):
        space = huge([16 * 2.0**power, 32 * 2.0**power], {"a": 2.0**power, "b": 3 * 2.0**power})
        some = sample(space, 80, np.random.default_rng(0))
        target_fit = fit_failures(space, some, failing_by(space, some, 0))
        assert target_fit is not None
        found.append(target_fit.probability(list(enumerate_architectures(space))))
    assert found[0].tolist() == found[1].tolist() == found[2].tolist()
