"""The report of each kind of recipe: its wording, units, baselines and effects per stage."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hostile import COST, EVIL
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nasbuild.predictor import recipe
from nasbuild.report import Scale, effect_scale, explain_data, report_html, stage_effects
from nasbuild.report.data._explain import findings
from nasbuild.report.data._features import features_data
from nasbuild.report.data._modules import modules_data, ties_text
from nasbuild.report.data._trust import coverage_text, trust_data
from nasbuild.report.draw._heat_table import heat
from nasbuild.score import fit
from nasbuild.space import count_architectures, sample, space_from_dict
from nasbuild.table import Table
from strategies import spaces

OF_NETWORKS = ("eq. 5", "hop 4", "not in the unit of the labels", "learned scalar", "FE-MLP")
OF_THE_DEFAULT = ("posterior samples", "noise included", "share of the prediction", "Intervals:")


def words(html: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<script>.*?</script>", "", html, flags=re.DOTALL).split())


def with_trust(fitted, **changes):
    one = fitted.targets[0]
    return replace(fitted, targets=(replace(one, trust=replace(one.trust, **changes)),))


def test_each_kind_has_its_own_wording(fitted, additive, baseline):
    pages = {one.recipe.name: words(report_html(one, top=2)) for one in (fitted, additive, baseline)}
    for name, page in pages.items():
        assert 'class="card failed"' not in page
        found = [word in page for word in OF_NETWORKS if word != "FE-MLP"]
        assert all(found) if name == "paper" else not any(found), name
        found = [word in page for word in OF_THE_DEFAULT]
        assert all(found) if name == "default" else not any(found), name
        assert "FE-MLP" not in page
    assert "hop 0" not in pages["marginal"]
    assert "marginal means fitted on all rows" in pages["marginal"].lower()


def test_baselines_are_shown_beside_the_fit(additive):
    data, trust = trust_data(additive, additive.targets[0]), additive.targets[0].trust
    assert [r["recipe"] for r in data["baselines"]] == ["ridge", "lightgbm"]
    for shown, baseline in zip(data["baselines"], trust.baselines, strict=True):
        assert shown["modules"]["mean"] == baseline.modules.mean
        assert shown["prediction"]["mean"] == baseline.prediction.mean
    page = words(report_html(additive, top=1))
    for baseline in trust.baselines:
        assert (
            f"{baseline.modules.mean:.2f} ± {baseline.modules.std:.2f}" in page
            or baseline.modules.mean >= 0.995
        )
    assert "ridge regression" in page
    assert "LightGBM" in page


def test_dots_are_fits_and_members_are_posterior_samples(additive, fitted):
    data = trust_data(additive, additive.targets[0])
    assert (data["fits"], data["members"]) == (5, 32)
    assert trust_data(fitted, fitted.targets[0])["fits"] == 2
    page = words(report_html(additive, top=1))
    assert "SRCC on labels held out from the fits" in page
    assert "means over 5 fits" in page
    assert "32 posterior samples" in page


@pytest.mark.parametrize("better", ["ridge", "lightgbm"])
def test_a_better_method_is_the_first_step_with_its_command(additive, better):
    fitted = replace(with_trust(additive, better=better), seed=7)
    step = explain_data(fitted)["targets"][0]["next"][0]
    assert step["kind"] == "better"
    assert step["command"].endswith(f"--recipe {better} --seed 7 --out FIT-{better}")
    assert f"'{COST.replace(chr(39), chr(39) + chr(34) + chr(39) + chr(34) + chr(39))}'" in step["command"]
    page = report_html(fitted, top=1)
    assert f"--recipe {better} --seed 7" in page
    assert "better here" in page
    assert EVIL not in page


def test_no_method_is_recommended_if_none_is_better(additive):
    steps = explain_data(with_trust(additive, better=None))["targets"][0]["next"]
    assert not any(step["kind"] == "better" for step in steps)


@pytest.mark.parametrize(
    ("share", "labels", "judgement"),
    [
        (None, 100, ""),
        (0.9, 100, "well calibrated"),
        (0.85, 60, "well calibrated"),
        (0.85, 300, "slightly too narrow"),
        (0.6, 300, "are too narrow"),
        (0.99, 300, "wider"),
    ],
)
def test_coverage_is_judged_by_what_chance_allows(share, labels, judgement):
    assert judgement in coverage_text(share, labels)
    assert bool(coverage_text(share, labels)) == bool(judgement)


@pytest.mark.parametrize(
    ("n_tied", "scored", "text"),
    [
        (0, 900, "the best module is clearly better than the others"),
        (1, 900, "1 module is tied with the best one"),
        (138, 900, "138 modules are tied with the best one"),
        (499, 900, "at least 499 modules are tied with the best one"),
        (499, 500, "499 modules are tied with the best one"),
        (None, 900, ""),
    ],
)
def test_tied_modules_are_counted(n_tied, scored, text):
    assert ties_text({"n_tied": n_tied, "scored": scored, "total": 1000}) == text


def test_stages_with_tied_modules_are_named(additive):
    def findings_of(*counts: int) -> str:
        fitted = with_trust(additive, n_tied=counts, level="high")
        return " ".join(explain_data(fitted)["targets"][0]["findings"])

    assert "In two, 138 modules are tied with the best one" in findings_of(0, 138, 0)
    assert f"best one of their stage: 2 in one & {EVIL}, 138 in two;" in findings_of(2, 138, 0)
    assert "tied with" not in findings_of(0, 0, 0)
    assert modules_data(additive, with_trust(additive, n_tied=()).targets[0])["stages"][0]["n_tied"] is None


def test_effects_are_in_the_unit_of_labels_and_by_stage(additive):
    target_fit = additive.targets[0]
    data = features_data(additive, target_fit)
    assert (data["measure"], data["unit"]) == ("effect", "<b>ms</b>")
    assert all(f["kind"] == "feature" for f in data["features"])
    assert {f["feature"] for f in data["features"]} == {
        s.feature for s in target_fit.features if s.stage is None
    }
    for feature in data["features"]:
        for stage in feature["stages"]:
            own = {
                s.choice: s.effect
                for s in target_fit.features
                if (s.stage, s.feature) == (stage["stage"], feature["feature"])
            }
            assert {c["choice"]: c["effect"] for c in stage["choices"]} == own
            wanted = [target_fit.target.sign * c["effect"] for c in stage["choices"]]
            assert wanted == sorted(wanted, reverse=True)


def test_networks_have_no_effects_by_stage(fitted):
    data = features_data(fitted, fitted.targets[0])
    assert data["measure"] == "scalar"
    assert stage_effects(data["features"]) == {"stages": [], "features": []}


def test_numeric_features_have_effects_too():
    rng = np.random.default_rng(1)
    width = {"choices": [8, 16, 32], "kind": "numeric"}
    stage = {"depth": [1, 2], "features": {"width": width, "stage": [1, 2]}}
    space = space_from_dict({"name": "s", "stages": [{"name": n, **stage} for n in ("a", "b")]})
    drawn = tuple(dict.fromkeys(sample(space, 60, rng)))
    labels = np.array([sum(layer[0] for m in a.modules for layer in m) for a in drawn], dtype=float)
    table = Table(space, tuple(map(str, range(len(drawn)))), drawn, {"y": labels})
    fitted = fit(table, ["+y"], recipe=recipe("marginal"), baselines=False)
    data = features_data(fitted, fitted.targets[0])
    by_name = {f["feature"]: f for f in data["features"]}
    assert set(by_name) == {"width", "stage"}
    assert by_name["stage"]["kind"] == "feature"
    assert [c["choice"] for c in by_name["width"]["choices"]] == [32, 16, 8]
    found = stage_effects(data["features"])
    assert found["stages"] == ["a", "b"]
    assert [row["choice"] for row in found["features"][0]["rows"]] == [8, 16, 32]
    assert "in each stage" in words(report_html(fitted, top=1))


def test_colours_show_better_and_worse_but_not_uncertain_effects():
    def row(name, *effects):
        each = [e and {"effect": e[0], "effect_std": e[1], "member_effects": [0.0]} for e in effects]
        return {"choice": name, "effects": each}

    effects = {
        "stages": ["a", "b"],
        "features": [{"feature": "op", "rows": [row("x", (4, 1), (-1, 2)), row("y", (-2, 1), None)]}],
    }
    for sign, colours in ((1, ["up4", "unsure", "down2"]), (-1, ["down4", "unsure", "up2"])):
        found = heat(effects, sign, Scale(0, 1, "ms"))
        cells = [cell for r in found["features"][0]["rows"] for cell in r["cells"]]
        assert [c["colour"] for c in cells if c] == colours
        assert cells[0]["text"] == "+4.0"
        assert cells[-1] is None
        assert found["gaps"]


def test_a_single_stage_has_no_table_of_stages(additive):
    one = additive.targets[0]
    only = replace(one, features=tuple(s for s in one.features if s.stage in (None, 1)))
    assert stage_effects(features_data(additive, only)["features"])["features"] == []
    assert "Effect in each stage" not in report_html(replace(additive, targets=(only,)), top=1)


def test_the_stage_with_the_largest_effect_is_named(additive):
    trust = trust_data(additive, additive.targets[0]) | {"level": "high"}
    feature = {
        "feature": "kernel",
        "kind": "feature",
        "range": 0.3,
        "choices": _pair(0.2, -0.1),
        "order": [7, 3],
    }
    feature["stages"] = [
        {"stage": u, "name": name, "choices": _pair(high, low)}
        for u, (name, high, low) in enumerate((("stage1", 0.1, -0.1), ("stage4", 0.4, -0.22)))
    ]
    features = {"features": [feature], "measure": "effect", "unit": "%", "basis": "so"}
    said = findings(trust, features, {"stages": []})
    assert said[0] == "The most important feature is kernel: best is 7, worst is 3, 0.300 % apart (so)."
    assert said[1] == (
        "The largest effect within a stage is that of kernel in stage4: best is 7, worst is 3, 0.620 % apart."
    )
    for part in (feature, *feature["stages"]):
        part["choices"] = _pair(0.1, -0.1, sure=False)
    said = findings(trust, features, {"stages": []})
    assert said == ["No feature has a clearly best choice over all stages (so)."]


def _pair(high: float, low: float, sure: bool = True) -> list[dict]:
    each = [high, high] if sure else [high, low]
    return [
        {"choice": 7, "effect": high, "effect_std": 0.0, "member_effects": each},
        {
            "choice": 3,
            "effect": low,
            "effect_std": 0.0,
            "member_effects": [low, low] if sure else [low, high],
        },
    ]


@pytest.mark.parametrize(
    ("effects", "text"),
    [
        ((0.00164, -0.0008), "+1.64 × 10⁻³ %"),
        ((0.62, -0.1), "+0.620 %"),
        ((31.0, -3.0), "+31.0 %"),
        ((2.1e6, -1e5), "+2.10 × 10⁶ %"),
        ((0.0, 0.0), "0.00 %"),
    ],
)
def test_effects_have_a_sensible_number_of_digits(effects, text):
    feature = {"choices": [{"effect": e} for e in effects], "stages": []}
    scale = effect_scale([feature], "effect", "%")
    assert scale.signed(effects[0]) + scale.full(effects[0]).removeprefix(scale.plain(effects[0])) == text


def test_importances_have_no_unit_and_no_standard_deviation(additive):
    pytest.importorskip("optuna")
    fitted = fit(additive.table, [COST], recipe=recipe("ped-anova"), max_modules=200, baselines=False)
    data = features_data(fitted, fitted.targets[0])
    assert (data["measure"], data["unit"], data["health"]["level"]) == ("importance", "", "note")
    page = words(report_html(fitted, top=1))
    assert "PED-ANOVA" in page
    assert "deviation</th>" not in page


_few = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@_few
@given(spaces(most_modules=60), st.sampled_from(["default", "marginal"]))
def test_any_space_can_be_reported(space, name):
    rng = np.random.default_rng(0)
    assume(count_architectures(space) >= 6)
    drawn = tuple(sample(space, min(12, count_architectures(space)), rng))
    labels = rng.normal(size=len(drawn))
    table = Table(replace(space, metrics={}), tuple(map(str, range(len(drawn)))), drawn, {"y": labels})
    fitted = fit(table, ["+y"], recipe=recipe(name), baselines=False)
    data = explain_data(fitted)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert 'class="card failed"' not in report_html(fitted, top=2)
