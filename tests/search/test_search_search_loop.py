"""The search loop: budget, repeats, bounds, failures, ask and tell, and quality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_samples import by_hash, digits, goal_of, told_by_digits

from nasbuild.errors import NasbuildError
from nasbuild.search import METHODS, Search, SearchSettings, parse_goal, search
from nasbuild.space import Architecture, contains, count_architectures, load_space, sample
from strategies import spaces

DIGITS = load_space("digits-macro")


@pytest.fixture(scope="module")
def table():
    return digits()


@settings(max_examples=30, deadline=None)
@given(spaces(), st.sampled_from(list(METHODS)), st.integers(0, 99), st.sampled_from([0.0, 0.5, 1.0]))
def test_any_space_is_searched_within_the_budget_without_repeats(space, method, seed, crossover):
    wanted = SearchSettings(method, 25, 10, crossover, seed)
    seen: list[Architecture] = []

    def evaluate(architectures):
        seen.extend(architectures)
        return by_hash(architectures)

    found = search(space, evaluate, goal_of(space), wanted)
    assert tuple(seen) == found.architectures
    assert len(set(seen)) == len(seen) <= 25
    assert all(contains(space, a) for a in seen)
    total = count_architectures(space)
    # Of a small space hardly anything is left unseen, a large one fills the budget.
    assert len(seen) == 25 if total > 200 else len(seen) >= min(25, total) * 0.9
    assert search(space, by_hash, goal_of(space), wanted).architectures == found.architectures


def test_generations_have_the_population_size_and_the_last_one_the_rest(table):
    goal = parse_goal(DIGITS, ["loss", "macs"], [], table.metrics)
    sizes = []
    found = search(
        DIGITS,
        told_by_digits(table)[0],
        goal,
        SearchSettings(budget=70, population=30),
        on_generation=lambda f: sizes.append(len(f.architectures)),
    )
    assert sizes == [30, 60, 70]
    assert np.bincount(found.generation).tolist() == [30, 30, 10]
    assert len(found.volumes) == 3
    assert list(found.volumes) == sorted(found.volumes)


def test_other_seeds_give_other_searches(table):
    goal = parse_goal(DIGITS, ["loss"], [], table.metrics)
    one, other = (
        search(DIGITS, told_by_digits(table)[0], goal, SearchSettings(budget=40, population=20, seed=s))
        for s in (0, 1)
    )
    assert set(one.architectures) != set(other.architectures)


@pytest.mark.parametrize("method", ["stage", "layer"])
def test_it_finds_better_fronts_than_random_search(table, method):
    evaluate, _ = told_by_digits(table)
    goal = parse_goal(DIGITS, ["loss", "macs"], [], table.metrics)
    wins = 0
    for seed in range(10):
        found = search(DIGITS, evaluate, goal, SearchSettings(method, 120, 30, seed=seed))
        chance = sample(DIGITS, 90, np.random.default_rng(1000 + seed))
        # The first generation is by chance as well, and sets the box in which both are measured.
        at_random = search(
            DIGITS,
            evaluate,
            goal,
            SearchSettings(method, 120, 120, seed=seed),
            start=[*found.architectures[:30], *chance],
        )
        wins += volume(found) > volume(at_random)
    assert wins >= 9


def volume(found) -> float:
    """Area between the front and a corner that every digits architecture dominates."""
    area, best = 0.0, 3.0
    for loss, macs in sorted((tuple(found.values[i]) for i in found.front), key=lambda v: v[1]):
        area += max(best - loss, 0.0) * (1e6 - macs)
        best = min(best, loss)
    return area


def test_a_front_is_nondominated(table):
    goal = parse_goal(DIGITS, ["loss", "macs"], ["acc >= 60"], table.metrics)
    found = search(DIGITS, told_by_digits(table)[0], goal, SearchSettings(budget=100, population=25))
    acc = found.columns["acc"]
    assert (found.within == (acc >= 60)).all()
    inside = [tuple(v) for v in found.values[found.within]]
    beaten = {v for v in inside for w in inside if w != v and w[0] <= v[0] and w[1] <= v[1]}
    assert {tuple(found.values[i]) for i in found.front} == set(inside) - beaten
    losses = found.values[found.front, 0]
    assert losses.tolist() == sorted(losses)


def test_bounds_pull_a_search_into_the_feasible_region(table):
    goal = parse_goal(DIGITS, ["loss"], ["macs <= 80000", "layers <= 5"], table.metrics)
    inside = (table.columns["macs"] <= 80000) & np.array(
        [sum(map(len, a.modules)) <= 5 for a in table.architectures]
    )
    first, last, ranks = [], [], []
    for seed in range(6):
        found = search(
            DIGITS, told_by_digits(table)[0], goal, SearchSettings(budget=150, population=30, seed=seed)
        )
        rows = [table.row_of[a] for a in found.architectures]
        assert found.within.tolist() == inside[rows].tolist()
        first.append(found.within[found.generation == 0].mean())
        last.append(found.within[found.generation == 4].mean())
        (best,) = found.front
        ranks.append((table.columns["loss"][inside] < found.values[best, 0]).sum())
    assert np.mean(last) > 1.5 * np.mean(first)
    assert np.mean(ranks) < 5


@pytest.mark.parametrize("method", ["stage", "layer"])
def test_an_equation_is_maximised(table, method):
    goal = parse_goal(DIGITS, ["acc / log10(macs)"], [], table.metrics)
    truth = table.columns["acc"] / np.log10(table.columns["macs"])
    ranks = []
    for seed in range(10):
        found = search(DIGITS, told_by_digits(table)[0], goal, SearchSettings(method, 150, 30, seed=seed))
        (best,) = found.front
        ranks.append((truth > found.values[best, 0]).sum())
    # The best of 150 drawn by chance from 1,728 has rank 11 on average.
    assert np.mean(ranks) < 6


def test_failed_evaluations_never_count_as_good(table):
    evaluate, _ = told_by_digits(table)

    def failing(architectures):
        told = evaluate(architectures)
        # As if nothing below a loss of 0.5 could be measured.
        return [{**row, "loss": None if row["loss"] < 0.5 else row["loss"]} for row in told]

    goal = parse_goal(DIGITS, ["loss", "macs"], [], table.metrics)
    found = search(DIGITS, failing, goal, SearchSettings(budget=120, population=30))
    assert len(found.architectures) == 120
    failed = np.isnan(found.values[:, 0])
    assert failed.any()
    assert not found.within[failed].any()
    assert not failed[found.front].any()
    # Those that fail have no offspring, so most of the search is where it can be measured.
    assert failed[30:].mean() < 0.5


def test_a_search_without_measurements_has_an_empty_front():
    goal = goal_of(DIGITS)
    found = search(
        DIGITS,
        lambda asked: [{"worth": None, "cost": None} for _ in asked],
        goal,
        SearchSettings(budget=30, population=10),
    )
    assert len(found.architectures) == 30
    assert not len(found.front)
    assert found.volumes == (0.0, 0.0, 0.0)


def test_a_search_begins_with_the_start_architectures(table):
    start = sample(DIGITS, 7, np.random.default_rng(5))
    goal = parse_goal(DIGITS, ["loss"], [], table.metrics)
    found = search(
        DIGITS, told_by_digits(table)[0], goal, SearchSettings(budget=20, population=10), start=start
    )
    assert list(found.architectures[:7]) == start
    other = load_space("ofa-mobilenet-v3")
    with pytest.raises(NasbuildError, match="an architecture to start from is not in the space"):
        Search(DIGITS, goal, SearchSettings(), sample(other, 1, np.random.default_rng(0)))


def test_asking_again_gives_the_same_and_results_must_match():
    search_ = Search(DIGITS, goal_of(DIGITS), SearchSettings(budget=15, population=10))
    asked = search_.ask()
    assert search_.ask() == asked
    with pytest.raises(NasbuildError, match="9 evaluations were reported, 10 were asked for"):
        search_.tell(by_hash(asked)[:9])
    with pytest.raises(NasbuildError, match="an evaluation does not report 'cost'"):
        search_.tell([{"worth": 1.0}] * 10)
    search_.tell(by_hash(asked))
    assert len(search_.ask()) == 5
    search_.tell(by_hash(search_.ask()))
    assert search_.ask() == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "swap"}, "there is no method 'swap'; allowed: stage, layer, insight"),
        ({"budget": 1}, "the budget is 1"),
        ({"population": 0}, "the population is 0"),
        ({"crossover": 1.5}, "the probability is 1.5"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_invalid_settings_are_refused(wrong, message):
    with pytest.raises(NasbuildError, match=message):
        SearchSettings(**wrong)


@pytest.mark.parametrize(
    ("targets", "bounds", "message"),
    [
        ([], [], "a search needs a target"),
        (["speed"], [], "speed"),
        (["worth", "worth"], [], "a target is named twice"),
        (["worth"], ["speed <= 3"], "there is no metric 'speed'"),
        (["worth"], ["cost ~ 3"], "is not a bound"),
    ],
)
def test_invalid_goals_are_refused(targets, bounds, message):
    from search_samples import METRICS

    with pytest.raises(NasbuildError, match=message):
        parse_goal(DIGITS, targets, bounds, METRICS)
