"""A search in a folder: stopped anywhere and taken up, it ends as if nothing had been."""

from __future__ import annotations

import json

import pytest
from search_samples import METRICS, by_hash, goal_of

from nasbuild.errors import NasbuildError
from nasbuild.search import SearchSettings, parse_goal, search, search_folder
from nasbuild.space import load_space
from nasbuild.table import read_table

SPACE = load_space("digits-macro")
FILES = ("archs.jsonl", "front.jsonl", "space.yaml", "search.json")


def counting(stop: int | None = None):
    count = [0]

    def evaluate(architectures):
        if count[0] == stop:
            raise KeyboardInterrupt
        count[0] += len(architectures)
        return by_hash(architectures)

    return evaluate, count


def contents(folder):
    return {name: (folder / name).read_text() for name in FILES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "search"
    search_folder(folder, SPACE, by_hash, goal_of(SPACE), SearchSettings(budget=90, population=20))
    return folder


def test_the_folder_holds_what_was_found(whole):
    found = search(SPACE, by_hash, goal_of(SPACE), SearchSettings(budget=90, population=20))
    space = load_space(whole / "space.yaml")
    table = read_table(whole / "archs.jsonl", space)
    assert table.architectures == found.architectures
    for name in ("worth", "cost"):
        assert table.columns[name].tolist() == found.columns[name].tolist()
        # So that the table can be learnt from.
        assert space.metrics[name] == METRICS[name]
    front = read_table(whole / "front.jsonl", space)
    assert front.architectures == tuple(found.architectures[i] for i in found.front)
    told = json.loads((whole / "search.json").read_text())
    assert told["volumes"] == list(found.volumes)
    assert (told["targets"], told["method"], told["seed"]) == (["worth", "cost"], "stage", 0)


@pytest.mark.parametrize("stop", [0, 1, 19, 20, 21, 45, 89])
def test_stopped_and_taken_up_it_ends_the_same_and_repeats_nothing(whole, tmp_path, stop, monkeypatch):
    # Written after every evaluation, as slow ones are.
    monkeypatch.setattr("nasbuild.search._search_folder._PAUSE", -1.0)
    folder, wanted = tmp_path / "search", SearchSettings(budget=90, population=20)
    with pytest.raises(KeyboardInterrupt):
        search_folder(folder, SPACE, counting(stop)[0], goal_of(SPACE), wanted)
    evaluate, count = counting()
    search_folder(folder, SPACE, evaluate, goal_of(SPACE), wanted)
    assert count[0] == 90 - stop
    assert contents(folder) == contents(whole)


def test_a_smaller_budget_first_makes_no_difference(whole, tmp_path):
    folder = tmp_path / "search"
    # 50 ends within a generation.
    for budget in (20, 50, 60, 90):
        evaluate, _ = counting()
        search_folder(folder, SPACE, evaluate, goal_of(SPACE), SearchSettings(budget=budget, population=20))
    assert contents(folder) == contents(whole)
    evaluate, count = counting()
    search_folder(folder, SPACE, evaluate, goal_of(SPACE), SearchSettings(budget=90, population=20))
    assert count[0] == 0


def test_10_and_10_generations_equal_20(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    space, rule = load_space("ofa-mobilenet-v3"), {"population": 10, "crossover": 0.5, "seed": 3}
    for folder, budgets in ((one, (100, 200)), (other, (200,))):
        for budget in budgets:
            search_folder(folder, space, by_hash, goal_of(space), SearchSettings(budget=budget, **rule))
    assert contents(one) == contents(other)


def test_failures_are_kept_and_not_tried_again(tmp_path):
    folder, wanted = tmp_path / "search", SearchSettings(budget=20, population=10)

    def failing(architectures):
        return [{**row, "worth": None} for row in by_hash(architectures)]

    search_folder(folder, SPACE, failing, goal_of(SPACE), wanted)
    before = contents(folder)
    evaluate, count = counting()
    found = search_folder(folder, SPACE, evaluate, goal_of(SPACE), wanted)
    assert count[0] == 0
    assert not found.within.any()
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "holds a search with another seed"),
        ({"method": "layer"}, "holds a search with another method"),
        ({"population": 10}, "holds a search with another population"),
    ],
)
def test_a_folder_of_another_search_is_left_alone(whole, changed, message):
    before = contents(whole)
    with pytest.raises(NasbuildError, match=message):
        search_folder(
            whole,
            SPACE,
            by_hash,
            goal_of(SPACE),
            SearchSettings(**{"budget": 90, "population": 20, **changed}),
        )
    assert contents(whole) == before


def test_a_folder_of_something_else_is_left_alone(whole, tmp_path):
    wanted = SearchSettings(budget=90, population=20)
    with pytest.raises(NasbuildError, match="holds a search with another targets"):
        search_folder(whole, SPACE, by_hash, parse_goal(SPACE, ["worth"], [], METRICS), wanted)
    with pytest.raises(NasbuildError, match="holds a search in another space"):
        search_folder(whole, load_space("ofa-mobilenet-v3"), by_hash, goal_of(SPACE), wanted)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NasbuildError, match="holds something else than a search"):
        search_folder(tmp_path, SPACE, by_hash, goal_of(SPACE), wanted)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ("[]", "of a version"), ('{"schema": 99}', "of a version")],
)
def test_a_damaged_folder_is_refused(whole, tmp_path, text, message):
    for name in FILES:
        (tmp_path / name).write_text((whole / name).read_text())
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(NasbuildError, match=message):
        search_folder(tmp_path, SPACE, by_hash, goal_of(SPACE), SearchSettings(budget=90, population=20))
