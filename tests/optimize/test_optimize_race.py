"""The race: repetitions, ranking, budget and resumption."""

from __future__ import annotations

import json

import numpy as np
import pytest
from optimize_samples import space, value
from scipy import stats

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result
from nasbuild.optimize import LoopSettings, Racer, most_promising, race
from nasbuild.score import load_fit
from nasbuild.search import parse_goal
from nasbuild.space import enumerate_architectures, to_dict
from nasbuild.table import read_table

EVERY = list(enumerate_architectures(space()))
FOUR = EVERY[:4]
GOAL = parse_goal(space(), ["loss"], (), space().metrics)
SETTINGS = LoopSettings(rounds=2, batch=4, first=8, seed=1, race=12)


def raced(n, tell, goal=GOAL, some=FOUR):
    """A race of ``some``, whose first values are 1, 2, 3 ...; what was asked for, and what came of it."""
    asked = []

    def repeat(number, architectures):
        asked.append((number, [some.index(a) for a in architectures]))
        return {a: tell(some.index(a), number) for a in architectures}

    racers = [Racer(a, goal.targets[0].sign * -(k + 1.0), np.nan, np.nan) for k, a in enumerate(some)]
    metrics = {a: {"loss": k + 1.0, "cost": 10.0 * k} for k, a in enumerate(some)}
    return asked, race(racers, metrics, goal, n, repeat)


def test_half_the_budget_goes_to_all_and_half_to_the_finalists():
    # The first two flatter: what is repeated says that the last two are better.
    truth = [5.0, 4.0, 1.0, 2.0]
    asked, found = raced(16, lambda k, number: Result({"loss": truth[k] + 0.01 * number, "cost": 0.0}))
    assert asked == [
        (1, [0, 1, 2, 3]),
        (2, [0, 1, 2, 3]),
        *((number, [2, 3]) for number in (3, 4, 5, 6)),
    ]
    assert [FOUR.index(r.architecture) for r in found.racers] == [2, 3, 1, 0]
    assert found.chosen == FOUR[2]
    assert (found.spent, found.failed, found.same) == (16, 0, False)
    best = found.racers[0]
    readings = [1.01, 1.02, 1.03, 1.04, 1.05, 1.06]
    assert best.readings == pytest.approx(readings)
    assert (best.mean, best.error) == pytest.approx((np.mean(readings), stats.sem(readings)))
    # The metrics are means of all evaluations, the first one too.
    assert list(found.metrics) == [r.architecture for r in found.racers]
    assert found.metrics[FOUR[2]]["loss"] == pytest.approx(np.mean([3.0, *readings]))
    assert found.metrics[FOUR[2]]["cost"] == pytest.approx(20.0 / 7)


@pytest.mark.parametrize(
    ("n", "some", "counts"),
    [
        (1, FOUR, [1, 0, 0, 0]),
        (3, FOUR, [2, 1, 0, 0]),
        (8, FOUR, [3, 3, 1, 1]),
        (13, FOUR, [6, 5, 1, 1]),
        (7, FOUR[:2], [4, 3]),
        (4, FOUR[:1], [4]),
    ],
)
def test_the_whole_budget_is_spent(n, some, counts):
    asked, found = raced(n, lambda k, number: Result({"loss": k + 0.1 * number}), some=some)
    assert sum(len(places) for _, places in asked) == found.spent == n
    assert [len(r.readings) for r in found.racers] == counts
    assert [number for number, _ in asked] == list(range(1, len(asked) + 1))


def test_a_maximised_target_keeps_its_direction():
    goal = parse_goal(space(), ["-loss"], (), space().metrics)
    _, found = raced(16, lambda k, number: Result({"loss": [5.0, 4.0, 1.0, 2.0][k] + 0.01 * number}), goal)
    assert [FOUR.index(r.architecture) for r in found.racers] == [2, 3, 1, 0]
    assert found.racers[0].readings[0] == pytest.approx(-1.01)


def test_failures_count_as_spent_and_never_lead():
    def tell(k, number):
        return Result(None, "died") if k == 0 or number == 2 else Result({"loss": k + 0.5 + 0.01 * number})

    _, found = raced(16, tell)
    assert [FOUR.index(r.architecture) for r in found.racers] == [1, 2, 3, 0]
    assert found.racers[-1].readings == ()
    assert found.racers[-1].mean == 1.0
    # Two of the first, and the second repetition of each other.
    assert (found.spent, found.failed) == (16, 2 + 3)


def test_a_deterministic_evaluator_is_repeated_only_once():
    asked, found = raced(16, lambda k, _: Result({"loss": k + 1.0}))
    assert asked == [(1, [0, 1, 2, 3])]
    assert (found.spent, found.same) == (4, True)
    assert found.chosen == FOUR[0]
    _, noisy = raced(16, lambda k, _: Result({"loss": k + (1.0 if k else 1.001)}))
    assert not noisy.same


