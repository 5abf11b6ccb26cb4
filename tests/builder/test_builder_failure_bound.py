"""Bounds on the probability of failing, against all architectures of spaces with listed, tied and deep stages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builder_samples import QUICK

from nasbuild.builder import (
    FAILURE_LOG_ODDS,
    Bound,
    build_front,
    build_predicted,
    build_within,
    failure_bound,
    propose_within,
    within_bounds,
)
from nasbuild.errors import Infeasible, NasbuildError
from nasbuild.score import fit, fit_failures
from nasbuild.space import enumerate_architectures, sample, space_from_dict, to_dict
from nasbuild.table import table_from_evaluations

WIDTHS = {"width": [16, 32, 64]}
METRICS = {"acc": {"direction": "maximize"}, "slow": {"direction": "minimize"}}
PARAMS = {"params": {"sum": [{"product": "previous.width * width", "first": {"width": 3}}]}}


def stages(n, depth, features):
    return [{"name": f"s{u}", "depth": depth, "features": features} for u in range(n)]


SPACES = {
    "listed": {"stages": stages(2, [1, 2], {**WIDTHS, "op": ["a", "b"]})},
    "tied": {
        "stages": stages(4, [1, 2], WIDTHS),
        "tied": [["s0.width", "s1.width"], ["s2.width", "s3.width"]],
    },
    "neighbours": {"stages": stages(4, [1, 2], WIDTHS), "costs": PARAMS},
    "deep": {"stages": [*stages(1, [1, 2], WIDTHS), {"name": "d", "depth": [5, 6], "features": WIDTHS}]},
}


def worth(arch):
    each = [(u, layer) for u, stage in enumerate(arch["stages"]) for layer in stage]
    return sum((1 + 0.1 * u) * np.log2(x["width"]) + (x.get("op") == "b") for u, x in each)


def width(arch):
    return sum(layer["width"] for stage in arch["stages"] for layer in stage)


@pytest.fixture(scope="module", params=SPACES)
def known(request):
    """A run that knows where evaluations fail, every architecture, and the probability of each."""
    space = space_from_dict({"name": "failing", "metrics": METRICS, **SPACES[request.param]})
    some = sample(space, 60, np.random.default_rng(1))
    archs = [to_dict(space, a) for a in some]
    failed = np.array([width(a) for a in archs]) > np.quantile([width(a) for a in archs], 0.6)
    told = {
        a: {} if f else {"acc": worth(arch), "slow": float(width(arch))}
        for a, arch, f in zip(some, archs, failed, strict=True)
    }
    failures = fit_failures(space, some, failed)
    assert failures is not None
    # Of the deep stage few modules are scored at first.
    most = 200 if request.param == "deep" else 100_000
    fitted = fit(
        table_from_evaluations(space, told),
        ["acc", "slow"],
        recipe=QUICK["ridge"],
        baselines=False,
        max_modules=most,
    )
    every = list(enumerate_architectures(space))
    return replace(fitted, failures=failures).with_unseen(), every, failures.probability(every)


def test_the_best_below_a_failure_probability_match_brute_force(known):
    fitted, every, risk = known
    value = fitted.targets[0].scorer.predict(every)[0]
    for most in (0.5, 0.1):
        built = build_predicted(fitted, "acc", 5, [failure_bound(most)]).built
        assert [one.prediction for one in built] == pytest.approx(np.sort(value[risk <= most])[::-1][:5])
        assert (fitted.failures.probability([one.architecture for one in built]) <= most + 1e-9).all()
    # Without, what is best fails.
    free = build_predicted(fitted, "acc", 1).built[0].architecture
    assert fitted.failures.probability([free])[0] > 0.5
    inside = within_bounds(fitted, every, [failure_bound(0.1)])
    assert inside.tolist() == (risk <= 0.1 + 1e-12).tolist()


def test_failure_bounds_combine_with_other_bounds(known):
    fitted, every, risk = known
    value = fitted.targets[0].scorer.predict(every)[0]
    layers = np.array([sum(len(m) for m in a.modules) for a in every])
    bounds = [failure_bound(0.3), Bound("layers", 1, 7.0)]
    built = build_within(fitted, "acc", 1, bounds).built[0]
    assert built.prediction == pytest.approx(value[(risk <= 0.3) & (layers <= 7)].max())


def test_proposals_and_fronts_respect_the_failure_bound(known):
    fitted, _, _ = known
    bounds = [failure_bound(0.3)]
    proposed = [one.architecture for one in propose_within(fitted, "acc", 8, bounds)]
    front = build_front(fitted, 5, bounds=bounds).architectures
    for some in (proposed, front):
        assert len(some) > 1
        assert (fitted.failures.probability(some) <= 0.3 + 1e-9).all()


def test_a_bound_below_the_smallest_probability_is_infeasible(known):
    fitted, _, risk = known
    with pytest.raises(Infeasible):
        build_predicted(fitted, "acc", 1, [failure_bound(float(risk.min()) / 2)])


def test_a_fit_without_failures_has_no_failure_bound(known):
    fitted, _, _ = known
    with pytest.raises(NasbuildError, match=FAILURE_LOG_ODDS):
        build_predicted(replace(fitted, failures=None), "acc", 1, [failure_bound(0.5)])
