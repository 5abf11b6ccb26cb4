"""Proposed equations build what they claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builder_samples import QUICK

from nasbuild.builder import SELECTION_STD_FACTOR, build, front_by_score, parse_bound, propose_equations
from nasbuild.errors import NasbuildError
from nasbuild.objective import parse_target
from nasbuild.score import fit
from nasbuild.space import Metric, contains
from nasbuild.table import load_builtin


@pytest.fixture(scope="module")
def fitted():
    table = load_builtin("digits-macro").select(range(0, 1728, 20))
    return fit(
        table,
        ["loss", "latency_cpu", "params", "acc / log10(macs)"],
        recipe=QUICK["default"],
        baselines=False,
    )


TWO = ["loss", "latency_cpu"]


@pytest.mark.parametrize("targets", [TWO, ["loss", "latency_cpu", "params"], ["acc / log10(macs)", "params"]])
def test_an_equation_is_largest_at_its_architecture(fitted, targets):
    names, found = propose_equations(fitted, 5, targets=targets)
    assert names == tuple(targets)
    assert 3 <= len(found) <= 5
    front = front_by_score(fitted, 40, targets=targets)
    for one in found:
        assert contains(fitted.space, one.architecture)
        value, std = zip(*(fitted.of(t).scorer.predict([one.architecture]) for t in targets), strict=True)
        assert one.prediction == pytest.approx(np.ravel(value))
        assert one.std == pytest.approx(SELECTION_STD_FACTOR * np.ravel(std))
        # Read anew: the targets stand for their predictions.
        text = one.text.replace("(acc / log10(macs))", "a")
        columns = {
            t if t in TWO or t == "params" else "a": v
            for t, v in zip(targets, front.prediction.T, strict=True)
        }
        read = parse_target(text, replace(fitted.table, columns=columns))
        assert read.sign == 1
        best = int(np.argmax(read.equation(columns)))
        assert front.architectures[best] == one.architecture


def test_equations_spread_along_the_front(fitted):
    _, found = propose_equations(fitted, 6, targets=TWO)
    assert len({one.text for one in found}) == len({one.architecture for one in found}) == len(found)
    loss, latency = np.array([one.prediction for one in found]).T
    assert (np.diff(loss) > 0).all()
    assert (np.diff(latency) < 0).all()
    front = front_by_score(fitted, 40, targets=TWO).prediction
    assert np.ptp(loss) > 0.7 * np.ptp(front[:, 0])


def test_bounds_select_the_region(fitted):
    _, free = propose_equations(fitted, 8, targets=TWO)
    middle = float(np.median([one.prediction[1] for one in free]))
    _, found = propose_equations(fitted, 8, targets=TWO, bounds=[parse_bound(f"latency_cpu <= {middle}")])
    assert found
    assert all(one.prediction[1] <= middle for one in found)


def test_fitted_equations_build_near_their_architecture(fitted):
    _, found = propose_equations(fitted, 3, targets=TWO)
    target_fit = fit(fitted.table, [one.text for one in found], recipe=QUICK["default"], baselines=False)
    built = [build(one, 1)[0].architecture for one in target_fit.targets]
    for target, order in zip(TWO, (1, -1), strict=True):
        value = fitted.of(target).scorer.predict(built)[0]
        # Later equations give up loss for latency, when they are learnt themselves as well.
        assert (np.diff(order * value) >= 0).all()
        assert order * (value[-1] - value[0]) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "the number of equations is 0"),
        ({"n": 2, "targets": ["loss"]}, "a front needs at least two targets"),
        (
            {"n": 2, "targets": TWO, "bounds": [parse_bound("params <= 3")]},
            "'params' is not a target of these equations; allowed: loss, latency_cpu",
        ),
        (
            {"n": 2, "targets": TWO, "bounds": [parse_bound("latency_cpu <= 0.001")]},
            "no equation would build within the bounds",
        ),
    ],
)
def test_invalid_requests_are_refused(fitted, arguments, message):
    with pytest.raises(NasbuildError, match=message):
        propose_equations(fitted, **arguments)


def test_a_metric_whose_name_is_not_an_identifier_is_refused():
    table = load_builtin("digits-macro").select(range(0, 1728, 40))
    space = replace(table.space, metrics={"top-1": Metric("top-1", "minimize"), **table.space.metrics})
    table = replace(table, space=space, columns={"top-1": table.columns["loss"], **table.columns})
    fitted = fit(table, ["top-1", "params"], recipe=QUICK["ridge"], baselines=False)
    with pytest.raises(NasbuildError, match="metric 'top-1' can't stand in an equation"):
        propose_equations(fitted, 2)
