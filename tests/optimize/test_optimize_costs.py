"""Loops and searches with declared costs, against every architecture of a small space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optimize_samples import COST, space, value

from nasbuild.errors import NasbuildError
from nasbuild.optimize import LoopSettings
from nasbuild.search import SearchSettings, parse_goal, search
from nasbuild.space import Metric, enumerate_architectures, space_from_dict, space_to_dict, to_dict
from nasbuild.table import read_table

PRICE = {"sum": [{"feature": "op", "values": COST}], "unit": "EUR"}
SPACE = space_from_dict({**space_to_dict(space(depths=(1, 2, 3))), "costs": {"price": PRICE}})
METRICS = {name: Metric(name, "minimize") for name in ("loss", "cost")}


def truth(architecture):
    # The evaluator's cost is the declared price under another name.
    told = value(to_dict(SPACE, architecture))
    return told["loss"], told["cost"]


EVERY = [(a, *truth(a)) for a in enumerate_architectures(SPACE)]


def evaluate(architectures):
    return [dict(zip(("loss", "cost"), truth(a), strict=True)) for a in architectures]


def test_a_bound_on_a_declared_cost_holds_from_the_first_round(loop, tmp_path):
    end = loop(LoopSettings(rounds=3, batch=8, first=24, seed=2), of=SPACE, bounds=["price <= 2.1"])
    price = [truth(a)[1] for a in end.evaluated.architectures]
    assert max(price) <= 2.1 + 1e-9
    assert end.evaluated.inside.all()
    best = min(loss for _, loss, p in EVERY if p <= 2.1 + 1e-9)
    assert end.evaluated.values[end.best[0], 0] == pytest.approx(best)
    table = read_table(tmp_path / "out" / "archs.jsonl", SPACE)
    assert table.columns["price"] == pytest.approx(table.columns["cost"])


def test_a_declared_cost_that_is_a_metric_as_well_need_not_be_reported(loop):
    both = space_to_dict(SPACE)
    both["metrics"]["price"] = {"direction": "minimize", "unit": "EUR"}
    settings = LoopSettings(rounds=1, batch=8, first=24, seed=2)
    end = loop(settings, of=space_from_dict(both), bounds=["price <= 2.1"])
    assert end.evaluated.known.all()
    assert max(truth(a)[1] for a in end.evaluated.architectures) <= 2.1 + 1e-9


def test_a_target_may_contain_a_declared_cost(loop):
    settings = LoopSettings(rounds=2, batch=8, first=24, seed=2, race=4)
    end = loop(settings, of=SPACE, targets=["-loss - 0.1 * price"], bounds=["price >= 0.5"])
    told = [truth(a) for a in end.evaluated.architectures]
    assert end.evaluated.values[:, 0] == pytest.approx([-loss - 0.1 * p for loss, p in told])
    assert all(p >= 0.5 - 1e-9 for _, p in told)
    assert end.race is not None
    assert set(end.race.metrics) <= set(end.evaluated.architectures)
    assert end.race.spent


def test_a_search_bounds_and_optimises_a_declared_cost(tmp_path, search_in):
    goal = parse_goal(SPACE, ["loss", "price"], ["price <= 3"], METRICS)
    assert goal.metrics == ("loss",)
    settings = SearchSettings(budget=200, population=20)
    found = search(SPACE, evaluate, goal, settings)
    exact = np.array([truth(a)[1] for a in found.architectures])
    assert found.columns["price"] == pytest.approx(exact)
    assert found.within.tolist() == (exact <= 3 + 1e-9).tolist()
    # Stopped and taken up it is the same: what was evaluated need not tell the cost.
    for budget in (60, 200):
        again = search_in(
            replace(settings, budget=budget),
            tmp_path / "s",
            function="value",
            of=SPACE,
            targets=["loss", "price"],
            bounds=["price <= 3"],
        )
    assert again.architectures == found.architectures


def test_a_search_of_declared_costs_only_is_refused():
    with pytest.raises(NasbuildError, match="neither targets nor bounds need an evaluation"):
        parse_goal(SPACE, ["price"], [], METRICS)
    with pytest.raises(NasbuildError, match=r"no metric 'weight'.*allowed: loss, cost, layers, price"):
        parse_goal(SPACE, ["loss"], ["weight <= 3"], METRICS)
