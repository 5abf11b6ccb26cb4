"""What the report tells, recomputed from the definitions."""

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
from nasbuild.report import explain_data
from nasbuild.report.data._built import built_data
from nasbuild.report.data._features import Guesses, features_data
from nasbuild.report.data._fit import table_data
from nasbuild.report.data._labels import labels_data, scatter_data
from nasbuild.report.data._modules import modules_data
from nasbuild.report.data._suspect_labels import suspect_data
from nasbuild.report.data._trust import trust_data
from nasbuild.score import Learnt, Run, Suspect, learn, predict
from nasbuild.space import enumerate_modules, module_id, parse_architecture
from nasbuild.table import Note


@pytest.fixture(params=[COST, EQUATION], ids=["minimised", "equation"])
def learnt(run: Run, request) -> Learnt:
    return run.of(request.param)


def test_all_is_plain_json(run):
    data = explain_data(run)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert [t["target"] for t in data["targets"]] == [COST, EQUATION]
    assert [t["direction"] for t in data["targets"]] == ["minimize", "maximize"]
    assert data["targets"][0]["unit"] == "<b>ms</b>"
    assert data["made"]["table"]["sha256"] == run.table.digest()
    assert data["made"]["versions"]["nasbuild"]


def test_every_label_stands_in_one_bin(run, learnt):
    data = labels_data(run, learnt)
    edges, counts = data["histogram"]["edges"], data["histogram"]["counts"]
    values = learnt.labels.values
    assert sum(counts) == len(values) == data["count"]
    for n, (low, high) in enumerate(itertools.pairwise(edges)):
        last = n == len(counts) - 1
        assert counts[n] == sum(low <= v < high or (last and v == high) for v in values)
    assert data["skewness"] == pytest.approx(skew(values))
    assert data["median"] == pytest.approx(np.median(values))


def test_best_label_is_of_the_row_that_is_named(run, learnt):
    best = labels_data(run, learnt)["best"]
    values = learnt.labels.values
    assert best["label"] == (values.min() if learnt.target.sign < 0 else values.max())
    row = run.table.ids.index(best["id"])
    assert best["label"] == values[list(learnt.labels.rows).index(row)]


def test_missing_labels_are_counted(run):
    assert labels_data(run, run.of(COST))["missing"] == 0
    assert labels_data(run, run.of(EQUATION))["missing"] == 1


def test_a_heavy_upper_tail_is_told_with_a_logarithm(run):
    target = parse_target(COST, run.table)
    values = np.exp(np.random.default_rng(1).normal(size=40) * 2)
    skewed = replace(run.of(COST), labels=Labels(target, values, np.arange(40)))
    data = labels_data(run, skewed)
    assert data["health"]["level"] == "note"
    assert f"-log10({COST})" in data["next"][0]["text"]
    mirrored = replace(skewed, labels=Labels(target, values.max() + 1 - values, np.arange(40)))
    assert labels_data(run, mirrored)["next"] == []


def test_scatter_shows_an_equation_by_its_metrics_and_a_metric_by_the_other_target(run):
    equation = scatter_data(run, run.of(EQUATION))
    assert [a["name"] for a in equation["axes"]] == ["lat", "acc"]
    rows = run.of(EQUATION).labels.rows
    np.testing.assert_array_equal(equation["axes"][1]["values"], run.table.columns["acc"][rows])
    np.testing.assert_array_equal(equation["labels"], run.of(EQUATION).labels.values)
    assert [a["name"] for a in scatter_data(run, run.of(COST))["axes"]] == ["acc", COST]


def test_one_metric_alone_has_no_scatter(run):
    alone = replace(run.table, columns={COST: run.table.columns[COST]})
    assert scatter_data(replace(run, table=alone, learnt=run.learnt[:1]), run.of(COST)) is None


def test_best_and_worst_modules_are_those_of_all_modules(run, learnt):
    sign = learnt.target.sign
    for stage, told in zip(run.space.stages, modules_data(run, learnt)["stages"], strict=True):
        if told["searched"]:
            continue
        scored = []
        for module in enumerate_modules(stage):
            score, std = learnt.scorer.score(told["stage"], stage.encode(module)[None])
            scored.append((sign * float(score[0]), float(std[0]), module_id(stage, module)))
        scored.sort(key=lambda s: -s[0])
        assert told["total"] == told["scored"] == len(scored)
        for rows, expected in ((told["best"], scored), (told["worst"], scored[::-1])):
            np.testing.assert_allclose(
                [sign * r["score"] for r in rows], [s[0] for s in expected[: len(rows)]]
            )
            by_id = {name: (score, std) for score, std, name in scored}
            for row in rows:
                np.testing.assert_allclose((sign * row["score"], row["std"]), by_id[row["id"]], rtol=1e-5)
        assert told["untold"] == learnt.trust.untold[told["stage"]]
        shown = [r["id"] for r in (*told["best"], *told["worst"])]
        assert len(set(shown)) == len(shown)


