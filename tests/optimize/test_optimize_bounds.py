"""The loop within bounds, against every architecture of a small space."""

from __future__ import annotations

import json

import numpy as np
import pytest
from optimize_samples import space, value

from nasbuild.builder import parse_bound, within_bounds
from nasbuild.errors import Infeasible, NasbuildError
from nasbuild.optimize import NEAREST, RANDOM, LoopSettings
from nasbuild.score import load_fit
from nasbuild.space import enumerate_architectures, to_dict
from nasbuild.table import read_table

SPACE = space(depths=(1, 2, 3))
SETTINGS = LoopSettings(rounds=3, batch=8, first=24, seed=2)


def truth(architecture):
    return value(to_dict(SPACE, architecture))


def layers(architecture):
    return sum(map(len, architecture.modules))


EVERY = {a: truth(a) for a in enumerate_architectures(SPACE)}


def best_within(most, count=99):
    """The least loss within both bounds, of all architectures."""
    return min(v["loss"] for a, v in EVERY.items() if v["cost"] <= most + 1e-9 and layers(a) <= count)


@pytest.mark.parametrize("bounds", [["cost <= 2.1"], ["cost <= 3", "layers <= 3"]])
def test_candidates_and_results_are_within_exact_bounds(loop, bounds):
    states = []
    end = loop(SETTINGS, of=SPACE, bounds=bounds, on_round=states.append)
    found = end.evaluated
    most = parse_bound(bounds[0]).value
    count = 3 if len(bounds) > 1 else 99
    inside = [truth(a)["cost"] <= most + 1e-9 and layers(a) <= count for a in found.architectures]
    assert found.inside.tolist() == inside
    # The cost is an exact sum, as soon as the table shows it; layers are known before anything is evaluated.
    later = [i for i, why in enumerate(found.origins) if why != RANDOM]
    assert later
    assert all(inside[i] for i in later if found.rounds[i] > 1)
    assert all(layers(a) <= count for a in found.architectures)
    assert [one.outside for one in found.summaries] == [
        sum(not inside[i] for i in np.flatnonzero(found.rounds == n)) for n in range(len(found.summaries))
    ]
    assert end.best.size
    assert all(inside[i] for i in end.best)
    assert found.values[end.best[0], 0] == pytest.approx(best_within(most, count))
    assert found.summaries[-1].best[0] == found.values[end.best[0], 0]
    assert len(set(found.architectures)) == len(found.architectures)
    # What the fit says of a round was asked of it before.
    for n, state in enumerate(states[:-1]):
        asked = [a for a, r in zip(found.architectures, found.rounds, strict=True) if r == n + 1]
        assert within_bounds(state.fit, asked, [parse_bound(text) for text in bounds]).all()


def test_a_bound_on_a_measurement_holds_for_its_prediction(loop, tmp_path):
    states = []
    end = loop(
        LoopSettings(rounds=1, batch=16, first=24, seed=2),
        of=SPACE,
        targets=("cost",),
        bounds=["loss <= 0.35"],
        recipe="default",
        on_round=states.append,
    )
    found = end.evaluated
    assert [one.target.name for one in load_fit(tmp_path / "out" / "fit").targets] == ["cost", "loss"]
    for n, state in enumerate(states[:-1]):
        asked = [a for a, r in zip(found.architectures, found.rounds, strict=True) if r == n + 1]
        assert within_bounds(state.fit, asked, [parse_bound("loss <= 0.35")]).all()
    assert found.inside.tolist() == [truth(a)["loss"] <= 0.35 + 1e-9 for a in found.architectures]
    # Of the 75 architectures within, one of the ten best, after 40 of 1,521 evaluations.
    tenth = sorted(v["cost"] for v in EVERY.values() if v["loss"] <= 0.35 + 1e-9)[9]
    assert found.values[end.best, 0].min() <= tenth
    table = read_table(tmp_path / "out" / "best.jsonl", SPACE)
    assert (table.columns["loss"] <= 0.35 + 1e-9).all()


def test_two_targets_within_a_bound_approach_the_front(loop):
    end = loop(SETTINGS, of=SPACE, targets=("loss", "cost"), bounds=["layers <= 4", "cost >= 1"])
    assert all(
        layers(a) <= 4 and truth(a)["cost"] >= 1 for a in [end.evaluated.architectures[i] for i in end.best]
    )
    values = end.evaluated.values[end.evaluated.inside]
    front = {tuple(v) for v in values if not any((o <= v).all() and (o < v).any() for o in values)}
    assert {tuple(end.evaluated.values[i]) for i in end.best} == front


def test_a_stopped_loop_within_bounds_ends_the_same(loop, tmp_path):
    class Stopped(Exception):
        pass

    def stop(state):
        if len(state.evaluated.summaries) > 1:
            raise Stopped

    bounds = ["cost <= 2.1", "2 <= layers <= 4"]
    loop(SETTINGS, of=SPACE, bounds=bounds, out="whole", store="whole.db")
    with pytest.raises(Stopped):
        loop(SETTINGS, of=SPACE, bounds=bounds, on_round=stop)
    loop(SETTINGS, of=SPACE, bounds=bounds)
    one, other = (json.loads((tmp_path / name / "loop.json").read_text()) for name in ("out", "whole"))
    assert one["bounds"] == ["cost <= 2.1", "layers >= 2", "layers <= 4"]
    for content in (one, other):
        del content["versions"]
    assert one == other
    for name in ("archs.jsonl", "best.jsonl"):
        assert (tmp_path / "out" / name).read_text() == (tmp_path / "whole" / name).read_text()
    with pytest.raises(NasbuildError, match="contains a loop with other bounds"):
        loop(SETTINGS, of=SPACE, bounds=bounds[:1])


def test_nearest_candidates_if_nothing_is_predicted_within_bounds(loop):
    end = loop(SETTINGS, of=SPACE, targets=("cost",), bounds=["loss <= 0.001"])
    found = end.evaluated
    assert NEAREST in found.origins
    assert not found.inside.any()
    assert end.best.size == 0
    assert np.isnan(found.summaries[-1].best[0])
    assert sum(one.outside for one in found.summaries) == len(found.architectures)
    # It went for the bound: nearly the least loss there is.
    least = np.sort([v["loss"] for v in EVERY.values()])
    assert found.bounded["loss"][:24].min() > least[8] >= found.bounded["loss"].min()


def test_infeasible_bounds_are_refused_at_once(loop):
    with pytest.raises(Infeasible, match=r"no .* is within layers <= 1"):
        loop(SETTINGS, of=SPACE, bounds=["layers <= 1"])
    with pytest.raises(NasbuildError, match="there is no metric 'latency'"):
        loop(SETTINGS, of=SPACE, bounds=["latency <= 1"])


def test_the_feasible_space_may_end_before_the_budget(loop):
    end = loop(LoopSettings(rounds=9, batch=8, first=6, seed=2), of=SPACE, bounds=["layers = 2"])
    assert {a for a in EVERY if layers(a) == 2} == set(end.evaluated.architectures)
    assert end.exhausted
    assert end.ended


def test_a_race_is_among_results_within_bounds(loop):
    settings = LoopSettings(rounds=1, batch=8, first=24, seed=2, race=6)
    end = loop(settings, of=SPACE, bounds=["cost <= 2.1"])
    assert end.race is not None
    assert all(truth(one.architecture)["cost"] <= 2.1 + 1e-9 for one in end.race.racers)
    nothing = loop(settings, of=SPACE, bounds=["cost <= 0.1"], out="none", store="none.db")
    assert nothing.race is None
    assert nothing.best.size == 0
