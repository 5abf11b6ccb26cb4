"""The benchmark of scores: its draws, its truth by brute force, its means, its pictures, and how it resumes."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasbuild.bench import (
    BASELINES,
    METHODS,
    Cell,
    behind,
    bench_scores,
    cells,
    installed,
    margins,
    plot,
    summary,
    truth,
)
from nasbuild.bench._external_baselines import _between_0_and_1, _numeric, fit_external_baseline
from nasbuild.bench._measure import _modules, measure
from nasbuild.builder import best_context_modules
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit_additive
from nasbuild.space import Architecture, enumerate_architectures, group_codes, load_space, space_from_yaml
from nasbuild.table import load_builtin, read_table

NOWHERE = Path("nowhere")
SMALL = Cell("digits-macro", "loss", 50)


@pytest.fixture(scope="module")
def table():
    return load_builtin("digits-macro")


def test_every_table_target_and_size_is_measured():
    found = {(c.table, c.target): [] for c in cells()}
    for cell in cells():
        found[cell.table, cell.target].append(cell.size)
        assert cell.draws == (5 if cell.size >= 1_000 else 10)
    assert found["nas-bench-macro", "acc"] == [50, 100, 300, 1_000]
    assert found["ofa-pn-surrogate", "latency_npu"] == [68, 200, 1_000, 2_700]
    assert len(found) == 16
    assert {c.name for c in cells(quick=True)} <= {c.name for c in cells()}


def test_draws_depend_on_cell_and_number_alone():
    labelled = np.arange(3, 400, 2)
    rows = SMALL.rows(labelled, 4)
    assert rows.tolist() == SMALL.rows(labelled, 4).tolist() == sorted(set(rows.tolist()))
    assert len(rows) == 50
    assert set(rows) <= set(labelled)
    for other in (SMALL.rows(labelled, 5), Cell("digits-macro", "acc", 50).rows(labelled, 4)):
        assert rows.tolist() != other.tolist()


def test_the_truth_of_a_whole_table_is_its_means(table):
    known = truth(NOWHERE, "digits-macro")
    labels = table.columns["loss"]
    for u, modules, worth in known.worth("loss"):
        for module, value in zip(modules, worth, strict=True):
            own = [v for a, v in zip(table.architectures, labels, strict=True) if a.modules[u] == module]
            assert value == pytest.approx(np.mean(own))
    # Loss is to be small: the rank counts those with less.
    some = list(table.architectures[100:110])
    assert known.rank("loss", some) == 1 + (labels < labels[100:110].min()).sum()
    assert known.rank("acc", some) == 1 + (table.columns["acc"] > table.columns["acc"][100:110].max()).sum()


def test_a_measure_is_what_its_words_say(table):
    found = measure(NOWHERE, SMALL, 1, "default")
    rows = SMALL.rows(np.arange(len(table)), 1)
    rest = np.setdiff1d(np.arange(len(table)), rows)
    labels = table.columns["loss"]
    target_fit = [table.architectures[i] for i in rows]
    scorer, _ = fit_additive(table.space, target_fit, labels[rows], recipe("default"), seed=1)
    process = scorer.gp
    held = [table.architectures[i] for i in rest]
    assert found["held_out"] == pytest.approx(spearmanr(process.sums(held), labels[rest]).statistic)
    assert found["prediction"] == pytest.approx(spearmanr(process.predict(held)[0], labels[rest]).statistic)
    fidelity, best = [], []
    for u, modules, worth in truth(NOWHERE, "digits-macro").worth("loss"):
        codes = [table.space.stages[u].encode(m) for m in modules]
        score = group_codes(codes).evaluate(lambda some, u=u: process.score(u, some)[0])
        fidelity.append(spearmanr(score, worth).statistic)
        best.append([modules[i] for i in np.argsort(score, kind="stable")[:3]])
    assert found["fidelity"] == pytest.approx(np.mean(fidelity))
    built = [labels[table.row_of[Architecture(m)]] for m in product(*best)]
    assert found["best_value"] == pytest.approx(min(built))
    assert found["best_rank"] == 1 + (labels < min(built)).sum()
    every = list(enumerate_architectures(table.space))
    value = process.predict(every)[0]
    first = [labels[table.row_of[every[i]]] for i in np.argsort(value, kind="stable")[:27]]
    assert found["predicted_rank"] == 1 + (labels < min(first)).sum()
    modules = _modules(scorer)
    company = [
        [modules.module(u, i) for i in own]
        for u, own in enumerate(best_context_modules(scorer, -1, modules, 3))
    ]
    built = [labels[table.row_of[Architecture(m)]] for m in product(*company)]
    assert found["company_value"] == pytest.approx(min(built))
    assert found["company_rank"] == 1 + (labels < min(built)).sum()
    assert 0.5 < found["coverage"] <= 1


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("default", "paper", *BASELINES)])
def test_every_method_is_measured_alike(method):
    found = measure(NOWHERE, SMALL, 0, method)
    assert {"fidelity", "held_out", "prediction", "best_value", "best_rank"} <= set(found)
    assert "coverage" not in found
    assert -1 <= found["fidelity"] <= 1


@pytest.mark.parametrize("method", BASELINES)
def test_regressors_of_others_are_measured_by_their_prediction(method, table):
    pytest.importorskip(method)
    found = measure(NOWHERE, SMALL, 0, method)
    assert set(found) == {"cell", "draw", "method", "seconds", "prediction"}
    rows = SMALL.rows(np.arange(len(table)), 0)
    rest = np.setdiff1d(np.arange(len(table)), rows)
    labels = table.columns["loss"]
    predict = fit_external_baseline(
        method, table.space, [table.architectures[i] for i in rows], labels[rows], 0
    )
    value = predict([table.architectures[i] for i in rest])
    assert found["prediction"] == pytest.approx(spearmanr(value, labels[rest]).statistic)
    assert found["prediction"] > 0.7


def test_columns_of_other_regressors_are_numbers_by_their_range_and_other_choices_one_by_one():
    space = space_from_yaml(
        """
        name: columns
        metrics: {acc: {direction: maximize}}
        stages: [{name: one, depth: [1, 2], features: {k: [3, 5, 7], op: [conv, pool]}}]
        """
    )
    one, two = Architecture((((5, "pool"),),)), Architecture((((7, "conv"), (3, "pool")),))
    rows = _between_0_and_1(space, [one, two])
    # Depth, then k of both layers; then which operation each layer has.
    assert rows.tolist() == [[0, 0.5, 0, 0, 1, 0, 0], [1, 1, 0, 1, 0, 0, 1]]
    assert _numeric(space).tolist() == [True, True, False, True, False]


def test_methods_whose_package_is_missing_are_refused_with_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr("nasbuild.bench._external_baselines.find_spec", lambda _: None)
    assert installed("default")
    assert not installed("catboost")
    assert not installed("lightgbm")
    with pytest.raises(NasbuildError, match=r"'catboost' needs a package.*nasbuild\[bench\]"):
        bench_scores(NOWHERE, tmp_path / "scores.json", methods=("catboost",), quick=True)


def test_cells_in_which_another_method_predicts_better_are_named():
    rows = [
        {"cell": cell, "draw": draw, "method": method, "prediction": value}
        for draw in range(2)
        for cell, method, value in (
            ("digits-macro loss 50", "default", 0.90),
            ("digits-macro loss 50", "catboost", 0.92),
            ("digits-macro loss 50", "ridge", 0.93),
            ("nas-bench-mr miou 68", "default", 0.80),
            ("nas-bench-mr miou 68", "botorch", 0.804),
        )
    ]
    assert behind({"rows": rows}, "prediction") == [("digits-macro loss 50", "ridge", pytest.approx(0.03))]
    assert len(behind({"rows": rows}, "prediction", 0.001)) == 2
    told = [line for line in margins({"rows": rows}) if "best other method's" in line]
    assert len(told) == 1
    assert "2 cells; least in digits-macro loss 50: -0.0300" in told[0]


def test_the_truth_of_a_regressor_is_its_mean_over_contexts(data_dir):
    folder = data_dir("ofa-mbv3-surrogate")
    known = truth(folder.parent, "ofa-mbv3-surrogate")
    labelled = read_table(folder / "archs.jsonl.gz", load_space(folder / "space.yaml"))
    some = labelled.architectures[:20]
    # It labels as the table was labelled.
    assert known.label("acc", some) == pytest.approx(labelled.columns["acc"][:20], rel=1e-4)
    assert truth(folder.parent, "ofa-mbv3-imagenet") is None


def made_up() -> dict:
    rows = []
    for cell, lead in (("nas-bench-macro acc 50", 0.05), ("digits-macro loss 50", -0.02)):
        for draw in range(4):
            base = 0.8 + 0.01 * draw
            figures = {"default": base + lead, "ridge": base, "lightgbm": base - 0.3}
            rows += [
                {"cell": cell, "draw": draw, "method": m, "held_out": v, "prediction": v, "fidelity": v}
                for m, v in figures.items()
                if not (m == "ridge" and draw == 3)
            ]
    return {"rows": rows}


def test_leads_are_over_the_draws_that_all_have():
    lines = margins(made_up())
    first = "default leads the better of ridge and LightGBM by +0.0150 on average over 2 cells"
    assert f"fidelity of module scores: {first}; least in digits-macro loss 50: -0.0200" in lines
    assert not any("paper" in line for line in lines)
    # Of y', LightGBM alone is asked for: all four draws.
    assert "LightGBM's by +0.3150 on average" in lines[-2]


def test_draws_that_lack_are_reported():
    tables = {header[0]: {row[0]: row[1:] for row in rows} for header, rows in summary(made_up())}
    assert tables["fidelity of module scores"]["digits-macro loss 50"] == [
        "0.795 (4)",
        "0.810 (3)",
        "0.515 (4)",
    ]


def test_pictures_are_drawn_beside_the_result_and_equal_to_the_byte(tmp_path):
    out = tmp_path / "scores.json"
    written = plot(made_up(), out)
    names = ["scores-fidelity.svg", "scores-held_out.svg", "scores-prediction.svg"]
    assert [p.name for p in written] == names
    before = [p.read_bytes() for p in written]
    assert before == [p.read_bytes() for p in plot(made_up(), out)]
    assert before[0].count(b"digits-macro") == 1
    assert b"Date" not in before[0]
    assert plot({"rows": []}, tmp_path / "none.json") == []


def test_a_changed_recipe_is_measured_again_and_others_are_not(tmp_path):
    out = tmp_path / "scores.json"
    done = {"draws": 1, "quick": True}
    data = tmp_path / "data"
    with pytest.raises(NasbuildError, match="there is no table 'nas-bench-macro'"):
        bench_scores(data, out, methods=("ridge",), **done)
    keep = {"cell": "digits-macro loss 50", "draw": 0, "method": "ridge", "held_out": 0.5}
    rows = [keep | {"cell": c.name, "method": m} for c in cells(quick=True) for m in ("ridge", "marginal")]
    recipes = {m: recipe(m).as_dict() for m in ("ridge", "marginal")}
    out.write_text(json.dumps({"benchmark": "scores", "versions": {}, "recipes": recipes, "rows": rows}))
    assert bench_scores(data, out, methods=("ridge",), **done)["rows"] == rows
    recipes["ridge"]["folds"] = 3
    out.write_text(json.dumps({"benchmark": "scores", "versions": {}, "recipes": recipes, "rows": rows}))
    with pytest.raises(NasbuildError, match="nas-bench-macro"):
        bench_scores(data, out, methods=("ridge",), **done)
    assert json.loads(out.read_text())["rows"] == rows


def test_a_missing_folder_is_made_and_one_that_cannot_be_is_reported(tmp_path):
    out = tmp_path / "a" / "b" / "scores.json"
    recipes = {m: {"name": m} if m in BASELINES else recipe(m).as_dict() for m in METHODS}
    assert bench_scores(tmp_path, out, methods=(), quick=True)["rows"] == []
    assert set(json.loads(out.read_text())["recipes"]) <= set(recipes)
    (tmp_path / "file").write_text("")
    with pytest.raises(NasbuildError, match="its folder can't be made"):
        bench_scores(tmp_path, tmp_path / "file" / "scores.json", methods=(), quick=True)


@pytest.mark.parametrize("text", ["{", "[]", '{"benchmark": "other", "rows": []}', '{"benchmark": "scores"}'])
def test_another_file_is_not_written_over(tmp_path, text):
    out = tmp_path / "other.json"
    out.write_text(text)
    with pytest.raises(NasbuildError, match="is no result of this benchmark"):
        bench_scores(tmp_path, out, quick=True)
    assert out.read_text() == text


def test_workers_measure_what_one_process_does(tmp_path, monkeypatch):
    some = [cell for cell in cells(quick=True) if cell.table == "digits-macro"]
    monkeypatch.setattr("nasbuild.bench._run_bench.cells", lambda _=False: some)

    def rows(workers: int) -> list[dict]:
        out = tmp_path / f"{workers}.json"
        found = bench_scores(NOWHERE, out, methods=("marginal",), quick=True, draws=1, workers=workers)[
            "rows"
        ]
        return sorted(({**row, "seconds": None} for row in found), key=lambda row: row["cell"])

    alone = rows(1)
    assert len(alone) == len(some) > 1
    assert rows(2) == alone
