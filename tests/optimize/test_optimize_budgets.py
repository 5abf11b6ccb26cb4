"""Loops around a reference: they start with its single changes, and end with the best within each of several budgets."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from optimize_samples import COSTS, around, missing
from test_optimize_loop import content

import nasbuild as nb
from nasbuild.builder import read_sweep
from nasbuild.errors import NasbuildError
from nasbuild.optimize import (
    JOINT,
    REFERENCE,
    SINGLE,
    LoopSettings,
    batch_by_turns,
    best_within_budgets,
    left_of_start,
    reference_start,
)
from nasbuild.predictor import recipe
from nasbuild.score import count_tested_joint
from nasbuild.space import enumerate_architectures, space_from_dict, space_from_yaml, to_dict
from nasbuild.table import changed_parts

WHERE = "bytes <= 12 | 18 | 23"
QUICK = recipe("default", folds=2, samples=4)


def cost(a):
    return sum(COSTS[module[0][0]] for module in a.modules)


def optimum(most):
    """The least loss within a budget, over all architectures."""
    every = np.array(list(product("abc", repeat=8)))
    sizes = np.vectorize(COSTS.get)(every).sum(axis=1)
    return min(missing({"stages": [[{"op": op}] for op in row]})["loss"] for row in every[sizes <= most])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A whole loop and its folder."""
    from nasbuild.api import optimize

    folder = tmp_path_factory.mktemp("loop") / "out"
    states = []
    end = optimize(
        around(),
        missing,
        "loss",
        out=folder,
        where=WHERE,
        budget=37,
        seed=1,
        recipe=QUICK,
        on_round=states.append,
    )
    return end, states, folder


def test_it_starts_with_the_reference_and_all_single_changes(done):
    found = done[0].evaluated
    assert found.origins[:17] == (REFERENCE, *[SINGLE] * 16)
    assert found.architectures[0] == around().reference
    alone = [changed_parts(around(), around().reference, a) for a in found.architectures]
    assert [len(parts) for parts in alone[:17]] == [0] + [1] * 16
    assert min(len(parts) for parts in alone[17:]) > 1
    assert len(set(found.architectures)) == 37


def test_the_best_measured_within_each_budget_is_the_best_of_all(done):
    end, states, _ = done
    best = best_within_budgets(end.evaluated)
    assert [one.bounds[0].value for one in best] == [12, 18, 23]
    for one in best:
        assert one.row is not None
        assert end.evaluated.bounded["bytes"][one.row] <= one.bounds[0].value
        assert end.evaluated.values[one.row, 0] == pytest.approx(optimum(one.bounds[0].value))
    assert end.best.tolist() == list(dict.fromkeys(one.row for one in best))
    assert end.evaluated.inside[17:].all()  # the single changes need not be within any
    first = [states[1].evaluated.architectures[i] for i in range(17, 27)]
    assert count_tested_joint(around(), states[1].evaluated.architectures) == 10
    assert states[1].fit is not None
    assert states[1].fit["loss"].trust.joint == 10
    # Budgets have their turns, and half of the round shows whether effects add up.
    assert Counter(states[1].evaluated.origins[17:])[JOINT] == 5
    assert all(sum(cost(a) <= b for a in first) >= n for b, n in ((12, 3), (18, 6), (23, 10)))


def test_a_stopped_loop_ends_the_same(done, tmp_path):
    from nasbuild.api import optimize

    class Stopped(Exception):
        pass

    calls = iter(range(31))

    def stopping(arch):
        if next(calls) == 30:
            raise KeyboardInterrupt
        return missing(arch)

    more = {
        "out": tmp_path / "out",
        "store": tmp_path / "s.db",
        "where": WHERE,
        "budget": 37,
        "seed": 1,
        "recipe": QUICK,
    }

    def stop(state):
        if len(state.evaluated.summaries) == 3:
            raise Stopped

    stopping.__qualname__, stopping.__module__ = missing.__qualname__, missing.__module__
    with pytest.raises(KeyboardInterrupt):
        optimize(around(), stopping, "loss", **more)
    with pytest.raises(Stopped):
        optimize(around(), missing, "loss", on_round=stop, **more)
    optimize(around(), missing, "loss", **more)
    assert content(tmp_path / "out") == content(done[2])


