"""The loop: its folder, resumption, failures, several targets, and exhausted spaces."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from optimize_samples import NAME, space, value

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result, Store
from nasbuild.optimize import PROPOSED, RANDOM, LoopSettings
from nasbuild.score import load_fit
from nasbuild.space import count_architectures, enumerate_architectures, sample, save_space, to_dict
from nasbuild.table import read_table

SETTINGS = LoopSettings(rounds=2, batch=4, first=8, seed=1)


def content(folder):
    """All that a loop leaves, without versions and what a report looks like."""
    loop = json.loads((folder / "loop.json").read_text())
    del loop["versions"]
    return (
        loop,
        (folder / "archs.jsonl").read_text(),
        (folder / "best.jsonl").read_text(),
        load_fit(folder / "fit").table.digest(),
    )


def losses(state):
    return [value(to_dict(space(), a))["loss"] for a in state.evaluated.architectures]


def test_a_loop_finds_the_best_and_writes_its_folder(loop, tmp_path):
    states = []
    end = loop(LoopSettings(rounds=2, batch=8, first=12, seed=3), recipe="default", on_round=states.append)
    assert [len(s.evaluated.architectures) for s in states] == [12, 20, 28]
    assert [s.ended for s in states] == [False, False, True]
    assert losses(end) == pytest.approx(end.evaluated.values[:, 0].tolist())
    every = [value(to_dict(space(), a))["loss"] for a in enumerate_architectures(space())]
    assert min(losses(end)) == pytest.approx(min(every))
    assert min(losses(end)[:12]) > min(every)
    assert (
        end.evaluated.architectures[end.best[0]] == end.evaluated.architectures[int(np.argmin(losses(end)))]
    )
    table = read_table(tmp_path / "out" / "archs.jsonl", space())
    assert table.architectures == end.evaluated.architectures
    assert load_fit(tmp_path / "out" / "fit").table == table
    assert (
        read_table(tmp_path / "out" / "best.jsonl", space()).columns["loss"].tolist()
        == sorted(losses(end))[:10]
    )


def test_the_first_round_is_a_seeded_sample_and_later_ones_are_new(loop):
    found = loop(SETTINGS).evaluated
    assert list(found.architectures[:8]) == sample(space(), 30, np.random.default_rng(1))[:8]
    assert len(set(found.architectures)) == 16
    assert found.origins[:8] == (RANDOM,) * 8
    assert {PROPOSED} < set(found.origins[8:])
    assert RANDOM not in found.origins[8:]
    assert np.isnan(found.predicted[:8]).all()
    assert np.isfinite(found.predicted[8:]).all()
    assert (found.std[8:] > 0).all()


def test_a_stopped_loop_ends_the_same(loop, tmp_path):
    loop(SETTINGS, out="whole", store="whole.db")

    class Stopped(Exception):
        pass

    def stop(state):
        if len(state.evaluated.summaries) > 1:
            raise Stopped

    with pytest.raises(Stopped):
        loop(SETTINGS, on_round=stop)
    # In the middle of a round, too.
    calls = iter(range(2))
    with pytest.raises(StopIteration):
        loop(
            SETTINGS,
            progress=lambda what, *_: next(calls) if what == "evaluating" else None,
        )
    loop(SETTINGS)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_with_its_store_nothing_is_evaluated_again(loop, tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    loop(SETTINGS, function="noted")
    loop(SETTINGS, function="noted", out="again")
    assert content(tmp_path / "again") == content(tmp_path / "out")
    assert len(notes.read_text().splitlines()) == 16


def test_a_larger_budget_starts_like_a_smaller_one(loop, tmp_path):
    short = loop(LoopSettings(rounds=None, batch=4, first=8, budget=10, seed=1))
    assert len(short.evaluated.architectures) == 10
    longer = loop(SETTINGS)
    assert longer.evaluated.architectures[:10] == short.evaluated.architectures
    loop(SETTINGS, out="whole", store="whole.db")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_two_targets_approach_the_front(loop, tmp_path):
    end = loop(LoopSettings(rounds=1, batch=6, first=10, seed=1), targets=("loss", "cost"))
    values = end.evaluated.values
    beaten = [(other <= one).all() and (other < one).any() for one in values for other in values]
    front = np.flatnonzero(~np.reshape(beaten, (16, 16)).any(axis=1))
    assert {tuple(values[i]) for i in end.best} == {tuple(values[i]) for i in front}
    assert (np.diff(values[end.best, 0]) > 0).all()
    volumes = [one.volume for one in end.evaluated.summaries]
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[0]
    assert [one.target.name for one in load_fit(tmp_path / "out" / "fit").targets] == ["loss", "cost"]


def test_failures_are_skipped_and_only_repeated_on_demand(loop, tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    settings = LoopSettings(rounds=2, batch=6, first=20, seed=1)
    end = loop(settings, function="picky")
    failed = np.isnan(end.evaluated.values[:, 0])
    deep = [len(a.modules[0]) == 2 for a in end.evaluated.architectures]
    assert failed.tolist() == deep
    assert 0 < failed.sum() == sum(one.failed for one in end.evaluated.summaries)
    assert len(set(end.evaluated.architectures)) == len(notes.read_text().splitlines()) == 32
    before = content(tmp_path / "out")
    loop(settings, function="picky")
    assert len(notes.read_text().splitlines()) == 32
    loop(settings, function="picky", again=True)
    assert len(notes.read_text().splitlines()) == 32 + failed.sum()
    # They failed once more, and the rounds that were asked for stay.
    assert content(tmp_path / "out") == before


def test_a_round_is_random_if_nothing_can_be_learnt(loop):
    end = loop(LoopSettings(rounds=2, batch=6, first=2, seed=1))
    assert end.evaluated.origins[2:8] == (RANDOM,) * 6
    assert RANDOM not in end.evaluated.origins[8:]
    assert end.evaluated.summaries[1].note == "no fit was possible before it: has a value for 2 rows of 2"
    assert end.evaluated.summaries[2].note == ""


@pytest.mark.parametrize(
    ("function", "message"), [("never", "out of memory with 2 stages"), ("forgetful", "measured loss;")]
)
def test_a_first_round_without_measurements_is_an_error(loop, function, message):
    with pytest.raises(
        NasbuildError, match="none of the 8 evaluations of the first round measured loss"
    ) as caught:
        loop(SETTINGS, function=function)
    assert message in str(caught.value)
    assert "--retry-failed" in str(caught.value)


def test_evaluations_of_another_process_are_awaited(loop, tmp_path, monkeypatch):
    monkeypatch.setattr("nasbuild.optimize._repeats._WAIT", 0.05)
    other = Store(tmp_path / "store.db", space(), f"{NAME}value", seed=1)
    taken = sample(space(), 8, np.random.default_rng(1))[3]
    assert other.claim([taken]) == [taken]
    timer = threading.Timer(0.5, other.finish, (taken, Result({"loss": -5.0, "cost": 1.0})))
    timer.start()
    end = loop(SETTINGS)
    timer.join()
    other.close()
    assert end.evaluated.values[3, 0] == -5.0
    assert end.best[0] == 3


def test_an_exhausted_space_ends_the_loop(loop):
    small = space(depths=(1,))
    end = loop(LoopSettings(rounds=5, batch=2, first=5), of=small)
    assert set(end.evaluated.architectures) == set(enumerate_architectures(small))
    assert len(end.evaluated.architectures) == count_architectures(small) == 9
    assert end.exhausted
    assert end.ended
    assert not loop(SETTINGS, out="other").exhausted


@pytest.mark.parametrize(
    ("change", "name"),
    [({"batch": 5}, "batch"), ({"first": 9}, "first"), ({"seed": 2}, "seed")],
)
def test_a_folder_of_another_loop_is_refused(loop, change, name):
    settings = LoopSettings(rounds=0, batch=4, first=6, seed=1)
    loop(settings)
    with pytest.raises(NasbuildError, match=f"contains a loop with another {name}"):
        loop(LoopSettings(**{**vars(settings), **change}))


def test_a_folder_without_a_loop_is_refused(loop, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(NasbuildError, match="contains something other than a loop"):
        loop(SETTINGS)
    # What a process left that was killed before anything was whole is not in the way.
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / ".loop.json.0123456789abcdef.partial").write_text("{")
    loop(LoopSettings(rounds=0, first=6), out="killed")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NasbuildError, match="is not a folder"):
        loop(SETTINGS, out="file")
    loop(LoopSettings(rounds=0, first=6), out="good")
    path = tmp_path / "good" / "loop.json"
    whole = json.loads(path.read_text())
    for text, message in (
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (json.dumps({**whole, "schema": 9}), "has a version"),
        (json.dumps({**whole, "rounds": [{"asked": 3}]}), "is damaged"),
        (json.dumps({**whole, "rounds": [*whole["rounds"], whole["rounds"][0]]}), "is damaged"),
    ):
        path.write_text(text)
        with pytest.raises(NasbuildError, match=message):
            loop(LoopSettings(rounds=0, first=6), out="good")


def test_invalid_settings_are_refused():
    for name, least in (("rounds", 0), ("batch", 1), ("first", 1), ("budget", 1), ("seed", 0)):
        with pytest.raises(
            NasbuildError, match=f"--{name}: the number is {least - 1}; allowed: {least} or more"
        ):
            LoopSettings(**{name: least - 1})
    with pytest.raises(NasbuildError, match="neither rounds nor a budget are given"):
        LoopSettings(rounds=None)
    assert LoopSettings(rounds=3, batch=4, first=8).total == 20
    assert LoopSettings(rounds=3, batch=4, first=8, budget=11).total == 11
    assert LoopSettings(batch=16).begin == 32


def test_a_killed_loop_continues_without_repeats(loop, tmp_path, monkeypatch):
    """Killed while a user's slow function evaluates the second round, and gone on with."""
    notes, file, store = tmp_path / "notes", tmp_path / "space.yaml", tmp_path / "killed.db"
    monkeypatch.setenv("NOTES", str(notes))
    save_space(space(), file)
    options = ["--space", file, "--evaluator", f"{NAME}noted", "--target", "loss", "--recipe", "ridge"]
    options += ["--rounds", 2, "--batch", 4, "--first", 8, "--seed", 1]
    options += ["--store", store, "--out", tmp_path / "killed"]
    command = [sys.executable, "-m", "nasbuild", "optimize", *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while done(store) < 9 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.03)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 9 <= done(store) < 16
    loop(SETTINGS, function="noted", out="killed", store="killed.db")
    loop(SETTINGS, function="noted", out="whole", store="whole.db")
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    written = notes.read_text().splitlines()
    assert len(set(written)) == 16
    # Both, and what was under way when it was killed.
    assert 32 <= len(written) <= 33


def done(store):
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return connection.execute("select count(*) from evaluations where state = 'done'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
