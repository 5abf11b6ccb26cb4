"""What ``run``, ``search``, ``explain`` and the report say of evaluations that fail in a part of a space."""

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
    call = [*begun("optimize"), "--target", "acc", "--recipe", "ridge", "--rounds", 1, "--batch", 6, "--first", 30]
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
    assert sentence in nasbuild("explain", out / "fit").out
    (row,) = nasbuild("explain", out / "fit", "--json").json["failures"]
    assert (row["metrics"], row["text"]) == (["acc"], sentence)


def test_nothing_is_said_of_bad_luck(nasbuild, begun, tmp_path):
    out = tmp_path / "found"
    call = [*begun("optimize", "unlucky"), "--target", "acc", "--recipe", "ridge", "--rounds", 1, "--batch", 6]
    done = nasbuild(*call, "--store", tmp_path / "store.db", "--out", out)
    assert "could not be evaluated" in done.out
    assert "goes with failing" not in done.out
    assert "expected to fail" not in done.out
    assert nasbuild("explain", out / "fit", "--json").json["failures"] == []
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


@pytest.fixture(scope="module")
def target_fit(tmp_path_factory):
    """A fit of 90 rows, those without a value where the evaluator fails."""
    folder = tmp_path_factory.mktemp("learnt")
    space = space_from_yaml(SPACE)
    rows = []
    for architecture in sample(space, 90, np.random.default_rng(1)):
        told = {
            "arch": to_dict(space, architecture),
            "metrics": {"acc": None if fails(architecture) else worth(architecture)},
        }
        rows.append(json.dumps(told))
    (folder / "data.jsonl").write_text("\n".join(rows) + "\n")
    table = read_table(folder / "data.jsonl", space)
    fitted = fit(table, ["acc"], recipe=recipe("ridge"), baselines=False)
    save_fit(fitted, folder / "fit")
    return folder / "fit", fitted


def fails(architecture):
    return architecture.modules[0][0][0] == "c"


def worth(architecture):
    """Most where it fails."""
    return float(sum(width * "abc".index(op) for module in architecture.modules for op, width in module))


@pytest.mark.parametrize("by", ["shortlist", "score", "prediction"])
def test_a_build_keeps_away_from_where_rows_have_no_value(nasbuild, target_fit, tmp_path, by):
    place, fitted = target_fit
    call = ["build", place, "--by", by, "--top", 8, "--out", tmp_path / "b.jsonl"]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    built = read_architectures(tmp_path / "b.jsonl", fitted.space)
    assert not any(fails(architecture) for _, architecture in built)
    # Every architecture of the space that does not fail, by what the run predicts of it.
    every = [a for a in enumerate_architectures(fitted.space) if not fails(a)]
    predicted = fitted.of().scorer.predict(every)[0]
    best = fitted.of().scorer.predict([architecture for _, architecture in built])[0]
    assert best == pytest.approx(np.sort(predicted)[::-1][:8])
    missing = int(np.isnan(fitted.table.columns["acc"]).sum())
    sentence = (
        f"held to a fitted probability of failing of at most 25%; {missing} of 90 rows have no value, as of evaluations that "
        f"failed: {missing} of {missing} with op = c at layer 1 of s0, 0 of {90 - missing} otherwise; --may-fail builds there as well"
    )
    assert sentence in done.out
    assert "log odds" not in done.out
    told = nasbuild(*call, "--json").json
    assert sentence in told["notes"]
    assert all("where" not in row and "expected" not in row for row in told["architectures"])
    done = nasbuild(*call, "--may-fail")
    assert "failing" not in done.out
    best_anywhere(fitted, tmp_path / "b.jsonl", 8)


def best_anywhere(fitted, path, n):
    """That a file has the best predictions of all architectures, among them some that fail."""
    built = [architecture for _, architecture in read_architectures(path, fitted.space)]
    assert any(fails(architecture) for architecture in built)
    every = fitted.of().scorer.predict(list(enumerate_architectures(fitted.space)))[0]
    assert fitted.of().scorer.predict(built)[0] == pytest.approx(np.sort(every)[::-1][:n])


def test_proposals_and_bounds_keep_away_too_and_where_nothing_else_is_it_is_told(
    nasbuild, target_fit, tmp_path
):
    place, fitted = target_fit
    out = ["--out", tmp_path / "b.jsonl"]
    for more in (["--propose", 5], ["--where", "layers <= 3"], ["--where", "layers = 2 | 3"]):
        done = nasbuild("build", place, *more, *out)
        assert done.code == 0, done.err
        assert not any(
            fails(architecture) for _, architecture in read_architectures(tmp_path / "b.jsonl", fitted.space)
        )
        assert f"of at most {50 if more[0] == '--propose' else 25}%" in done.out
    rows = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert {row["where"] for row in rows} == {"layers = 2", "layers = 3"}
    done = nasbuild("build", place, "--fix", "s0.0.op = c", *out)
    assert done.code == 0, done.err
    assert "not kept away from where evaluations failed, as nothing was to be had elsewhere" in done.out
    done = nasbuild("build", place, "--by", "exhaustive", *out)
    assert "or --k or --by exhaustive was given" in done.out


def test_a_table_whose_values_are_missing_at_random_is_built_from_everywhere(nasbuild, target_fit, tmp_path):
    table = target_fit[1].table
    lucky = np.random.default_rng(2).random(90) < 0.2
    values = np.array([worth(a) for a in table.architectures])
    some = replace(table, columns={"acc": np.where(lucky, np.nan, values)})
    fitted = fit(some, ["acc"], recipe=recipe("ridge"), baselines=False)
    save_fit(fitted, tmp_path / "fit")
    done = nasbuild("build", tmp_path / "fit", "--out", tmp_path / "b.jsonl")
    assert done.code == 0, done.err
    assert "failing" not in done.out
    best_anywhere(fitted, tmp_path / "b.jsonl", 10)
