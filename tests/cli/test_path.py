"""The whole path, as a user goes it."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import polars as pl
import pytest
from cli_samples import as_process

from nasbuild.cli._bench import summary
from nasbuild.space import count_architectures, load_space
from nasbuild.table import load_builtin, read_table


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_help_names_every_command(nasbuild):
    done = nasbuild("--help")
    assert done.code == 0
    for command in (
        "demo",
        "check",
        "fit",
        "explain",
        "modules",
        "predict",
        "build",
        "shrink",
        "report",
        "bench",
    ):
        assert f"  {command} " in done.out


def test_version(nasbuild):
    from nasbuild import __version__

    assert nasbuild("--version").out.strip() == f"nasbuild {__version__}"


def test_check_of_a_space_prints_its_exact_size(nasbuild):
    done = nasbuild("check", "--space", "ofa-mobilenet-v3")
    assert done.code == 0
    assert f"{7371**5:,}" in done.out
    assert nasbuild("check", "--space", "ofa-mobilenet-v3", "--json").json["architectures"] == 7371**5


def test_check_merges_stages(nasbuild):
    result = nasbuild("check", "--space", "ofa-proxylessnas", "--merge", "stage5", "--json").json
    assert [s["depths"] for s in result["stages"]] == [[2, 3, 4]] * 4 + [[3, 4, 5]]


def test_check_of_a_table(nasbuild, files):
    result = nasbuild("check", "--space", files.space, "--data", files.data, "--json").json
    table = read_table(files.data, load_space(files.space))
    assert result["table"]["rows"] == len(table) == 60
    loss = next(m for m in result["table"]["metrics"] if m["metric"] == "loss")
    assert loss["median"] == np.median(table.columns["loss"])
    assert loss["direction"] == "minimize"


def test_explain_tells_trust_features_and_modules(nasbuild, files):
    done = nasbuild("explain", files.run)
    assert done.code == 0
    for word in ("loss", "acc / log10(macs)", "SRCC", "stage1", "mb_e6_k5"):
        assert word in done.out
    for word in (
        "change of a module's score",
        "the same in each stage",
        "share of the prediction",
        "90% intervals",
    ):
        assert word in done.out
    for word in ("eq. 5", "FE-MLP", "norm"):
        assert word not in done.out
    result = nasbuild("explain", files.run, "--json").json
    assert [t["target"] for t in result["targets"]] == ["loss", "acc / log10(macs)"]


def test_explain_tells_networks_from_the_default(nasbuild, files):
    done = nasbuild("explain", files.run2)
    for word in ("eq. 5", "FE-MLP", "hop 4"):
        assert word in done.out
    for word in ("the same in each stage", "share of the prediction", "90% intervals"):
        assert word not in done.out


def test_a_better_method_is_offered_with_its_command(nasbuild, tmp_path):
    options = [
        "--space",
        "digits-macro",
        "--data",
        "digits-macro",
        "--target",
        "acc",
        "--out",
        tmp_path / "run",
    ]
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(load_builtin("digits-macro").ids[::29]))
    assert nasbuild("fit", *options, "--ids", ids, "--recipe", "marginal", "--workers", 1).code == 0
    path = tmp_path / "run" / "trust.json"
    path.write_text(re.sub(r'"better": *(null|"\w*")', '"better": "ridge"', path.read_text()))
    done = nasbuild("explain", tmp_path / "run")
    assert "ridge regression" in done.out
    assert "LightGBM" in done.out
    assert (
        "  nasbuild fit --space SPACE --data TABLE --target acc --recipe ridge --out run-ridge\n" in done.out
    )


def test_bench_measures_and_goes_on_where_it_stopped(nasbuild, data_dir, tmp_path):
    data, out = data_dir("nas-bench-macro").parent, tmp_path / "scores.json"
    options = ["bench", "scores", "--quick", "--data", data, "--out", out, "--draws", 1, "--workers", 1]
    done = nasbuild(*options, "--method", "marginal")
    assert done.code == 0, done.err
    for word in (
        "fidelity",
        "SRCC of module scores",
        "marginal",
        "digits-macro loss 50",
        "nas-bench-macro acc 100",
    ):
        assert word in done.out
    before = json.loads(out.read_text())["rows"]
    again = nasbuild(*options, "--method", "marginal", "--json").json
    assert again["rows"] == len(before) == 3
    assert json.loads(out.read_text())["rows"] == before


def test_bench_means_are_over_draws():
    rows = [
        {"cell": "a", "method": m, "held_out": v, "prediction": v / 2}
        for m, v in (("x", 0.2), ("x", 0.4), ("y", 1))
    ]
    assert summary({"rows": rows}) == [
        (["SRCC of module scores", "x", "y"], [["a", "0.300", "1.000"]]),
        (["SRCC of prediction y'", "x", "y"], [["a", "0.150", "0.500"]]),
    ]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_modules_of_every_stage_in_every_form(nasbuild, files, tmp_path, form):
    out = tmp_path / f"modules.{form}"
    assert nasbuild("modules", files.run, "--target", "loss", "--out", out).code == 0
    if form == "jsonl":
        rows = lines(out)
    elif form == "csv":
        with out.open(newline="") as stream:
            rows = [
                dict(r, module=json.loads(r["module"]), stage=int(r["stage"])) for r in csv.DictReader(stream)
            ]
    else:
        rows = pl.read_parquet(out).to_dicts()
    assert len(rows) == 36
    assert {len({json.dumps(r["module"]) for r in rows if r["stage"] == u}) for u in range(3)} == {12}
    assert set(rows[0]) == {"target", "stage", "module", "score", "std"}
    # Loss is to be small: the lowest score is the best and comes first.
    scores = [float(r["score"]) for r in rows if r["stage"] == 0]
    assert scores == sorted(scores)


def test_modules_of_one_stage(nasbuild, files, tmp_path):
    out = tmp_path / "m.jsonl"
    assert nasbuild("modules", files.run, "--stage", "stage2", "--top", 2, "--out", out).code == 0
    assert [row["stage"] for row in lines(out)] == [1, 1, 1, 1]  # two targets


def test_build_gives_the_highest_sums_of_module_scores(nasbuild, files, tmp_path):
    modules, built = tmp_path / "m.jsonl", tmp_path / "b.jsonl"
    nasbuild("modules", files.run, "--target", "loss", "--out", modules)
    assert nasbuild("build", files.run, "--target", "loss", "--top", 20, "--out", built).code == 0
    rows = lines(built)
    by_stage = [[r["score"] for r in lines(modules) if r["stage"] == u] for u in range(3)]
    sums = sorted(a + b + c for a in by_stage[0] for b in by_stage[1] for c in by_stage[2])
    assert np.allclose([r["score"] for r in rows], sums[:20], rtol=0, atol=1e-9)
    assert np.allclose([sum(r["shares"]) for r in rows], [r["score"] for r in rows])


def test_built_rows_are_a_table_with_known_labels(nasbuild, files, tmp_path):
    built = tmp_path / "b.jsonl"
    nasbuild("build", files.run, "--top", 1728, "--out", built)
    space = load_space(files.space)
    known = read_table(files.data, space)
    rows = {row["id"]: row for row in lines(built)}
    assert len(rows) == 1728
    with_labels = [row for row in rows.values() if row["metrics"]]
    assert len(with_labels) == len(known)
    for name, loss in zip(known.ids, known.columns["loss"], strict=True):
        assert rows[name]["metrics"]["loss"] == loss


def test_predict_keeps_every_row_in_order(nasbuild, files, tmp_path):
    archs, out = tmp_path / "archs.jsonl", tmp_path / "p.jsonl"
    first = files.data.read_text().splitlines()[:3]
    archs.write_text("\n".join([*first, first[0]]) + "\n")
    assert nasbuild("predict", files.run, "--archs", archs, "--out", out).code == 0
    rows = lines(out)
    assert [row["id"] for row in rows[:4]] == [json.loads(line)["id"] for line in [*first, first[0]]]
    assert len(rows) == 8  # two targets
    assert set(rows[0]) == {"id", "target", "prediction", "std", "shares"}
    # Its place in a batch may change the last bits of a prediction.
    assert np.allclose(rows[0]["shares"], rows[3]["shares"], rtol=1e-6)
    assert rows[0]["prediction"] == pytest.approx(rows[3]["prediction"], rel=1e-6)
    assert len(rows[0]["shares"]) == 3


def test_predicted_shares_are_the_module_scores(nasbuild, files, tmp_path):
    modules, out = tmp_path / "m.jsonl", tmp_path / "p.jsonl"
    nasbuild("modules", files.run, "--target", "loss", "--out", modules)
    nasbuild("predict", files.run, "--target", "loss", "--archs", files.data, "--out", out)
    scores = {(r["stage"], json.dumps(r["module"])): r["score"] for r in lines(modules)}
    for arch, row in zip(lines(files.data), lines(out), strict=True):
        expected = [scores[u, json.dumps(m)] for u, m in enumerate(arch["arch"]["stages"])]
        assert np.allclose(row["shares"], expected, rtol=1e-5)


def test_shrink_unites_runs_and_the_space_can_be_used_again(nasbuild, files, tmp_path):
    out = tmp_path / "small.yaml"
    assert nasbuild("shrink", files.run, files.run2, "--k", 2, "--out", out).code == 0
    small = load_space(out)
    assert all(2 <= len(stage.modules or ()) <= 6 for stage in small.stages)
    assert count_architectures(small) < 6**3 + 1
    assert nasbuild("check", "--space", out, "--json").json["architectures"] == count_architectures(small)


def test_report_is_one_page(nasbuild, files, tmp_path):
    out = tmp_path / "report.html"
    assert nasbuild("report", files.run, "--out", out).code == 0
    assert out.read_text().lstrip().lower().startswith("<!doctype html>")


def test_the_same_seed_gives_the_same_run_whatever_the_workers(files, tmp_path):
    for workers in (1, 2):
        done = as_process(
            "fit", "--space", files.space, "--data", files.data, "--target", "loss", "--recipe", "paper", "--epochs", 2, "--no-rivals", "--seed", 5,
            "--workers", workers, "--out", tmp_path / f"run{workers}",
        )  # fmt: skip
        assert done.code == 0, done.err
    for name in ("model.safetensors", "modules.parquet", "trust.json", "run.json", "table.parquet"):
        assert (tmp_path / "run1" / name).read_bytes() == (tmp_path / "run2" / name).read_bytes(), name


def test_ids_choose_the_rows_to_learn_from(nasbuild, tmp_path):
    table = load_builtin("digits-macro")
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(reversed(table.ids[:30])) + "\n\n")
    done = nasbuild(
        "fit", "--space", "digits-macro", "--data", "digits-macro", "--target", "acc", "--ids", ids, "--recipe", "ridge", "--no-rivals",
        "--workers", 1, "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.json["targets"][0]["labels"] == 30
    from nasbuild.score import load_run

    assert load_run(tmp_path / "run").table.ids == table.ids[:30]


def test_a_merged_space_is_learnt(nasbuild, data_dir, tmp_path):
    folder = data_dir("ofa-pn-surrogate")
    space = load_space(folder / "space.yaml")
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(read_table(folder / "archs.jsonl.gz", space).ids[:40]))
    done = nasbuild(
        "fit", "--space", folder / "space.yaml", "--data", folder / "archs.jsonl.gz", "--merge", "stage5",
        "--target", "acc", "--ids", ids, "--recipe", "ridge", "--no-rivals", "--workers", 1, "--out", tmp_path / "run", "--max-modules", 8000,
    )  # fmt: skip
    assert done.code == 0, done.err
    out = tmp_path / "m.jsonl"
    done = nasbuild("modules", tmp_path / "run", "--stage", "stage5+stage6", "--out", out)
    searched = re.search(r"searched: ([\d,]+) of 66,339 modules", done.out)
    assert searched
    assert 2000 <= int(searched[1].replace(",", "")) <= 8000
    assert {len(row["module"]) for row in lines(out)} == {3, 4, 5}


@pytest.mark.parametrize("name", ["nas-bench-macro", "accel-nasbench", "nas-bench-mr", "ofa-mbv3-imagenet"])
def test_real_tables_go_the_whole_path(nasbuild, data_dir, tmp_path, name):
    folder = data_dir(name)
    space = load_space(folder / "space.yaml")
    metric = next(iter(space.metrics))
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(read_table(folder / "archs.jsonl.gz", space).ids[:40]))
    run = tmp_path / "run"
    done = nasbuild(
        "fit", "--space", folder / "space.yaml", "--data", folder / "archs.jsonl.gz", "--target", metric,
        "--ids", ids, "--workers", 1, "--no-rivals", "--max-modules", 1000, "--out", run,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert nasbuild("build", run, "--top", 5, "--out", tmp_path / "b.jsonl").code == 0
    assert len(lines(tmp_path / "b.jsonl")) == 5
    assert len(read_table(tmp_path / "b.jsonl", space)) == 5
