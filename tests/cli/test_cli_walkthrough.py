"""The main commands from a table to a report, as a user runs them."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest

from nasbuild.bench import summary
from nasbuild.space import load_space
from nasbuild.table import load_builtin, read_table, write_table

pytestmark = pytest.mark.usefixtures("few_rounds")


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


def test_explain_shows_trust_features_and_modules(nasbuild, files):
    done = nasbuild("explain", files.fit)
    assert done.code == 0
    for word in ("loss", "acc / log10(macs)", "SRCC", "stage1", "mb_e6_k5"):
        assert word in done.out
    for word in (
        "change of a module's score",
        "the same per stage",
        "share of the prediction",
        "90 % intervals",
    ):
        assert word in done.out
    for word in ("eq. 5", "FE-MLP", "norm"):
        assert word not in done.out
    result = nasbuild("explain", files.fit, "--json").json
    assert [t["target"] for t in result["targets"]] == ["loss", "acc / log10(macs)"]


def test_explain_words_networks_unlike_the_default(nasbuild, files):
    done = nasbuild("explain", files.network_fit)
    for word in ("eq. 5", "FE-MLP", "hop 4"):
        assert word in done.out
    for word in ("the same per stage", "share of the prediction", "90 % intervals"):
        assert word not in done.out


def test_a_better_method_is_recommended_with_its_command(nasbuild, tmp_path):
    options = [
        "--space",
        "digits-macro",
        "--data",
        "digits-macro",
        "--target",
        "acc",
        "--out",
        tmp_path / "fit",
    ]
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(load_builtin("digits-macro").ids[::29]))
    assert nasbuild("fit", *options, "--ids", ids, "--recipe", "marginal", "--workers", 1).code == 0
    path, whole = tmp_path / "fit" / "trust.json", tmp_path / "fit" / "fit.json"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(re.sub(r'"better": *(null|"\w*")', '"better": "ridge"', path.read_text()))
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    whole.write_text(whole.read_text().replace(before, after))
    done = nasbuild("explain", tmp_path / "fit")
    assert "ridge regression" in done.out
    assert "LightGBM" in done.out
    fitted = tmp_path / "fit"
    command = (
        f"  nasbuild fit --space {fitted} --data {fitted} --target acc --recipe ridge --out {fitted}-ridge\n"
    )
    assert command in done.out


def test_fit_and_explain_list_suspect_labels(nasbuild, tmp_path):
    whole = load_builtin("digits-macro")
    table = whole.select(np.sort(np.random.default_rng(3).permutation(len(whole))[:100]))
    wrong = int(np.argsort(table.columns["loss"])[1])
    table.columns["loss"][wrong] = table.columns["loss"].max()
    write_table(table, tmp_path / "table.csv")
    done = nasbuild(
        "fit",
        "--space",
        "digits-macro",
        "--data",
        tmp_path / "table.csv",
        "--target",
        "loss",
        "--no-baselines",
        "--out",
        tmp_path / "fit",
    )
    for shown in (done, nasbuild("explain", tmp_path / "fit")):
        assert shown.code == 0, shown.err
        assert "- 1 suspect label lies far from the prediction of all other rows." in shown.out
        assert f"\n  {table.ids[wrong]}: " in shown.out
    suspects = nasbuild("explain", tmp_path / "fit", "--json").json["targets"][0]["trust"]["suspects"]
    assert [one["id"] for one in suspects] == [table.ids[wrong]]


def test_bench_measures_and_resumes(nasbuild, data_dir, tmp_path):
    data, out = data_dir("nas-bench-macro").parent, tmp_path / "scores.json"
    options = ["bench", "scores", "--quick", "--data", data, "--out", out, "--draws", 1, "--workers", 1]
    done = nasbuild(*options, "--method", "marginal")
    assert done.code == 0, done.err
    for word in (
        "fidelity",
        "fidelity of module scores",
        "marginal",
        "digits-macro loss 50",
        "nas-bench-macro acc 300",
    ):
        assert word in done.out
    before = json.loads(out.read_text())["rows"]
    again = nasbuild(*options, "--method", "marginal", "--json").json
    assert again["rows"] == len(before) == 3
    assert json.loads(out.read_text())["rows"] == before


def test_bench_means_are_over_draws_and_show_their_number():
    cell = "nas-bench-macro acc 50"
    rows = [
        {"cell": cell, "draw": n, "method": m, "held_out": v, "prediction": v / 2}
        for m, values in (("default", (0.2, 0.4)), ("ridge", (1.0,)))
        for n, v in enumerate(values)
    ]
    assert summary({"rows": rows}) == [
        (["SRCC of summed module scores", "default", "ridge"], [[cell, "0.300 (2)", "1.000 (1)"]]),
        (["SRCC of prediction y'", "default", "ridge"], [[cell, "0.150 (2)", "0.500 (1)"]]),
    ]
