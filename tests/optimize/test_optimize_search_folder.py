"""Searches in folders: a stopped search ends as if it had never been stopped."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from optimize_samples import NAME, numbers, space

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Pool, Spec
from nasbuild.optimize import SearchFolder
from nasbuild.search import SearchSettings, parse_goal, search
from nasbuild.space import load_space, to_dict
from nasbuild.table import read_table

SPACE = space((1, 2, 3), 3)
GOAL = parse_goal(SPACE, ["loss", "cost"], [], SPACE.metrics)
SETTINGS = SearchSettings(budget=90, population=20)
FILES = ("archs.jsonl", "front.jsonl", "space.yaml", "search.json")


def by_hash(architectures):
    return [numbers(to_dict(SPACE, a)) for a in architectures]


def contents(folder):
    return {name: (folder / name).read_text() for name in FILES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a search leaves that was not stopped."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTES", str(folder / "notes"))
        from nasbuild.evaluate import Store

        place = SearchFolder(folder / "search", SPACE, Spec(f"{NAME}hashed", SPACE), GOAL, SETTINGS)
        store = Store(place.store, SPACE, f"{NAME}hashed")
        place.run(store)
        store.close()
    return folder / "search"


@pytest.fixture
def asked(tmp_path):
    """What was evaluated, each time."""
    return lambda: (tmp_path / "notes").read_text().splitlines() if (tmp_path / "notes").exists() else []


def test_the_folder_contains_the_results(whole):
    found = search(SPACE, by_hash, GOAL, SETTINGS)
    known = load_space(whole / "space.yaml")
    table = read_table(whole / "archs.jsonl", known)
    assert table.architectures == found.architectures
    for name in ("loss", "cost"):
        assert table.columns[name].tolist() == found.columns[name].tolist()
        # So that the table can be learnt from.
        assert known.metrics[name] == SPACE.metrics[name]
    front = read_table(whole / "front.jsonl", known)
    assert front.architectures == tuple(found.architectures[i] for i in found.front)
    written = json.loads((whole / "search.json").read_text())
    assert written["volumes"] == list(found.volumes)
    assert (written["targets"], written["method"], written["seed"]) == (["loss", "cost"], "stage", 0)


@pytest.mark.parametrize("stop", [0, 1, 20, 45, 89])
def test_a_stopped_search_ends_the_same_without_repeats(whole, tmp_path, search_in, asked, stop, monkeypatch):
    monkeypatch.setenv("STOP", str(stop))
    with pytest.raises(KeyboardInterrupt):
        search_in(SETTINGS, tmp_path / "search")
    assert len(asked()) == stop
    monkeypatch.delenv("STOP")
    search_in(SETTINGS, tmp_path / "search")
    assert set(Counter(asked()).values()) == {1}
    assert len(asked()) == 90
    assert contents(tmp_path / "search") == contents(whole)


def test_budget_steps_and_workers_do_not_change_the_result(whole, tmp_path, search_in, asked):
    # 50 ends within a generation.
    for budget in (20, 50):
        search_in(SearchSettings(budget=budget, population=20), tmp_path / "search")
    for _ in range(2):
        search_in(SETTINGS, tmp_path / "search", executor=Pool(2))
        assert contents(tmp_path / "search") == contents(whole)
    assert len(asked()) == 90


def test_two_halves_of_the_generations_equal_the_whole(tmp_path, search_in):
    rule = {"population": 10, "crossover": 0.5, "seed": 3}
    for folder, budgets in ((tmp_path / "one", (30, 60)), (tmp_path / "other", (60,))):
        for budget in budgets:
            search_in(SearchSettings(budget=budget, **rule), folder)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_crashes_and_timeouts_fail_alone_and_are_repeated_on_demand(tmp_path, search_in, asked):
    settings = SearchSettings(budget=6, population=6, seed=1)
    rule = {"function": "crossed", "limit": 0.4}
    found = search_in(settings, tmp_path / "search", **rule)
    kinds = [(len(a.modules[0]), a.modules[0][0][0]) for a in found.architectures]
    failed = [kind in {(1, "b"), (1, "c")} for kind in kinds]
    assert {(1, "b"), (1, "c")} <= set(kinds)
    assert (found.values != found.values).any(axis=1).tolist() == failed
    before = contents(tmp_path / "search")
    search_in(settings, tmp_path / "search", **rule, executor=Pool(2))
    assert len(asked()) == 6
    assert contents(tmp_path / "search") == before
    search_in(settings, tmp_path / "search", **rule, again=True)
    assert len(asked()) == 6 + sum(failed)


def test_searches_share_a_store(tmp_path, search_in, asked):
    for folder in ("one", "two"):
        search_in(SETTINGS, tmp_path / folder, store=tmp_path / "shared.db")
    assert len(asked()) == 90
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "contains a search with another seed"),
        ({"method": "layer"}, "contains a search with another method"),
        ({"population": 10}, "contains a search with another population"),
    ],
)
def test_a_folder_of_another_search_is_left_alone(whole, search_in, changed, message):
    before = contents(whole)
    with pytest.raises(NasbuildError, match=message):
        search_in(SearchSettings(**{"budget": 90, "population": 20, **changed}), whole)
    assert contents(whole) == before


def test_a_folder_of_something_else_is_left_alone(whole, tmp_path, search_in):
    with pytest.raises(NasbuildError, match="contains a search with another targets"):
        search_in(SETTINGS, whole, targets=["loss"])
    with pytest.raises(NasbuildError, match="contains a search with another evaluator"):
        search_in(SETTINGS, whole, function="value")
    with pytest.raises(NasbuildError, match="contains a search in another space"):
        search_in(SETTINGS, whole, of=space())
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NasbuildError, match="contains something other than a search"):
        search_in(SETTINGS, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ("[]", "has a version"), ('{"schema": 99}', "has a version")],
)
def test_a_damaged_folder_is_refused(whole, tmp_path, search_in, text, message):
    for name in FILES:
        (tmp_path / name).write_text((whole / name).read_text())
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(NasbuildError, match=message):
        search_in(SETTINGS, tmp_path)
