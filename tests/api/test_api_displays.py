"""What a notebook shows: small, true, and as frames and figures."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

import nasbuild as nb
from graph_samples import planted_table
from nasbuild.errors import NasbuildError
from nasbuild.predictor import OperatorRecipe
from nasbuild.report import Scale, draw_effects, front_data, module_quantiles
from nasbuild.space import Metric

mpl.use("agg")


@pytest.fixture(scope="module")
def table():
    return nb.load_builtin("digits-macro").select(range(0, 1728, 29))


@pytest.fixture(scope="module")
def fit(table):
    return nb.fit(table, ["loss", "macs", "acc"], recipe="ridge", baselines=False)


def pictures(shown):
    found = re.findall(r"<svg.*?</svg>", shown, flags=re.DOTALL)
    return [ElementTree.fromstring(one) for one in found]


def test_a_displayed_fit_is_small_and_has_its_pictures(fit):
    shown = fit._repr_html_()
    assert len(shown) < 20_000
    # Modules and features of two targets, and their front.
    assert len(pictures(shown)) == 5
    for one in fit.targets:
        assert f"<h4>{one.target.name}</h4>" in shown


def test_a_deep_space_is_shown_as_small():
    stages = [
        {"name": f"block{i}<b>", "depth": [1], "features": {f"feature {f}": ["on", "off"] for f in "abcd"}}
        for i in range(30)
    ]
    metrics = {name: {"direction": "maximize", "unit": "%"} for name in ("x", "y")}
    space = nb.space_from_dict({"name": "deep & wide", "metrics": metrics, "stages": stages})
    archs = nb.sample(space, 120, 0)
    on = np.array([sum(layer[0] == "on" for module in a for layer in module) for a in archs], dtype=float)
    table = nb.Table(
        space, tuple(map(str, range(120))), tuple(archs), {"x": on, "y": -(on**2) + np.arange(120)}
    )
    deep = nb.fit(table, ["x", "y"], recipe="ridge", baselines=False)
    assert len(deep.predict(archs[:20])._repr_html_()) < 3_000
    assert len(table._repr_html_()) < 3_000
    shown = deep._repr_html_()
    assert len(shown) < 20_000
    assert "deep &amp; wide" in shown
    assert "and 6 more stages" in shown
    assert len(pictures(shown)) == 5


def test_the_heat_map_goes_from_the_best_module_to_the_worst(fit):
    for one in fit.targets:
        for scores, stage in zip(one.stages, module_quantiles(one, 5), strict=True):
            own = [cell["score"] for cell in stage["cells"]]
            assert own == sorted(own, reverse=one.target.sign > 0)
            assert max(own) - min(own) == pytest.approx(float(np.ptp(scores.score)))
            assert len(own) == min(5, len(scores.score))


def test_the_front_is_what_no_row_dominates(fit):
    data = front_data(fit, fit["loss"], fit["macs"])
    values = data["values"]
    for i, on_front in enumerate(data["front"]):
        dominated = ((values <= values[i]).all(axis=1) & (values < values[i]).any(axis=1)).any()
        assert on_front == (not dominated)


def test_figures_show_the_data(fit):
    assert fit.plot.front()._repr_png_().startswith(b"\x89PNG")
    front = fit.plot.front().axes[0]
    points = sum(len(c.get_offsets()) for c in front.collections) + len(front.lines[0].get_xdata())
    assert points == len(fit.table)
    assert fit.plot.modules("acc").axes[0].get_yticklabels()[0].get_text() == "stage1"
    ranges = [bar.get_width() for bar in fit.plot.features().axes[0].patches]
    assert ranges == sorted(ranges, reverse=True)
    held = fit.plot.held_out("macs").axes[0].patches
    assert held[0].get_width() == pytest.approx(fit["macs"].trust.prediction.mean)
    with pytest.raises(NasbuildError, match="a front has two targets, there are 1"):
        fit.plot.front(["loss"])


def test_everything_becomes_a_pandas_frame(fit, table):
    frame = table.to_pandas()
    assert list(frame["id"]) == list(table.ids)
    np.testing.assert_array_equal(frame["loss"], table.columns["loss"])
    assert nb.read_table(frame, table.space) == table
    effects = fit.explain().to_pandas()
    assert set(effects["target"]) == {"loss", "macs", "acc"}
    assert len(effects[(effects["target"] == "loss") & (effects["stage"] == "stage1")]) == 3
    assert len(fit.modules(stage="stage1").to_pandas()) == len(fit["loss"].stages[0].score)
    assert list(fit.build(3).to_pandas()["id"]) == [row["id"] for row in fit.build(3)]
    assert "<table>" in table._repr_html_()
    assert len(table._repr_html_()) < 5_000


def test_a_bar_or_a_function_reports_progress(table, capsys):
    calls = []
    nb.fit(table, "loss", recipe="ridge", baselines=False, progress=lambda *call: calls.append(call))
    assert {("fitting", 6, 6), ("scoring", 3, 3)} <= set(calls)
    assert nb.fit(table, "loss", recipe="ridge", baselines=False, progress=True).table == table
    capsys.readouterr()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, _: nb.fit(t, "acc1"), "no metric 'acc1'; allowed: .*; did you mean acc?"),
        (lambda t, _: nb.fit(t, 3), "targets: 3 is a int; allowed: a text or a list of texts"),
        (lambda t, _: nb.fit(t, ["acc", 2]), "targets: 2 is a int"),
        (lambda t, _: nb.fit(t, "acc", recipe=3), "recipe: 3 is no recipe; allowed: default"),
        (lambda t, _: nb.fit(t, "acc", seed="x"), "seed: 'x' is a str; allowed: a whole number, 0 or more"),
        (lambda t, _: nb.fit(t, "acc", workers=0), "workers: 0 is a int; allowed: a whole number, 1 or more"),
        (lambda t, _: nb.fit({"a": 1}, "acc", space=t.space), "dict is not a type of table"),
        (lambda _, f: f.build("3"), "top: '3' is a str"),
        (lambda _, f: f.build(3, where=7), "where: 7 is a int"),
        (lambda _, f: f.build(3, fix=7), "fix: 7 is a int"),
        (lambda _, f: f.build_front(2.5), "n: 2.5 is a float"),
        (lambda _, f: f.propose(0), "n: 0 is a int"),
        (lambda _, f: f.predict("x"), "architectures: 'x' is a str; allowed: an Architecture"),
        (lambda _, f: f.predict([{"stages": []}]), "stages"),
        (lambda _, f: f.predict(nb.Architecture(())), "not in space 'digits-macro'"),
    ],
)
def test_wrong_arguments_get_one_sentence(fit, table, call, message):
    with pytest.raises(NasbuildError, match=message):
        call(table, fit)


def test_arguments_are_taken_in_the_shapes_that_people_have(fit, table):
    rows = fit.predict(table)
    built = fit.build(2)
    assert [row["id"] for row in fit.predict(built)] == [row["id"] for row in built]
    one = fit.predict(table.architectures[0])
    assert len(one) == 1
    assert one[0]["prediction"] == pytest.approx(rows[0]["prediction"])
    assert fit.predict(nb.to_dict(table.space, table.architectures[0]))[0]["id"] == one[0]["id"]
    assert list(fit.build(2, where="layers <= 4")) == list(fit.build(2, where=("layers <= 4",)))


@pytest.fixture(scope="module")
def graph_fit():
    planted = planted_table(24)
    columns = {**planted.columns, "cost": np.array([float(len(graph)) for graph in planted.graphs])}
    metrics = {**planted.metrics, "cost": Metric("cost", "minimize", "nodes")}
    quick = OperatorRecipe(epochs=6, feature_epochs=6, width=8, hops=2, few=0, members=2, learning_rate=1e-2)
    table = replace(planted, columns=columns, metrics=metrics)
    return nb.fit(table, ["acc", "cost"], recipe=quick, baselines=False)


def test_a_displayed_fit_of_networks_is_small_and_has_its_pictures(graph_fit, tmp_path):
    shown = graph_fit._repr_html_()
    assert len(shown) < 20_000
    # Operations and their features of two targets, and their front.
    assert len(pictures(shown)) == 5
    assert f"{len(graph_fit.table)} networks" in shown
    for one in graph_fit.targets:
        assert f"<h4>{one.target.name}</h4><p>{html.escape(one.trust.verdict)}" in shown
        known = {f.choice: f.effect for f in one.features if f.feature == "op"}
        best = sorted(known, key=lambda op: -one.target.sign * known[op])
        picture = shown[shown.index(f"<h4>{one.target.name}</h4>") :]
        places = [picture.index(f">{op}<") for op in best]
        assert places == sorted(places)
    again = nb.load_fit(graph_fit.save(tmp_path / "fit"))
    assert again._repr_html_() == shown
    assert graph_fit.report(tmp_path / "report.html").stat().st_size > 10_000


def test_networks_have_one_recipe(graph_fit):
    with pytest.raises(NasbuildError, match="'paper' is no recipe for networks"):
        nb.fit(graph_fit.table, "acc", recipe="paper")


def test_many_choices_are_drawn_best_and_worst():
    choices = [{"choice": f"op<{n}>", "effect": 1.0 - n / 10, "effect_std": 0.1} for n in range(30)]
    [svg] = pictures(draw_effects(choices, 1, Scale(0, 2)))
    texts = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:8] == [f"op<{n}>" for n in (*range(7), 23)]
    assert texts[-1] == "and 16 more between them"
    assert "+1.00 ± 0.10" in texts