def test_ask_and_tell_asks_for_the_same(done):
    whole = [nb.architecture_id(around(), a) for a in done[0].evaluated.architectures]
    with nb.Optimizer(around(), "loss", where=WHERE, seed=1, recipe=QUICK) as opt:
        asked = opt.ask(30)
        # The last single changes come alone: what follows is planned with their results.
        assert ([row["id"] for row in asked], {row["why"] for row in asked[1:]}) == (whole[:17], {SINGLE})
        for row in asked:
            opt.tell(row, missing(row["arch"]))
        more = opt.ask(10)
        assert [row["id"] for row in more] == whole[17:27]
        assert len(opt.best()) == 0
        assert str(opt.best()).startswith(
            "best for loss within 3 budgets; nothing told is within bytes <= 12, bytes <= 18"
        )
        for row in more:
            opt.tell(row, missing(row["arch"]))
        assert [row["where"] for row in opt.best()] == ["bytes <= 12", "bytes <= 18", "bytes <= 23"]


def test_what_was_told_is_not_asked_for_and_a_budget_limits_single_changes():
    start = [one.architecture for one in reference_start(around(), 0)]
    with nb.Optimizer(around(), "loss", where=WHERE, recipe=QUICK) as opt:
        opt.tell(start[5:], [missing(to_dict(around(), a)) for a in start[5:]])
        assert [row["id"] for row in opt.ask(9)] == [nb.architecture_id(around(), a) for a in start[:5]]
    with nb.Optimizer(around(), "loss", where=WHERE, recipe=QUICK) as opt:
        opt.run(missing, 12, batch=6)
        changed = [len(changed_parts(around(), start[0], a)) for a in opt.table.architectures]
        assert (changed.count(0), changed.count(1), sum(c > 1 for c in changed)) == (1, 6, 5)


def test_any_beginning_of_the_start_is_spread():
    space = space_from_dict(
        {
            "name": "many",
            "metrics": {"loss": {"direction": "minimize"}},
            "stages": [
                {"name": f"b{n}", "depth": 1, "features": {f: ["x", "y", "z", "w"] for f in "pq"}}
                for n in range(6)
            ],
            "reference": {"p": "x", "q": "x"},
        }
    )
    start = reference_start(space, 3)
    assert start == reference_start(space, 3)
    assert start != reference_start(space, 4)
    assert {one.architecture for one in start[1:]} == {
        space.reference.replace(u, ((*("x" if g != f else c for g in "pq"),),))
        for u, f, c in product(range(6), "pq", "yzw")
    }

    def counts(n):
        changes = [changed_parts(space, space.reference, one.architecture)[0] for one in start[1 : n + 1]]
        choices = [
            one.architecture.modules[p.stage][0]["pq".index(p.feature)]
            for one, p in zip(start[1:], changes, strict=False)
        ]
        return Counter(changes), Counter(p.stage for p in changes), Counter(choices)

    parts, stages, choices = counts(6)
    assert (max(parts.values()), len(stages), sorted(choices.values())) == (1, 6, [2, 2, 2])
    parts, _, choices = counts(12)
    assert (len(parts), sorted(choices.values())) == (12, [4, 4, 4])
    assert [
        len(left_of_start(space, 3, [one.architecture for one in start[k:]], 20)) for k in (0, 30, 36)
    ] == [0, 13, 19]