def content(folder):
    loop = json.loads((folder / "loop.json").read_text())
    del loop["versions"]
    return loop, (folder / "archs.jsonl").read_text(), (folder / "best.jsonl").read_text()


@pytest.fixture
def noisy(monkeypatch):
    """An evaluator with noise by its seed; what it was asked for, with the seeds."""
    from nasbuild.evaluate import _load_evaluator
    from nasbuild.evaluate import load_evaluator as plain

    seen = []

    def load(name, of, *, seed=0, limit=None):
        evaluator = plain(name, of, seed=seed, limit=limit)

        def measure(architecture):
            arch = to_dict(of, architecture)
            seen.append((json.dumps(arch), seed))
            rng = np.random.default_rng([seed, EVERY.index(architecture)])
            return {**value(arch), "loss": value(arch)["loss"] + rng.normal(scale=0.2)}

        return type(evaluator)(name, evaluator.metrics, measure)

    assert _load_evaluator.load_evaluator is plain
    monkeypatch.setattr("nasbuild.evaluate.executors._executor.load_evaluator", load)
    return seen


def test_a_race_is_part_of_the_budget_and_not_of_the_rounds(loop, noisy, tmp_path):
    states = []
    end = loop(SETTINGS, on_round=states.append)
    assert len(noisy) == SETTINGS.total == 8 + 2 * 4 + 12
    assert [s.race is None for s in states] == [True, True, True, False]
    plain = loop(LoopSettings(rounds=2, batch=4, first=8, seed=1), out="plain", store="plain.db")
    assert plain.evaluated.architectures == end.evaluated.architectures
    assert plain.race is None
    assert "race" not in json.loads((tmp_path / "plain" / "loop.json").read_text())
    assert load_fit(tmp_path / "out" / "fit").table == load_fit(tmp_path / "plain" / "fit").table
    assert LoopSettings(rounds=None, first=8, budget=20, race=6).explored == 14
    assert LoopSettings(rounds=1, batch=4, first=8, budget=20, race=6).total == 18
    # The most promising by the mean of measured value and y', each by other seeds.
    picked = most_promising(plain.evaluated, plain.fit, 4)
    value_of = dict(zip(plain.evaluated.architectures, plain.evaluated.values[:, 0], strict=True))
    expected, _ = plain.fit.targets[0].scorer.predict(list(value_of))
    order = np.argsort(np.array(list(value_of.values())) + expected)[:4]
    assert [r.architecture for r in picked] == [list(value_of)[i] for i in order]
    assert {r.architecture for r in picked} == {r.architecture for r in end.race.racers}
    assert sorted({seed for _, seed in noisy}) == [1, *(1 + 10_000 * k for k in range(1, 6))]
    assert [end.evaluated.architectures[i] for i in end.best] == [r.architecture for r in end.race.racers]
    told = json.loads((tmp_path / "out" / "loop.json").read_text())["race"]
    assert (told["spent"], told["failed"], told["same"]) == (12, 0, False)
    assert told["chosen"] == told["racers"][0]["arch"] == to_dict(space(), end.race.chosen)
    assert [one["readings"] for one in told["racers"]] == [list(r.readings) for r in end.race.racers]
    best = read_table(tmp_path / "out" / "best.jsonl", space())
    assert best.architectures == tuple(r.architecture for r in end.race.racers)
    means = [np.mean([r.first, *r.readings]) for r in end.race.racers]
    assert best.columns["loss"].tolist() == pytest.approx(means)


def test_a_stopped_race_ends_the_same(loop, noisy, tmp_path):
    loop(SETTINGS, out="whole", store="whole.db")
    whole = len(noisy)
    noisy.clear()
    for when in (1, 2, 5, 11):

        def stop(what, done, *_, when=when):
            if what == "repeating the best" and done == when:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            loop(SETTINGS, progress=stop)
    loop(SETTINGS)
    assert len(noisy) == len(set(noisy)) == whole
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_longer_race_reuses_earlier_repetitions(loop, noisy, tmp_path):
    loop(LoopSettings(rounds=1, batch=4, first=8, seed=1, race=8))
    loop(SETTINGS)
    assert len(noisy) == len(set(noisy)) <= 8 + SETTINGS.total
    loop(SETTINGS, out="whole", store="whole.db")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_race_of_several_targets_is_refused_before_anything_is_evaluated(loop, noisy, tmp_path):
    with pytest.raises(NasbuildError, match="a race has one target, there are 2"):
        loop(SETTINGS, targets=("loss", "cost"))
    assert noisy == []
    assert not (tmp_path / "out").exists()
    with pytest.raises(NasbuildError, match="the race takes all of the 12 evaluations"):
        LoopSettings(rounds=2, budget=12, race=12)
    with pytest.raises(NasbuildError, match="--race: the number is -1"):
        LoopSettings(race=-1)


def test_a_table_is_recognised_as_deterministic(loop):
    end = loop(SETTINGS)
    assert end.race.same
    assert end.race.spent == 4
