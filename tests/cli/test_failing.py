"""What ``run``, ``search``, ``explain`` and the report say of evaluations that fail in a part of a space."""

from __future__ import annotations

import json

import pytest

from nasbuild.space import load_space
from nasbuild.table import read_table

SPACE = """
name: failing
metrics:
  acc: {direction: maximize}
stages:
  - {name: s0, depth: [1, 2], features: {op: [a, b, c], width: [16, 32]}}
  - {name: s1, depth: [1, 2], features: {op: [a, b, c], width: [16, 32]}}
"""
EVALUATOR = '''
def evaluate(arch):
    if arch["stages"][0][0]["op"] == "c":
        raise MemoryError("out of memory")
    return {"acc": sum(layer["width"] * "abc".index(layer["op"]) for s in arch["stages"] for layer in s)}


def gone(arch):
    """As an evaluator that notes by itself that a training diverged."""
    return {"acc": None} if arch["stages"][0][0]["op"] == "c" else evaluate(arch)


def unlucky(arch):
    if sum(map(ord, str(arch))) % 7 == 0:
        raise OSError("the worker was lost")
    return {"acc": sum(layer["width"] for s in arch["stages"] for layer in s)}
'''


@pytest.fixture
def begun(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "net.py").write_text(EVALUATOR)

    def call(command, function="evaluate"):
        return [
            command,
            "--space",
            tmp_path / "space.yaml",
            "--evaluator",
            f"{tmp_path / 'net.py'}:{function}",
        ]

    return call


def counts(folder):
    """Of the evaluated, how many begin with c, and how many don't, by reading the table."""
    table = read_table(folder / "archs.jsonl", load_space(folder / "space.yaml"))
    begin = [a.modules[0][0][0] == "c" for a in table.architectures]
    return sum(begin), len(begin) - sum(begin)


def test_a_run_tells_which_choices_go_with_failing(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [*begun("run"), "--target", "acc", "--recipe", "ridge", "--rounds", 1, "--batch", 6, "--first", 30]
    call += ["--store", tmp_path / "store.db", "--out", out]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    failed, others = counts(out)
    rule = f"{failed} of {failed} with op = c at layer 1 of s0, 0 of {others} otherwise"
    assert f"what goes with failing: {rule}" in done.out
    assert "expected to fail" in done.out
    assert "a fitted probability of failing of at most 25%, what is proposed to 50%" in done.out
    told = nasbuild(*call, "--json").json
    assert told["failing"]["conditions"] == ["op = c at layer 1 of s0"]
    assert told["failing"]["inside"] == [failed, failed]
    assert told["failing"]["otherwise"] == [0, others]
    assert told["failed"] == failed
    assert "expected_to_fail" not in told["rounds"][0]
    assert 0 <= told["rounds"][1]["expected_to_fail"] < 1
    assert told["rounds"][1]["failed"] == 0
    page = (out / "report.html").read_text()
    sentence = (
        f"{failed} of {failed + others} rows have no value of acc, as of evaluations that failed: {rule}."
    )
    assert sentence in page
    assert "Expected to fail" in page
    assert 'class="card failed"' not in page
    assert sentence in nasbuild("explain", out / "run").out
    (row,) = nasbuild("explain", out / "run", "--json").json["failures"]
    assert (row["metrics"], row["text"]) == (["acc"], sentence)


def test_nothing_is_said_of_bad_luck(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [*begun("run", "unlucky"), "--target", "acc", "--recipe", "ridge", "--rounds", 1, "--batch", 6]
    done = nasbuild(*call, "--store", tmp_path / "store.db", "--out", out)
    assert "could not be evaluated" in done.out
    assert "goes with failing" not in done.out
    assert "expected to fail" not in done.out
    assert nasbuild("explain", out / "run", "--json").json["failures"] == []
    assert "no value of" not in (out / "report.html").read_text()


def test_a_search_tells_them_too(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [*begun("search", "gone"), "--budget", 60, "--population", 20, "--out", out]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    failed, others = counts(out)
    assert f"what goes with failing: {failed} of {failed} with op = c at layer 1 of s0" in done.out
    told = nasbuild(*call, "--json").json
    assert told["failing"]["otherwise"] == [0, others]
    assert json.dumps(told["failing"])