def test_depths_conditions_and_ties_change_alone_or_not_at_all():
    space = space_from_yaml(
        "{name: more, metrics: {loss: {direction: minimize}}, stages: [{name: a, depth: [1, 2, 3], features: "
        "{op: [conv, skip], kernel: {choices: [3, 5, 7], when: {op: conv}}}}, {name: b, depth: 1, features: {op: [x, y]}}, "
        "{name: c, depth: 1, features: {op: [x, y]}}], tied: [[b.0.op, c.0.op]], "
        "reference: {depth: 2, a.op: conv, kernel: 3, b.op: x, c.op: x}}"
    )
    found = [one.architecture for one in reference_start(space)]
    # Two depths, two other operations and four other kernels; what is tied can't change alone.
    assert len(found) == 9
    brute = {
        a
        for a in enumerate_architectures(space)
        if len(changed_parts(space, found[0], a)) == 1 and len(a.modules[0]) == 2
    }
    assert brute == {a for a in found[1:] if len(a.modules[0]) == 2}
    tied = space_from_yaml(
        "{name: t, metrics: {loss: {direction: minimize}}, stages: [{name: b, depth: 1, features: {op: [x, y]}}, "
        "{name: c, depth: 1, features: {op: [x, y]}}], tied: [[b.0.op, c.0.op]], reference: {op: x}}"
    )
    assert reference_start(tied) == []


def test_how_many_single_changes_a_budget_affords():
    assert LoopSettings(rounds=None, budget=120).around(60).begin == 61
    assert LoopSettings(rounds=None, budget=60).around(60).begin == 31
    assert LoopSettings(rounds=None, budget=60, race=20).around(60).begin == 21
    assert LoopSettings(rounds=4, batch=10).around(60).begin == 41
    assert LoopSettings(rounds=1, batch=4).around(60).begin == 21
    assert LoopSettings(first=9).around(60).begin == 9
    assert LoopSettings(first=90).around(60).begin == 61
    assert LoopSettings(first=9).around(0) == LoopSettings(first=9)


def test_turns_fill_what_a_budget_cannot(done):
    state = done[0]
    seen = list(state.evaluated.architectures)
    found = batch_by_turns(state.fit, 6, seen, targets=["loss"], budgets=read_sweep(["bytes <= 1 | 12 | 18"]))
    costs = [cost(one.architecture) for one in found]
    assert len(found) == 6
    assert min(costs) >= 8  # nothing is as small as the first budget
    assert not {one.architecture for one in found} & set(seen)


def test_mistakes_with_budgets_get_one_sentence():
    with pytest.raises(NasbuildError, match="there are 3 budgets and 2 targets; give one bound"):
        nb.Optimizer(around(), ["loss", "-loss"], where=WHERE)
    with pytest.raises(NasbuildError, match="a race has one budget, there are 3"):
        LoopSettings(race=4).check(nb.Optimizer(around(), "loss", where=WHERE).goal)
    with pytest.raises(NasbuildError, match="only nasbuild build and optimize accept sweeps"):
        nb.search.parse_goal(around(), ["loss"], [WHERE], around().metrics)


def test_other_budgets_or_another_reference_do_not_continue(loop):
    settings = LoopSettings(rounds=0, first=6)
    loop(settings, of=around(), function="missing", bounds=["bytes <= 12 | 18"], recipe="ridge")
    for bounds in (["bytes <= 18"], ["bytes <= 12 | 17"]):
        with pytest.raises(NasbuildError, match="contains a loop with other bounds"):
            loop(settings, of=around(), function="missing", bounds=bounds, recipe="ridge")
    with pytest.raises(NasbuildError, match="contains a loop with another first"):
        loop(settings, of=around("b"), function="missing", bounds=["bytes <= 12 | 18"], recipe="ridge")


def test_the_sample_loss_adds_up_only_roughly():
    single = [
        missing(to_dict(around(), a))["loss"] for a in (one.architecture for one in reference_start(around()))
    ]
    both = around().reference.replace(0, (("c",),)).replace(1, (("c",),))
    effects = [
        missing(to_dict(around(), around().reference.replace(u, (("c",),))))["loss"] - min(single)
        for u in (0, 1)
    ]
    assert not math.isclose(
        missing(to_dict(around(), both))["loss"] - min(single), sum(effects), rel_tol=0.05
    )
    assert np.ptp(single) > 0
