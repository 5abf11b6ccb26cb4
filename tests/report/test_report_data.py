"""Data of the report, recomputed from the definitions."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hostile import COST, EQUATION, NEVER
from scipy.stats import skew

from nasbuild.builder import build
from nasbuild.objective import Labels, parse_target
from nasbuild.report import Scale, explain_data
from nasbuild.report.data._built import built_data
from nasbuild.report.data._features import RarelyLabelled, features_data
from nasbuild.report.data._fit_summary import table_data
from nasbuild.report.data._labels import labels_data, scatter_data
from nasbuild.report.data._modules import modules_data
from nasbuild.report.data._suspect_labels import suspect_data
from nasbuild.report.data._trust import trust_data
from nasbuild.report.draw._label_plots import histogram
from nasbuild.score import Fit, SuspectLabel, TargetFit, fit, predict
from nasbuild.space import enumerate_modules, module_id, parse_architecture
from nasbuild.table import Note


@pytest.fixture(params=[COST, EQUATION], ids=["minimised", "equation"])
def target_fit(fitted: Fit, request) -> TargetFit:
    return fitted.of(request.param)


def test_all_is_plain_json(fitted):
    data = explain_data(fitted)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert [t["target"] for t in data["targets"]] == [COST, EQUATION]
    assert [t["direction"] for t in data["targets"]] == ["minimize", "maximize"]
    assert data["targets"][0]["unit"] == "<b>ms</b>"
    assert data["provenance"]["table"]["sha256"] == fitted.table.digest()
    assert data["provenance"]["versions"]["nasbuild"]


def test_every_label_is_in_one_bin(fitted, target_fit):
    data = labels_data(fitted, target_fit)
    edges, counts = data["histogram"]["edges"], data["histogram"]["counts"]
    values = target_fit.labels.values
    assert sum(counts) == len(values) == data["count"]
    for n, (low, high) in enumerate(itertools.pairwise(edges)):
        last = n == len(counts) - 1
        assert counts[n] == sum(low <= v < high or (last and v == high) for v in values)
    assert data["skewness"] == pytest.approx(skew(values))
    assert data["median"] == pytest.approx(np.median(values))


def test_a_few_ruined_labels_leave_the_histogram_to_the_others(fitted, target_fit):
    labels = target_fit.labels
    values = np.append(labels.values[:-1], 1e9)
    data = labels_data(fitted, replace(target_fit, labels=replace(labels, values=values)))
    assert (data["histogram"]["beyond"], data["max"]) == (1, 1e9)
    assert sum(data["histogram"]["counts"]) == len(values) - 1
    assert data["histogram"]["edges"][-1] == np.sort(values)[-2]
    assert "1 beyond the axis" in histogram(data, "y", Scale.of(values))


def test_best_label_belongs_to_the_named_row(fitted, target_fit):
    best = labels_data(fitted, target_fit)["best"]
    values = target_fit.labels.values
    assert best["label"] == (values.min() if target_fit.target.sign < 0 else values.max())
    row = fitted.table.ids.index(best["id"])
    assert best["label"] == values[list(target_fit.labels.rows).index(row)]


def test_missing_labels_are_counted(fitted):
    assert labels_data(fitted, fitted.of(COST))["missing"] == 0
    assert labels_data(fitted, fitted.of(EQUATION))["missing"] == 1


def test_a_heavy_upper_tail_is_noted_with_a_logarithm(fitted):
    target = parse_target(COST, fitted.table)
    values = np.exp(np.random.default_rng(1).normal(size=40) * 2)
    skewed = replace(fitted.of(COST), labels=Labels(target, values, np.arange(40)))
    data = labels_data(fitted, skewed)
    assert data["health"]["level"] == "note"
    assert f"-log10({COST})" in data["next"][0]["text"]
    mirrored = replace(skewed, labels=Labels(target, values.max() + 1 - values, np.arange(40)))
    assert labels_data(fitted, mirrored)["next"] == []


def test_scatter_shows_an_equation_by_its_metrics_and_a_metric_by_the_other_target(fitted):
    equation = scatter_data(fitted, fitted.of(EQUATION))
    assert [a["name"] for a in equation["axes"]] == ["lat", "acc"]
    rows = fitted.of(EQUATION).labels.rows
    np.testing.assert_array_equal(equation["axes"][1]["values"], fitted.table.columns["acc"][rows])
    np.testing.assert_array_equal(equation["labels"], fitted.of(EQUATION).labels.values)
    assert [a["name"] for a in scatter_data(fitted, fitted.of(COST))["axes"]] == ["acc", COST]


def test_one_metric_alone_has_no_scatter(fitted):
    alone = replace(fitted.table, columns={COST: fitted.table.columns[COST]})
    assert scatter_data(replace(fitted, table=alone, targets=fitted.targets[:1]), fitted.of(COST)) is None


def test_best_and_worst_modules_equal_those_of_an_exhaustive_scoring(fitted, target_fit):
    sign = target_fit.target.sign
    for stage, data in zip(fitted.space.stages, modules_data(fitted, target_fit)["stages"], strict=True):
        if data["searched"]:
            continue
        scored = []
        for module in enumerate_modules(stage):
            score, std = target_fit.scorer.score(data["stage"], stage.encode(module)[None])
            scored.append((sign * float(score[0]), float(std[0]), module_id(stage, module)))
        scored.sort(key=lambda s: -s[0])
        assert data["total"] == data["scored"] == len(scored)
        for rows, expected in ((data["best"], scored), (data["worst"], scored[::-1])):
            np.testing.assert_allclose(
                [sign * r["score"] for r in rows], [s[0] for s in expected[: len(rows)]]
            )
            by_id = {name: (score, std) for score, std, name in scored}
            for row in rows:
                np.testing.assert_allclose((sign * row["score"], row["std"]), by_id[row["id"]], rtol=1e-5)
        assert data["n_tied"] == target_fit.trust.n_tied[data["stage"]]
        shown = [r["id"] for r in (*data["best"], *data["worst"])]
        assert len(set(shown)) == len(shown)


def test_searched_stages_are_marked(fitted, target_fit):
    data = modules_data(fitted, target_fit)
    assert [s["searched"] for s in data["stages"]] == [False, True, False]
    searched = data["stages"][1]
    assert searched["scored"] <= fitted.max_modules < searched["total"] == 8 + 8**2 + 8**3
    assert any(step["kind"] == "searched" for step in data["next"])


def test_of_two_modules_one_is_best_and_one_worst(fitted, target_fit):
    last = modules_data(fitted, target_fit)["stages"][2]
    assert (len(last["best"]), len(last["worst"])) == (1, 1)


def test_choices_are_sorted_best_first(fitted, target_fit):
    data = features_data(fitted, target_fit)
    by_name = {f["feature"]: f for f in data["features"]}
    assert {s.feature for s in target_fit.features} == set(by_name)
    for feature in data["features"]:
        wanted = [target_fit.target.sign * c["effect"] for c in feature["choices"]]
        assert wanted == sorted(wanted, reverse=True)
        assert feature["range"] == pytest.approx(max(wanted) - min(wanted))
    assert [f["range"] for f in data["features"]] == sorted(by_name[n]["range"] for n in by_name)[::-1]
    assert by_name["kernel"]["order"] == [3, 5, 7]
    assert by_name["stage"]["kind"] == "stage"
    assert by_name["layer"]["kind"] == "layer"


def test_choices_without_labels_are_named_in_all_cards(fitted, target_fit):
    data = features_data(fitted, target_fit)
    assert next(f for f in data["features"] if f["feature"] == "kernel")["unlabelled"] == [NEVER]
    trust = trust_data(fitted, target_fit)
    assert f"kernel {NEVER}" in next(s["text"] for s in trust["next"] if s["kind"] == "unseen")
    assert f"kernel {NEVER}" in trust["unseen_text"]
    rare = RarelyLabelled(fitted, target_fit)
    assert rare.of(1, ((NEVER, 1), (NEVER, 2))) == [f"kernel {NEVER}"]
    assert rare.of(1, ((3, 1),)) == []
    rare_depth = replace(target_fit, trust=replace(target_fit.trust, rare_depths=((1, 1),)))
    assert RarelyLabelled(fitted, rare_depth).of(1, ((3, 1),)) == ["1 layer"]


def test_positions_have_no_effect_if_depths_never_differ(fitted):
    fixed = [i for i, a in enumerate(fitted.table.architectures) if tuple(map(len, a)) == (2, 3, 1)]
    assert len(fixed) >= 5
    tiny = replace(fitted.recipe, epochs=1)
    small = fit(fitted.table.select(fixed), [COST], recipe=tiny, max_modules=200, baselines=False)
    assert all(f["kind"] == "feature" for f in features_data(small, small.targets[0])["features"])


def test_trust_equals_the_measured_one(fitted, target_fit):
    data, trust = trust_data(fitted, target_fit), target_fit.trust
    assert [h["mean"] for h in data["hops"]] == [h.mean for h in trust.hops]
    assert data["modules"] == {
        "mean": trust.modules.mean,
        "std": trust.modules.std,
        "values": list(trust.modules.values),
    }
    assert data["verdict"] == trust.verdict
    assert data["members"] == len(data["prediction"]["values"]) == 2


@pytest.mark.parametrize(
    ("level", "health"), [("high", "ok"), ("fair", "note"), ("low", "warn"), ("none", "bad")]
)
def test_each_level_has_its_health_and_its_advice(fitted, level, health):
    one = fitted.of(COST)
    data = trust_data(
        fitted, replace(one, trust=replace(one.trust, level=level, rare_depths=((1, 2), (1, 3))))
    )
    assert data["health"]["level"] == health
    assert data["next"]
    assert "two with 2 or 3 layers" in data["next"][-1]["text"]


@pytest.mark.parametrize("number", [1, 2, 8])
def test_suspect_labels_come_first_and_are_listed(fitted, number):
    one = fitted.of(COST)
    found = tuple(SuspectLabel(n, 0.25 * n, 0.5 * n, 20.0 - n) for n in range(number))
    data = trust_data(fitted, replace(one, trust=replace(one.trust, level="high", suspects=found)))
    assert data["health"]["level"] == "warn"
    assert data["health"]["text"].endswith(
        "; 1 suspect label lies far from the prediction of all other rows."
        if number == 1
        else f"; {number} suspect labels lie far from the prediction of all other rows."
    )
    step = data["next"][0]
    assert (step["kind"], len(step["details"])) == ("suspect", min(number, 6))
    for n, (suspect, line) in enumerate(zip(data["suspects"], step["details"][:5], strict=False)):
        row = fitted.table.ids[one.labels.rows[n]]
        assert (suspect["id"], suspect["label"], suspect["expected"]) == (row, 0.25 * n, 0.5 * n)
        assert line.startswith(f"{row}: ")
        assert line.endswith(f"({20 - n} standard deviations away)")
    far = replace(one.trust, level="high", suspects=(replace(found[0], deviations=1e12),))
    assert suspect_data(fitted, replace(one, trust=far))[0]["text"].endswith(
        "(more than 100 standard deviations away)"
    )
    assert ("and 3 others" in step["details"]) == (number == 8)
    assert "suspect" not in {s["kind"] for s in trust_data(fitted, one)["next"]}


def test_shrinking_is_advised_for_reliable_scores(fitted):
    one = fitted.of(COST)
    for level, advised in (("high", True), ("none", False)):
        steps = modules_data(fitted, replace(one, trust=replace(one.trust, level=level)))["next"]
        assert any(s["kind"] == "shrink" for s in steps) == advised


def test_built_architectures_have_their_rows_labels_and_predictions(fitted, target_fit):
    top = 3000
    data = built_data(fitted, target_fit, top)
    rows = {
        fitted.table.ids[i]: v for i, v in zip(target_fit.labels.rows, target_fit.labels.values, strict=True)
    }
    expected = build(target_fit, top)
    assert [r["score"] for r in data["built"]] == [b.score for b in expected]
    prediction = predict(target_fit, [b.architecture for b in expected])
    np.testing.assert_allclose([r["prediction"] for r in data["built"]], prediction.value)
    found = 0
    for row in data["built"]:
        architecture = parse_architecture(fitted.space, row["arch"])
        same = [i for i, a in enumerate(fitted.table.architectures) if a == architecture]
        assert row["in_table"] == (fitted.table.ids[same[0]] if same else None)
        assert row["label"] == (rows.get(row["in_table"]) if same else None)
        found += bool(same)
    assert found > 0
    assert data["new"] == len(data["built"]) - found


def test_evaluation_is_advised_for_new_architectures_only(fitted, target_fit):
    first = build(target_fit, 1)[0].architecture
    table = fitted.table
    known = replace(table, architectures=(first, *table.architectures[1:]))
    if first in table.row_of:
        known = table
    data = built_data(replace(fitted, table=known), target_fit, 4)
    step = next(s for s in data["next"] if s["kind"] == "evaluate")
    assert data["built"][0]["in_table"] is not None
    assert data["built"][0]["id"] not in step["ids"]
    new = [str(rank) for rank, one in enumerate(data["built"], 1) if one["in_table"] is None]
    assert new
    assert f"(rank {', '.join(new)})" in step["text"]


def test_disagreement_between_sum_and_prediction_is_reported(fitted):
    one = fitted.of(COST)
    target = replace(one.labels, values=one.labels.values - 1e9)  # all labels far better than predictions
    data = built_data(fitted, replace(one, labels=target), 3)
    assert data["better_than"] == 0
    assert data["next"][0]["kind"] == "contradiction"
    assert data["health"]["level"] in ("warn", "bad")


def test_table_health(fitted):
    data = table_data(fitted.table)
    lat = next(m for m in data["metrics"] if m["name"] == "lat")
    values = fitted.table.columns["lat"]
    assert lat["missing"] == 1
    assert (lat["min"], lat["max"]) == (np.nanmin(values), np.nanmax(values))
    assert lat["direction"] == "minimize"
    undeclared = next(m for m in data["metrics"] if m["name"] == "undeclared")
    assert undeclared["direction"] is None
    assert data["health"]["level"] == "warn"
    assert data["notes"][0]["kind"] == "skipped"


def test_long_lists_of_rows_are_cut_and_counted(fitted):
    noted = replace(fitted.table, notes=(Note("repeated", "many", tuple(map(str, range(40)))),))
    data = table_data(noted)
    assert len(data["notes"][0]["rows"]) + data["notes"][0]["more"] == 40
    assert data["next"] == []  # the noise is known from the repeats


def test_an_unreliable_fit_has_no_findings(fitted):
    one = fitted.of(COST)
    for level, silent in (("none", True), ("high", False)):
        changed = replace(fitted, targets=(replace(one, trust=replace(one.trust, level=level)),))
        assert (explain_data(changed)["targets"][0]["findings"] == []) == silent
