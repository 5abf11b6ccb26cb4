"""The trade-off: fronts by brute force, rows with every target and cost, groups of ties."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hostile import COST, EQUATION
from test_report_rounds import evaluated

from nasbuild.builder import build_front, describe
from nasbuild.predictor import recipe
from nasbuild.report.data._architecture_rows import ArchitectureRows, row_json
from nasbuild.report.data._best_measured import best_measured_data
from nasbuild.report.data._modules import modules_data, tied_modules_text
from nasbuild.report.data._tradeoff import _doubts, common_labels, nondominated, tradeoff_data
from nasbuild.score import fit, member_scores_at, predict
from nasbuild.space import parse_architecture
from nasbuild.table import load_builtin

TABLE = load_builtin("digits-macro").select(range(0, 1728, 40))


@pytest.fixture(scope="module")
def digits():
    return fit(TABLE, ["loss", "macs"], recipe=recipe("ridge"), baselines=False)


@pytest.fixture(scope="module")
def rows(digits):
    return ArchitectureRows(digits)


@pytest.fixture(scope="module")
def data(digits, rows):
    return tradeoff_data(digits, rows, 6)


def brute_force(values: np.ndarray) -> list[bool]:
    """Which rows no other row dominates, pair by pair; more is better."""
    return [
        not any(all(o >= v) and any(o > v) for j, o in enumerate(values) if j != i)
        for i, v in enumerate(values)
    ]


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_front_is_what_no_other_dominates(columns):
    values = np.random.default_rng(columns).integers(0, 6, size=(60, columns)).astype(float)
    assert nondominated(values).tolist() == brute_force(values)
    assert nondominated(values[:0]).tolist() == []


def test_measured_points_and_their_front(data):
    loss, macs = TABLE.columns["loss"], TABLE.columns["macs"]
    np.testing.assert_array_equal(data["points"], np.column_stack([loss, macs]))
    assert data["on_front"] == brute_force(-np.column_stack([loss, macs]))
    front = {TABLE.ids[i] for i, on in enumerate(data["on_front"]) if on}
    assert {r["in_table"] for r in data["rows"] if r["kind"] != "built"} == front
    assert data["measured_front"] == len(front)


def test_rows_missing_a_label_are_no_points(fitted):
    known, values = common_labels(fitted)
    assert list(known) == [i for i in range(60) if i != 7]
    assert np.isfinite(values).all()


def test_built_rows_are_the_predicted_front(digits, data):
    front = build_front(digits, 6)
    built = [r for r in data["rows"] if r["kind"] != "measured"]
    assert [parse_architecture(TABLE.space, r["arch"]) for r in built] == list(front.architectures)
    measured = -np.array(data["points"])
    for row, predicted in zip(built, -front.prediction, strict=True):
        worse = any(all(m >= predicted) and any(m > predicted) for m in measured)
        assert row["dominated"] == worse
    assert data["beyond"] == sum(not r["dominated"] for r in built)


def test_what_was_built_has_the_deviations_that_build_gives(digits, data):
    built = [r for r in data["rows"] if r["kind"] == "built"]
    architectures = [parse_architecture(TABLE.space, r["arch"]) for r in built]
    shown = [r["values"][0]["std"] for r in built]
    assert shown == pytest.approx([one.std for one in describe(digits.of("loss"), architectures)])


def test_every_row_has_every_target_and_exact_cost(digits, data):
    names = [c["name"] for c in data["columns"]]
    assert names[:2] == ["loss", "macs"]
    assert {"params", "layers"} <= set(names)
    first = digits.of("loss")
    for row in data["rows"]:
        architecture = parse_architecture(TABLE.space, row["arch"])
        values = dict(zip(names, row["values"], strict=True))
        expected = predict(first, [architecture])
        assert values["loss"]["predicted"] == pytest.approx(float(expected.value[0]))
        assert values["layers"]["predicted"] == sum(map(len, architecture.modules))
        known = TABLE.row_of.get(architecture)
        for name in ("loss", "macs", "params"):
            at = values[name]["measured"]
            assert at == (None if known is None else pytest.approx(TABLE.columns[name][known]))
            if known is not None and name != "loss":
                assert values[name]["predicted"] == pytest.approx(at)


def test_copied_rows_are_lines_of_a_table(data):
    for row in data["rows"]:
        line = json.loads(json.dumps(row_json(data["columns"], row), allow_nan=False))
        parse_architecture(TABLE.space, line["arch"])
        assert set(line) == {"id", "arch", "metrics", "expected"}
        assert bool(line["metrics"]) == (row["in_table"] is not None)


def test_low_trust_is_said_beside_the_trade_off(digits):
    one = digits.targets[0]
    low = replace(digits, targets=(replace(one, trust=replace(one.trust, level="low")), digits.targets[1]))
    found = tradeoff_data(low, ArchitectureRows(low), 3)["health"]
    assert found["level"] == "warn"
    assert "redictions of loss are only a hint" in found["text"]


@pytest.mark.parametrize(("flags", "level"), [([True, False, False], "note"), ([True, True, False], "warn")])
def test_extrapolation_of_most_built_ones_is_a_warning(digits, flags, level):
    found = _doubts(digits, [{"kind": "built", "extrapolates": one} for one in flags], 1)
    assert [worst for worst, text in found if "beyond the table" in text] == [level]


def test_modules_within_the_noise_are_those_that_members_do_not_order(fitted):
    target_fit = fitted.of(COST)
    for stage, scores in zip(modules_data(fitted, target_fit)["stages"], target_fit.stages, strict=True):
        order = scores.best(-1)[:500]
        each = -member_scores_at(target_fit.scorer, scores, np.asarray(order))
        tied = 1 + sum(bool((each[:, 0] > each[:, n]).mean() < 0.9) for n in range(1, len(order)))
        if stage["tied"] is None:
            assert tied == 1
        else:
            assert stage["tied"]["count"] == tied == stage["n_tied"] + 1
            assert f"{tied} modules within the noise of the best" in tied_modules_text(stage)


@pytest.mark.parametrize("targets", [["loss"], ["loss", "macs"]])
def test_best_measured_of_a_loop(rows, targets):
    done = evaluated(targets)
    data = best_measured_data(done, rows, 5)
    known = [i for i in range(30) if i != 4]  # evaluation 4 failed
    found = [r["in_table"] or r["id"] for r in data["rows"]]
    values = {i: tuple(done.values[i]) for i in known}
    if len(targets) == 1:
        best = sorted(known, key=lambda i: values[i][0])[:5]
        assert [r["values"][0]["measured"] for r in data["rows"]] == [values[i][0] for i in best]
    else:
        front = [
            i for i, on in zip(known, brute_force(-np.array([values[i] for i in known])), strict=True) if on
        ]
        assert data["total"] == len(front)
        assert {r["values"][0]["measured"] for r in data["rows"]} <= {values[i][0] for i in front}
    assert len(set(found)) == len(found) == min(5, data["total"])
    assert all(r["round"] in (0, 1) and r["origin"] in ("random", "built") for r in data["rows"])


def test_a_loop_without_results_says_so(rows):
    done = evaluated(["loss"])
    empty = replace(done, inside=np.zeros(30, dtype=bool))
    data = best_measured_data(empty, rows)
    assert (data["rows"], data["health"]["level"]) == ([], "warn")


def test_an_equation_is_a_column(fitted):
    names = [c["name"] for c in ArchitectureRows(fitted).columns]
    assert names[:2] == [COST, EQUATION]