def test_searched_stages_say_so(run, learnt):
    data = modules_data(run, learnt)
    assert [s["searched"] for s in data["stages"]] == [False, True, False]
    told = data["stages"][1]
    assert told["scored"] <= run.max_modules < told["total"] == 8 + 8**2 + 8**3
    assert any(step["kind"] == "searched" for step in data["next"])


def test_two_modules_are_one_best_and_one_worst(run, learnt):
    last = modules_data(run, learnt)["stages"][2]
    assert (len(last["best"]), len(last["worst"])) == (1, 1)


def test_choices_stand_best_first(run, learnt):
    data = features_data(run, learnt)
    by_name = {f["feature"]: f for f in data["features"]}
    assert {s.feature for s in learnt.features} == set(by_name)
    for feature in data["features"]:
        wanted = [learnt.target.sign * c["effect"] for c in feature["choices"]]
        assert wanted == sorted(wanted, reverse=True)
        assert feature["range"] == pytest.approx(max(wanted) - min(wanted))
    assert [f["range"] for f in data["features"]] == sorted(by_name[n]["range"] for n in by_name)[::-1]
    assert by_name["kernel"]["order"] == [3, 5, 7]
    assert by_name["stage"]["kind"] == "stage"
    assert by_name["layer"]["kind"] == "layer"


def test_choices_without_labels_are_named_wherever_they_stand(run, learnt):
    data = features_data(run, learnt)
    assert next(f for f in data["features"] if f["feature"] == "kernel")["unlearnt"] == [NEVER]
    told = trust_data(run, learnt)
    assert f"kernel {NEVER}" in next(s["text"] for s in told["next"] if s["kind"] == "unseen")
    assert f"kernel {NEVER}" in told["unseen_text"]
    guesses = Guesses(run, learnt)
    assert guesses.of(1, ((NEVER, 1), (NEVER, 2))) == [f"kernel {NEVER}"]
    assert guesses.of(1, ((3, 1),)) == []
    hardly = replace(learnt, trust=replace(learnt.trust, rare_depths=((1, 1),)))
    assert Guesses(run, hardly).of(1, ((3, 1),)) == ["1 layer"]


def test_places_have_no_effect_where_depths_never_differ(run):
    fixed = [i for i, a in enumerate(run.table.architectures) if tuple(map(len, a)) == (2, 3, 1)]
    assert len(fixed) >= 5
    tiny = replace(run.recipe, epochs=1)
    small = learn(run.table.select(fixed), [COST], recipe=tiny, max_modules=200, rivals=False)
    assert all(f["kind"] == "feature" for f in features_data(small, small.learnt[0])["features"])


def test_trust_is_told_as_measured(run, learnt):
    data, trust = trust_data(run, learnt), learnt.trust
    assert [h["mean"] for h in data["hops"]] == [h.mean for h in trust.hops]
    assert data["modules"] == {
        "mean": trust.modules.mean,
        "std": trust.modules.std,
        "each": list(trust.modules.each),
    }
    assert data["verdict"] == trust.verdict
    assert data["members"] == len(data["prediction"]["each"]) == 2


@pytest.mark.parametrize(
    ("level", "health"), [("high", "ok"), ("fair", "note"), ("low", "warn"), ("none", "bad")]
)
def test_each_level_has_its_health_and_its_advice(run, level, health):
    one = run.of(COST)
    data = trust_data(run, replace(one, trust=replace(one.trust, level=level, rare_depths=((1, 2), (1, 3)))))
    assert data["health"]["level"] == health
    assert data["next"]
    assert "two with 2 or 3 layers" in data["next"][-1]["text"]


