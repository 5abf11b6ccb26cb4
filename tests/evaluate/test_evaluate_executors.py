"""Evaluating into a store: the same everywhere, through failures, deaths and kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from evaluate_samples import NAME, size

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import InProcess, Pool, Result, Spec, Store, evaluate_all, load_evaluator
from nasbuild.evaluate.executors._executor import chunk_size
from nasbuild.space import load_space, sample, to_dict

SPACE = load_space("digits-macro")
ARCHITECTURES = sample(SPACE, 30, np.random.default_rng(1))
EXPECTED = [size(to_dict(SPACE, a)) for a in ARCHITECTURES]


def evaluate(path, name, executor, architectures=ARCHITECTURES, **options):
    store = Store(path, SPACE, name)
    results = evaluate_all(Spec(NAME + name, SPACE), architectures, store, executor=executor, **options)
    assert store.counts()["running"] == 0
    store.close()
    return results


@pytest.mark.parametrize("executor", [InProcess(), Pool(2)], ids=["in process", "pool"])
def test_all_executors_give_the_same_results_and_repeat_none(tmp_path, executor, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    calls = []
    results = evaluate(tmp_path / "s.db", "logged", executor, progress=lambda *n: calls.append(n))
    assert [results[a].metrics for a in ARCHITECTURES] == EXPECTED
    assert list(results) == ARCHITECTURES
    assert all((r.seconds or 0) > 0.004 for r in results.values())
    assert [done for done, _, _ in calls] == list(range(31))
    assert evaluate(tmp_path / "s.db", "logged", executor) == results
    assert len(notes.read_text().splitlines()) == 30


@pytest.mark.parametrize("executor", [InProcess(), Pool(2)], ids=["in process", "pool"])
def test_failures_are_stored_with_their_reason_and_retried_on_demand(tmp_path, executor):
    results = evaluate(tmp_path / "s.db", "picky", executor)
    for architecture, expected in zip(ARCHITECTURES, EXPECTED, strict=True):
        if len(architecture.modules[0]) == 2:
            assert results[architecture].metrics is None
            assert results[architecture].reason == "ValueError: two layers are too many"
        else:
            assert results[architecture].metrics == expected
    # With a corrected evaluator of the same name.
    store = Store(tmp_path / "s.db", SPACE, "picky")
    again = evaluate_all(
        Spec(NAME + "size", SPACE), ARCHITECTURES, store, executor=executor, retry_failed=True
    )
    assert [again[a].metrics for a in ARCHITECTURES] == EXPECTED
    store.close()


def test_the_death_of_a_worker_fails_one_evaluation_only(tmp_path):
    results = evaluate(tmp_path / "s.db", "deadly", Pool(2))
    deadly = [a for a in ARCHITECTURES if a.modules[0] == (("mb_e6_k5",),)]
    assert deadly
    for architecture, expected in zip(ARCHITECTURES, EXPECTED, strict=True):
        if architecture in deadly:
            reason = "the process that evaluated it died: it was killed (SIGKILL), as the system does when memory runs out"
            assert results[architecture].reason == reason
        else:
            assert results[architecture].metrics == expected


@pytest.mark.parametrize(
    ("name", "executor", "most"),
    [
        ("expensive", Pool(2), 2),
        ("free", InProcess(), 64),
        ("slow", InProcess(), 1),
        ("expensive", InProcess(), 1),
    ],
)
def test_the_cost_class_limits_the_assigned_evaluations(name, executor, most):
    remaining, assigned, seen = list(reversed(ARCHITECTURES * 3)), 0, []

    def next_batch(count):
        nonlocal assigned
        batch = [remaining.pop() for _ in range(min(count, len(remaining)))]
        assigned += len(batch)
        seen.append(assigned)
        return batch

    got = []
    for completed in executor.run(Spec(NAME + name, SPACE), next_batch):
        assigned -= len(completed)
        got += completed
    assert max(seen) == most
    assert [r.metrics for a, r in sorted(got, key=lambda e: ARCHITECTURES.index(e[0]))][::3] == EXPECTED


@pytest.mark.parametrize(
    ("depth", "seconds", "expected"),
    [(16, 0.01, 8), (16, 0.02, 4), (16, 0.05, 2), (16, 1.0, 1), (16, 0.0, 8), (64, 0.001, 32), (1, 0.01, 1)],
)
def test_quick_evaluations_are_assigned_several_at_a_time(depth, seconds, expected):
    assert chunk_size(depth, [(ARCHITECTURES[0], Result({}, None, seconds))] * 3) == expected


def test_an_unknown_cost_class_is_an_error():
    with pytest.raises(NasbuildError, match="its cost class is 'none'; allowed: free, cheap, expensive"):
        load_evaluator(NAME + "priceless", SPACE)
    assert load_evaluator(NAME + "expensive", SPACE).cost == "expensive"
    assert load_evaluator(NAME + "size", SPACE).cost == "cheap"


RUN = """
import sys
import numpy as np
from nasbuild.evaluate import InProcess, Pool, Spec, Store, evaluate_all
from nasbuild.space import load_space, sample
if __name__ == "__main__":
    space = load_space("digits-macro")
    store = Store(sys.argv[1], space, "logged")
    workers = int(sys.argv[3])
    executor = Pool(workers) if workers else InProcess()
    evaluate_all(Spec(sys.argv[2] + "logged", space), sample(space, 120, np.random.default_rng(2)), store, executor=executor)
