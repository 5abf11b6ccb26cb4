"""``optimize``, ``search``, ``build``, ``explain`` and the report for evaluations that fail in a part of a space."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from nasbuild.predictor import recipe
from nasbuild.score import fit, save_fit
from nasbuild.space import enumerate_architectures, load_space, sample, space_from_yaml, to_dict
from nasbuild.table import read_architectures, read_table

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
    """Like an evaluator that detects a diverged training."""
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
    """Counts evaluated architectures that begin with c, and the others."""
    table = read_table(folder / "archs.jsonl", load_space(folder / "space.yaml"))
    begin = [a.modules[0][0][0] == "c" for a in table.architectures]
    return sum(begin), len(begin) - sum(begin)


def test_optimize_shows_which_choices_go_with_failures(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [
        *begun("optimize"),
        "--target",
        "acc",
        "--recipe",
        "ridge",
        "--rounds",
        1,
        "--batch",
        6,
        "--first",
        30,
    ]
    call += ["--store", tmp_path / "store.db", "--out", out]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    failed, others = counts(out)
    rule = f"{failed} of {failed} with op = c at layer 1 of s0, 0 of {others} otherwise"
    assert f"evaluations fail more often with: {rule}" in done.out
    assert "expected failures" in done.out
    assert "limits on the fitted failure probability" in done.out
    assert "25 % for built ones, 50 % for proposed ones" in done.out
    result = nasbuild(*call, "--json").json
    assert result["failure_rule"]["conditions"] == ["op = c at layer 1 of s0"]
    assert result["failure_rule"]["inside"] == [failed, failed]
    assert result["failure_rule"]["otherwise"] == [0, others]
    assert result["failed"] == failed
    assert "expected_failures" not in result["rounds"][0]
    assert 0 <= result["rounds"][1]["expected_failures"] < 1
    assert result["rounds"][1]["failed"] == 0
    page = (out / "report.html").read_text()
    sentence = (
        f"{failed} of {failed + others} rows have no value of acc and count as failed evaluations: {rule}."
    )
    assert sentence in page
    assert "Expected failures" in page
    assert 'class="card failed"' not in page
    assert sentence in nasbuild("explain", out / "fit").out
    (row,) = nasbuild("explain", out / "fit", "--json").json["failures"]
    assert (row["metrics"], row["text"].startswith(sentence)) == (["acc"], True)
    assert "If they were only not measured, build with --may-fail" in row["text"]


def test_random_failures_give_no_rule(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [
        *begun("optimize", "unlucky"),
        "--target",
        "acc",
        "--recipe",
        "ridge",
        "--rounds",
        1,
        "--batch",
        6,
    ]
    done = nasbuild(*call, "--store", tmp_path / "store.db", "--out", out)
    assert "evaluations failed" in done.out
    assert "fail more often" not in done.out
    assert "expected failures" not in done.out
    assert nasbuild("explain", out / "fit", "--json").json["failures"] == []
    assert "no value of" not in (out / "report.html").read_text()


def test_search_shows_which_choices_go_with_failures(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [*begun("search", "gone"), "--budget", 60, "--population", 20, "--out", out]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    failed, others = counts(out)
    assert f"evaluations fail more often with: {failed} of {failed} with op = c at layer 1 of s0" in done.out
    result = nasbuild(*call, "--json").json
    assert result["failure_rule"]["otherwise"] == [0, others]
    assert json.dumps(result["failure_rule"])


@pytest.fixture(scope="module")
def target_fit(tmp_path_factory):
    """A fit of 90 rows, those without a value where the evaluator fails."""
    folder = tmp_path_factory.mktemp("crashed")
    space = space_from_yaml(SPACE)
    rows = []
    for architecture in sample(space, 90, np.random.default_rng(1)):
        row = {
            "arch": to_dict(space, architecture),
            "metrics": {"acc": None if fails(architecture) else worth(architecture)},
        }
        rows.append(json.dumps(row))
    (folder / "data.jsonl").write_text("\n".join(rows) + "\n")
    table = read_table(folder / "data.jsonl", space)
    fitted = fit(table, ["acc"], recipe=recipe("ridge"), baselines=False)
    save_fit(fitted, folder / "fit")
    return folder / "fit", fitted


def fails(architecture):
    return architecture.modules[0][0][0] == "c"


def worth(architecture):
    """Returns a value that is highest where evaluations fail."""
    return float(sum(width * "abc".index(op) for module in architecture.modules for op, width in module))


@pytest.mark.parametrize("by", ["shortlist", "score", "prediction"])
def test_build_avoids_choices_of_failed_evaluations(nasbuild, target_fit, tmp_path, by):
    place, fitted = target_fit
    call = ["build", place, "--by", by, "--top", 8, "--out", tmp_path / "b.jsonl"]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    built = read_architectures(tmp_path / "b.jsonl", fitted.space)
    assert not any(fails(architecture) for _, architecture in built)
    # All architectures of the space that do not fail.
    every = [a for a in enumerate_architectures(fitted.space) if not fails(a)]
    predicted = fitted.of().scorer.predict(every)[0]
    best = fitted.of().scorer.predict([architecture for _, architecture in built])[0]
    assert best == pytest.approx(np.sort(predicted)[::-1][:8])
    missing = int(np.isnan(fitted.table.columns["acc"]).sum())
    sentence = (
        f"fitted failure probability at most 25 %; {missing} of 90 rows have no value and count as failed evaluations: "
        f"{missing} of {missing} with op = c at layer 1 of s0, 0 of {90 - missing} otherwise; --may-fail lifts this limit "
        "(in Python, may_fail=True)"
    )
    assert sentence in done.out
    assert "log odds" not in done.out
    result = nasbuild(*call, "--json").json
    assert sentence in result["notes"]
    assert all("where" not in row and "expected" not in row for row in result["architectures"])
    done = nasbuild(*call, "--may-fail")
    assert "failure" not in done.out
    best_anywhere(fitted, tmp_path / "b.jsonl", 8)


def best_anywhere(fitted, path, n):
    """Checks that a file has the best predictions of all architectures, some of which fail."""
    built = [architecture for _, architecture in read_architectures(path, fitted.space)]
    assert any(fails(architecture) for architecture in built)
    every = fitted.of().scorer.predict(list(enumerate_architectures(fitted.space)))[0]
    assert fitted.of().scorer.predict(built)[0] == pytest.approx(np.sort(every)[::-1][:n])


def test_proposals_and_bounds_avoid_failures_or_say_why_not(nasbuild, target_fit, tmp_path):
    place, fitted = target_fit
    out = ["--out", tmp_path / "b.jsonl"]
    for more in (["--propose", 5], ["--where", "layers <= 3"], ["--where", "layers = 2 | 3"]):
        done = nasbuild("build", place, *more, *out)
        assert done.code == 0, done.err
        assert not any(
            fails(architecture) for _, architecture in read_architectures(tmp_path / "b.jsonl", fitted.space)
        )
        assert f"failure probability at most {50 if more[0] == '--propose' else 25} %" in done.out
    rows = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert {row["where"] for row in rows} == {"layers = 2", "layers = 3"}
    done = nasbuild("build", place, "--fix", "s0.0.op = c", *out)
    assert done.code == 0, done.err
    assert "failure probability not bounded, as no architecture was below a limit" in done.out
    done = nasbuild("build", place, "--by", "exhaustive", *out)
    assert "or --k or --by exhaustive was given" in done.out


def test_values_missing_at_random_do_not_restrict_building(nasbuild, target_fit, tmp_path):
    table = target_fit[1].table
    lucky = np.random.default_rng(2).random(90) < 0.2
    values = np.array([worth(a) for a in table.architectures])
    some = replace(table, columns={"acc": np.where(lucky, np.nan, values)})
    fitted = fit(some, ["acc"], recipe=recipe("ridge"), baselines=False)
    save_fit(fitted, tmp_path / "fit")
    done = nasbuild("build", tmp_path / "fit", "--out", tmp_path / "b.jsonl")
    assert done.code == 0, done.err
    assert "failure" not in done.out
    best_anywhere(fitted, tmp_path / "b.jsonl", 10)
