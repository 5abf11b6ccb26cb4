"""A fit with the verbs of a notebook: the same as the command line gives, short to look at."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import nasbuild as nb
from nasbuild.builder import build_within, parse_bound
from nasbuild.errors import NasbuildError


@pytest.fixture(scope="module")
def table():
    return nb.load_builtin("digits-macro").select(range(0, 1728, 29))


@pytest.fixture(scope="module")
def fit(table):
    return nb.fit(table, ["loss", "macs"], recipe="ridge", baselines=False)


def test_the_methods_give_what_the_command_line_writes(fit, nasbuild, tmp_path):
    fit.save(tmp_path / "fit")
    for options, rows in (
        (["--top", "3", "--where", "layers <= 4"], fit.build(3, where="layers <= 4")),
        (["--front", "4"], fit.build_front(4)),
        (["--propose", "5"], fit.propose(5)),
        (["--top", "2", "--fix", "stage1.depth = 1"], fit.build(2, fix="stage1.depth = 1")),
    ):
        done = nasbuild("build", tmp_path / "fit", *options, "--out", tmp_path / "o.jsonl", "--json")
        assert done.json["architectures"] == [dict(row) for row in rows]


def test_what_was_built_is_within_the_bound_and_the_best(fit):
    rows = fit.build(5, where="layers <= 4", by="score")
    expected = build_within(fit, "loss", 5, [parse_bound("layers <= 4")]).built
    assert [row["score"] for row in rows] == [one.score for one in expected]
    assert all(sum(map(len, row["arch"]["stages"])) <= 4 for row in rows)


def test_a_sweep_builds_for_each_value(fit):
    rows = fit.build(1, where="layers <= 3 | 5")
    assert [sum(map(len, row["arch"]["stages"])) <= n for row, n in zip(rows, (3, 5), strict=True)] == [
        True,
        True,
    ]


def test_functions_are_the_methods(fit):
    assert list(nb.build(fit, 2)) == list(fit.build(2))
    assert list(nb.build_front(fit, 3)) == list(fit.build_front(3))
    assert nb.shrink(fit, 2) == fit.shrink(2)
    assert dict(nb.explain(fit)) == dict(fit.explain())


def test_a_target_by_its_name(fit):
    assert fit["macs"] is fit.of("macs")
    with pytest.raises(NasbuildError, match=r"no target 'acc'.*loss, macs"):
        fit["acc"]


def test_predictions_of_rows_that_are_known(fit, table):
    rows = fit.predict(table.architectures[:4], target="macs")
    assert [row["id"] for row in rows] == list(table.ids[:4])
    np.testing.assert_allclose([row["prediction"] for row in rows], table.columns["macs"][:4], rtol=0.1)
    assert len(rows[0]["shares"]) == 3


def test_frames_have_a_row_for_each_module(fit):
    frame = fit.to_pandas()
    assert len(frame) == sum(len(stage) for stage in fit["loss"].stages)
    assert frame.groupby("stage")["score"].min().to_dict() == {
        s.name: float(one.score.min()) for s, one in zip(fit.space.stages, fit["loss"].stages, strict=True)
    }
    assert fit.modules(stage="stage2", top=3).to_polars()["stage"].to_list() == ["stage2"] * 3
    assert "expected.macs.prediction" in fit.build_front(3).to_pandas()


def test_rows_are_saved_in_the_form_of_their_ending(fit, tmp_path):
    path = fit.build(3).save(tmp_path / "built.jsonl")
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [
        r["id"] for r in fit.build(3)
    ]
    with pytest.raises(NasbuildError, match="ending"):
        fit.build(3).save(tmp_path / "built.docx")


@pytest.mark.parametrize("what", ["fit", "explanation", "rows", "space", "table"])
def test_what_a_notebook_shows_is_short(fit, what):
    shown = {
        "fit": fit,
        "explanation": fit.explain(),
        "rows": fit.modules(),
        "space": fit.space,
        "table": fit.table,
    }[what]
    assert 20 < len(repr(shown)) < 5_000
    if hasattr(shown, "_repr_html_"):
        assert len(shown._repr_html_()) < 10_000


def test_texts_are_escaped_in_html():
    shown = nb.Rows([{"id": "<b>"}], "a & b", ["<i>"])._repr_html_()
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "a &amp; b" in shown


def test_an_explanation_is_that_of_the_command_line(fit, nasbuild, tmp_path):
    fit.save(tmp_path / "fit")
    told = nasbuild("explain", tmp_path / "fit", "--json").json
    assert told["targets"][0]["trust"]["verdict"] in repr(fit.explain())
    assert told["targets"][0]["stages"] == json.loads(json.dumps(fit.explain()["targets"][0]["stages"]))


def test_a_saved_fit_builds_the_same(fit, tmp_path):
    again = nb.load_fit(fit.save(tmp_path / "fit"))
    assert isinstance(again, nb.Fit)
    assert list(again.build(5)) == list(fit.build(5))
    assert fit.report(tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_any_table_with_its_space(table, tmp_path):
    nb.write_table(table, tmp_path / "archs.csv")
    one = nb.fit(tmp_path / "archs.csv", "loss", space=table.space, recipe="ridge", baselines=False)
    assert one["loss"].labels.values.tolist() == table.columns["loss"].tolist()
    # Without its space, it is inferred.
    inferred = nb.fit(tmp_path / "archs.csv", "loss", recipe="ridge", baselines=False)
    assert inferred["loss"].labels.values.tolist() == table.columns["loss"].tolist()
    assert [stage.depths for stage in inferred.space.stages] == [stage.depths for stage in table.space.stages]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "luck"}, "'luck' is not a build criterion; allowed: shortlist"),
        ({"k": 2, "where": "layers <= 4"}, "k and where exclude each other"),
        ({"by": "prediction", "apart": 2}, "apart and by prediction exclude each other"),
        ({"by": "exhaustive", "where": "layers <= 4"}, "exclude each other"),
        ({"where": "layers <= 0"}, "layers"),
    ],
)
def test_mistakes_get_a_sentence(fit, options, message):
    with pytest.raises(NasbuildError, match=message):
        fit.build(3, **options)


def test_a_bound_on_a_metric_holds_for_the_target_that_is_its_negative():
    table = nb.load_builtin("digits-macro").select(range(0, 1728, 29))
    plain = nb.fit(table, ["acc", "latency_cpu"], recipe="ridge", baselines=False)
    signed = nb.fit(table, ["acc", "-latency_cpu"], recipe="ridge", baselines=False)
    expected = plain.build(5, where="latency_cpu <= 2")
    found = signed.build(5, where="latency_cpu <= 2")
    assert [row["id"] for row in found] == [row["id"] for row in expected]
    assert {row["where"] for row in found} == {"latency_cpu <= 2"}
    for one, other in zip(found, expected, strict=True):
        value = -one["expected"]["-latency_cpu"]["prediction"]
        assert value == pytest.approx(other["expected"]["latency_cpu"]["prediction"])
        assert value <= 2
    assert [row["id"] for row in signed.build(5, where="-latency_cpu >= -2")] == [r["id"] for r in found]
    with pytest.raises(nb.NasbuildError, match="loosen one of them: latency_cpu <= "):
        signed.build(1, where="latency_cpu <= 0.01")


def test_built_rows_have_the_columns_of_the_table_that_was_fitted(tmp_path):
    rows = {
        "d1": [1, 2, 2, 1, 2, 1, 2, 2, 1, 2, 2, 2],
        "k1_1": [3, 3, 5, 5, 3, 3, 5, 5, 5, 3, 5, 3],
        "k1_2": [None, 3, 5, None, 5, None, 3, 3, None, 3, 5, 5],
        "acc": [70.1, 72.5, 75.2, 71.8, 73.9, 70.3, 73.2, 73.1, 71.6, 72.2, 75.4, 74.0],
    }
    fit = nb.fit(pl.DataFrame(rows), "acc", recipe="ridge", baselines=False)
    built = fit.build(2)
    frame = built.to_polars()
    assert frame.columns[:4] == ["id", "d1", "k1_1", "k1_2"]
    assert frame.select("d1", "k1_1", "k1_2").row(0) == (2, 5, 5)
    path = built.save(tmp_path / "built.csv")
    assert pl.read_csv(path)["k1_1"].to_list() == frame["k1_1"].to_list()
    # What was built, and the table itself, can be predicted as frames, under the ids that they have.
    assert fit.predict(frame)[0]["prediction"] == pytest.approx(built[0]["prediction"])
    own = pl.DataFrame({"id": [f"net{n}" for n in range(12)], **rows})
    assert [row["id"] for row in fit.predict(own)] == [f"net{n}" for n in range(12)]
    assert [row["id"] for row in fit.predict([{"id": "mine", "arch": built[0]["arch"]}])] == ["mine"]


def test_a_fit_stands_for_its_rows_beside_another_table(fit, table, tmp_path):
    more = nb.load_builtin("digits-macro").select(range(1, 1728, 290))
    folder = fit.save(tmp_path / "fit")
    for before in (fit, folder, str(folder)):
        both = nb.fit([before, more], "loss", recipe="ridge", baselines=False)
        assert both.table.ids == (*table.ids, *more.ids)
    other = nb.space_from_dict({"name": "other", "stages": [{"depth": 1, "features": {"k": [3, 5]}}]})
    with pytest.raises(NasbuildError, match="fit: was fitted in another space than other; leave space= out"):
        nb.fit([fit, more], "loss", space=other, recipe="ridge")
