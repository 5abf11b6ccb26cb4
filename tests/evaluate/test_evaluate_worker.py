"""Worker processes: the death of one fails one evaluation, and no process outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from evaluate_samples import NAME, alive, gone, size

from nasbuild.evaluate import InProcess, Pool, Spec, Store, evaluate_all
from nasbuild.evaluate.executors._supervised import SupervisedProcess
from nasbuild.space import load_space, sample, to_dict

SPACE = load_space("digits-macro")
MANY = sample(SPACE, 200, np.random.default_rng(1))


# An architecture of each kind: first layer, depth of the first stage.
KINDS = {(a.modules[0][0][0], len(a.modules[0])): a for a in reversed(MANY)}
HANGS = KINDS["mb_e6_k5", 1]


def evaluate(path, name, executor, architectures, **options):
    store = Store(path, SPACE, name)
    results = evaluate_all(Spec(NAME + name, SPACE, **options), architectures, store, executor=executor)
    assert store.counts()["running"] == 0
    store.close()
    return results


def test_the_death_of_a_worker_is_a_failure_with_its_reason(tmp_path):
    results = evaluate(tmp_path / "s.db", "faulty", Pool(2), list(KINDS.values()))
    died = "the process that evaluated it died: "
    reasons = {
        ("mb_e1_k3", 1): "SystemExit (the evaluator called sys.exit): 2",
        ("mb_e1_k3", 2): died + "segmentation fault",
        ("mb_e3_k3", 1): died + "it ended with code 3",
        ("mb_e3_k3", 2): died + "it closed file descriptors of the worker",
        ("mb_e6_k5", 1): "KeyboardInterrupt",
    }
    assert set(reasons) < set(KINDS)
    for kind, architecture in KINDS.items():
        assert results[architecture].reason == reasons.get(kind)
        if kind not in reasons:
            assert results[architecture].metrics == size(to_dict(SPACE, architecture))


@pytest.mark.parametrize("executor", [InProcess(), Pool(2)], ids=["in process", "pool"])
def test_a_time_limit_ends_a_function_and_its_child_processes(tmp_path, monkeypatch, executor):
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    results = evaluate(tmp_path / "s.db", "hanging", executor, list(KINDS.values()), limit=1.0)
    assert results[HANGS].reason == "took longer than 1 s"
    assert [a for a in KINDS.values() if results[a].metrics is None] == [HANGS]
    pids = notes.read_text().split()
    assert len(pids) == 3
    assert gone(pids)


RUN = """
import sys
from nasbuild.cli import main
main()
"""


def started(tmp_path, *more, evaluator=NAME + "hanging"):
    archs = tmp_path / "archs.jsonl"
    from nasbuild.table import table_from_evaluations, write_table

    write_table(table_from_evaluations(SPACE, {HANGS: {"loss": 1.0}}), archs)
    call = [sys.executable, "-c", RUN, "evaluate", "--space", "digits-macro", "--archs", archs]
    call += ["--evaluator", evaluator, "--store", tmp_path / "s.db", *more]
    notes = tmp_path / "notes"
    process = subprocess.Popen(
        call,
        env={**os.environ, "NOTES": str(notes)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # As a shell does in the foreground.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not notes.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return process, notes.read_text().split()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(tmp_path, number):
    process, pids = started(tmp_path, "--workers", "1")
    assert len(alive(pids)) == 3
    # To the parent only, as by `kill`.
    process.send_signal(number)
    began = time.monotonic()
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - began < 20  # far less than what it runs
    assert gone(pids)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert b"the same command resumes" in error
    store = Store(tmp_path / "s.db", SPACE, NAME + "hanging")
    assert store.counts()["done"] == store.counts()["failed"] == 0
    assert len(store.interrupted()) == (number == signal.SIGKILL)
    assert store.claim([HANGS]) == [HANGS]
    store.close()


COMMAND = """
import json, os, subprocess, sys, time
json.loads(sys.stdin.readline())
how = sys.argv[1]
if how == "bytes":
    os.write(1, b"\\xff\\xfe no text\\n")
if how in ("behind", "hang"):
    # The child keeps our output open.
    child = subprocess.Popen(["sleep", "600"])
    with open(os.environ["NOTES"] + ".new", "w") as notes:
        notes.write(f"{child.pid} {os.getpid()}")
    os.rename(os.environ["NOTES"] + ".new", os.environ["NOTES"])
if how == "hang":
    time.sleep(600)
if how == "much":
    for _ in range(300):
        os.write(1, b"y" * 2**20)
    print()
if how == "killed":
    os.kill(os.getpid(), 11)
print(json.dumps({"loss": 1}))
"""


@pytest.mark.parametrize(
    ("how", "reason"), [("bytes", None), ("behind", None), ("much", None), ("killed", "died")]
)
def test_a_command_may_print_anything_and_leave_children(tmp_path, monkeypatch, how, reason):
    script, notes = tmp_path / "measure.py", tmp_path / "notes"
    script.write_text(COMMAND)
    monkeypatch.setenv("NOTES", str(notes))
    store = Store(tmp_path / "s.db", SPACE, how)
    began = time.monotonic()
    found = evaluate_all(Spec(f"command:{sys.executable} {script} {how}", SPACE), MANY[:1], store)[MANY[0]]
    assert time.monotonic() - began < 30
    store.close()
    if reason is None:
        assert found.metrics == {"loss": 1.0}
    else:
        assert found.reason == "died (segmentation fault): no error message"
    if how == "behind":
        assert gone(notes.read_text().split())


def test_a_command_ends_with_the_process_that_runs_it(tmp_path):
    script = tmp_path / "measure.py"
    script.write_text(COMMAND)
    process, pids = started(tmp_path, evaluator=f"command:{sys.executable} {script} hang")
    assert len(alive(pids)) == 2
    process.kill()
    process.communicate()
    assert gone(pids)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_stopped_or_killed_supervisor_leaves_no_process(how):
    script = "setsid sleep 600 >/dev/null & echo $! $$; sleep 600"
    running = SupervisedProcess(["sh", "-c", script], stdout=subprocess.PIPE)
    assert running.process.stdout is not None
    pids = running.process.stdout.readline().split()
    pids = [pid.decode() for pid in pids]
    assert len(alive(pids)) == 2
    if how == "kill":
        # As Ray kills the children of its workers.
        running.process.kill()
        running.process.wait()
    else:
        running.stop()
    assert gone(pids)
    running.process.stdout.close()
    running.stop()


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -11 $$", -11), ("true", 0)])
def test_a_supervisor_exits_like_its_program(script, code):
    running = SupervisedProcess(["sh", "-c", script])
    assert running.wait(20) == code
    running.stop()