@pytest.mark.parametrize("number", [1, 2, 8])
def test_suspect_labels_come_first_and_are_named(run, number):
    one = run.of(COST)
    found = tuple(Suspect(n, 0.25 * n, 0.5 * n, 20.0 - n) for n in range(number))
    data = trust_data(run, replace(one, trust=replace(one.trust, level="high", suspects=found)))
    assert data["health"]["level"] == "warn"
    assert data["health"]["text"].endswith(
        "; 1 label lies far from what all other rows say."
        if number == 1
        else f"; {number} labels lie far from what all other rows say."
    )
    step = data["next"][0]
    assert (step["kind"], len(step["named"])) == ("suspect", min(number, 6))
    for n, (told, line) in enumerate(zip(data["suspects"], step["named"][:5], strict=False)):
        row = run.table.ids[one.labels.rows[n]]
        assert (told["id"], told["label"], told["expected"]) == (row, 0.25 * n, 0.5 * n)
        assert line.startswith(f"{row}: ")
        assert line.endswith(f"({20 - n} deviations away)")
    far = replace(one.trust, level="high", suspects=(replace(found[0], deviations=1e12),))
    assert suspect_data(run, replace(one, trust=far))[0]["text"].endswith("(more than 100 deviations away)")
    assert ("and 3 others" in step["named"]) == (number == 8)
    assert "suspect" not in {s["kind"] for s in trust_data(run, one)["next"]}


def test_shrinking_is_advised_where_scores_can_be_believed(run):
    one = run.of(COST)
    for level, advised in (("high", True), ("none", False)):
        steps = modules_data(run, replace(one, trust=replace(one.trust, level=level)))["next"]
        assert any(s["kind"] == "shrink" for s in steps) == advised


def test_built_ones_know_their_rows_labels_and_predictions(run, learnt):
    top = 3000
    data = built_data(run, learnt, top)
    rows = {run.table.ids[i]: v for i, v in zip(learnt.labels.rows, learnt.labels.values, strict=True)}
    expected = build(learnt, top)
    assert [r["score"] for r in data["built"]] == [b.score for b in expected]
    prediction = predict(learnt, [b.architecture for b in expected])
    np.testing.assert_allclose([r["prediction"] for r in data["built"]], prediction.value)
    found = 0
    for row in data["built"]:
        architecture = parse_architecture(run.space, row["arch"])
        same = [i for i, a in enumerate(run.table.architectures) if a == architecture]
        assert row["in_table"] == (run.table.ids[same[0]] if same else None)
        assert row["label"] == (rows.get(row["in_table"]) if same else None)
        found += bool(same)
    assert found > 0
    assert data["new"] == len(data["built"]) - found


def test_evaluating_is_advised_for_new_ones_only(run, learnt):
    first = build(learnt, 1)[0].architecture
    table = run.table
    known = replace(table, architectures=(first, *table.architectures[1:]))
    if first in table.row_of:
        known = table
    data = built_data(replace(run, table=known), learnt, 4)
    step = next(s for s in data["next"] if s["kind"] == "evaluate")
    assert data["built"][0]["in_table"] is not None
    assert data["built"][0]["id"] not in step["ids"]
    new = [str(rank) for rank, one in enumerate(data["built"], 1) if one["in_table"] is None]
    assert new
    assert f"(rank {', '.join(new)})" in step["text"]


def test_contradiction_between_sum_and_prediction_is_told(run):
    one = run.of(COST)
    target = replace(one.labels, values=one.labels.values - 1e9)  # all labels far better than predictions
    data = built_data(run, replace(one, labels=target), 3)
    assert data["better_than"] == 0
    assert data["next"][0]["kind"] == "contradiction"
    assert data["health"]["level"] in ("warn", "bad")


def test_table_health(run):
    data = table_data(run.table)
    lat = next(m for m in data["metrics"] if m["name"] == "lat")
    values = run.table.columns["lat"]
    assert lat["missing"] == 1
    assert (lat["min"], lat["max"]) == (np.nanmin(values), np.nanmax(values))
    assert lat["direction"] == "minimize"
    undeclared = next(m for m in data["metrics"] if m["name"] == "undeclared")
    assert undeclared["direction"] is None
    assert data["health"]["level"] == "warn"
    assert data["notes"][0]["kind"] == "skipped"


def test_long_lists_of_rows_are_cut_and_counted(run):
    noted = replace(run.table, notes=(Note("repeated", "many", tuple(map(str, range(40)))),))
    data = table_data(noted)
    assert len(data["notes"][0]["rows"]) + data["notes"][0]["more"] == 40
    assert data["next"] == []  # the noise is known from the repeats


def test_nothing_is_claimed_where_nothing_can_be_believed(run):
    one = run.of(COST)
    for level, silent in (("none", True), ("high", False)):
        told = replace(run, learnt=(replace(one, trust=replace(one.trust, level=level)),))
        assert (explain_data(told)["targets"][0]["findings"] == []) == silent