"""


def test_repeated_kills_lose_nothing_and_repeat_little(tmp_path):
    path, notes, script = tmp_path / "s.db", tmp_path / "notes", tmp_path / "run.py"
    script.write_text(RUN)
    environment = {**os.environ, "NOTES": str(notes)}
    call = [sys.executable, script, path, NAME, "0"]
    rng, kills = random.Random(0), 0
    wanted = sample(SPACE, 120, np.random.default_rng(2))
    while kills < 3:
        process = subprocess.Popen(call, env=environment)
        before = notes.stat().st_size if notes.exists() else 0
        while process.poll() is None and (not notes.exists() or notes.stat().st_size == before):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    store = Store(path, SPACE, "logged")
    done = store.counts()["done"]
    assert 0 < done < 120
    store.close()
    assert subprocess.run(call, env=environment, check=False).returncode == 0
    store = Store(path, SPACE, "logged")
    results = store.results()
    assert store.counts() == {"running": 0, "done": 120, "failed": 0}
    assert {a: r.metrics for a, r in results.items()} == {a: size(to_dict(SPACE, a)) for a in wanted}
    store.close()
    # Each kill repeats at most the running evaluation.
    counts = Counter(notes.read_text().splitlines())
    assert sum(counts.values()) <= 120 + kills


def test_two_processes_on_one_store_share_the_work(tmp_path):
    path, notes, script = tmp_path / "s.db", tmp_path / "notes", tmp_path / "run.py"
    script.write_text(RUN)
    environment = {**os.environ, "NOTES": str(notes)}
    call = [sys.executable, script, path, NAME, "0"]
    both = [subprocess.Popen(call, env=environment) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    lines = notes.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 120


def test_a_command_answers_with_json(tmp_path):
    script = tmp_path / "measure.py"
    script.write_text(
        "import json, sys, time\n"
        "arch = json.loads(sys.stdin.readline())\n"
        "n = len(arch['stages'][0])\n"
        "print('working')\n"
        "if n == 2 and sys.argv[1] == 'fail': sys.exit('broken')\n"
        "if n == 2 and sys.argv[1] == 'hang': time.sleep(60)\n"
        "print(json.dumps({'loss': n}) if sys.argv[1] != 'talk' else 'hello')\n"
    )
    few = [a for a in ARCHITECTURES if len(a.modules[0]) == 1][:1] + [
        a for a in ARCHITECTURES if len(a.modules[0]) == 2
    ][:1]

    def results(how, limit=None):
        name = f"command:{sys.executable} {script} {how}"
        store = Store(tmp_path / f"{how}.db", SPACE, name)
        found = evaluate_all(Spec(name, SPACE, limit=limit), few, store)
        store.close()
        return [found[a].metrics or found[a].reason for a in few]

    assert results("good") == [{"loss": 1.0}, {"loss": 2.0}]
    assert results("fail") == [{"loss": 1.0}, "ended with code 1: broken"]
    start = time.monotonic()
    assert results("hang", 2.0) == [{"loss": 1.0}, "took longer than 2 s"]
    assert time.monotonic() - start < 30
    assert results("talk") == ["answered 'hello', not JSON"] * 2
    metrics = load_evaluator(f"command:{sys.executable} {script} fail", SPACE)(few)
    assert metrics[0]["loss"] == 1.0
    # For a search, the metrics of a failed evaluation are missing.
    assert set(metrics[1].values()) == {None}
