"""Commands of next steps run as printed; exactly known targets have no steps, and no step is repeated."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import unescape

import numpy as np
import polars as pl
import pytest

from nasbuild.predictor import recipe
from nasbuild.score import Baseline, fit, load_fit, save_fit
from nasbuild.table import load_builtin


def commands(text: str) -> list[str]:
    """Returns the lines that are commands of nasbuild."""
    return [line.strip() for line in text.splitlines() if line.startswith("  nasbuild ")]


@pytest.fixture(scope="module")
def fit_folder(tmp_path_factory):
    """A fit with all kinds of advice, in a folder whose name needs quotes."""
    folder = tmp_path_factory.mktemp("steps") / "my fits"
    folder.mkdir()
    table = load_builtin("digits-macro").select(range(0, 1728, 29))
    quick = recipe("default", folds=3)
    fitted = fit(table, ["loss", "macs", "acc / log10(macs)"], recipe=quick, baselines=False, seed=3)
    first = fitted.targets[0]
    baseline = Baseline("ridge", first.trust.prediction, first.trust.modules)
    trust = replace(first.trust, baselines=(baseline,), better="ridge")
    save_fit(
        replace(fitted, targets=(replace(first, trust=trust), *fitted.targets[1:])), folder / "first fit"
    )
    return folder


def test_every_command_of_explain_and_the_report_runs_as_printed(nasbuild, fit_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(fit_folder)
    explained = nasbuild("explain", "first fit")
    assert explained.code == 0
    found = commands(explained.out)
    for part in ("--propose 5 --target 'acc / log10(macs)'", "--recipe ridge --seed 3"):
        assert any(part in command for command in found), (part, found)
    page = tmp_path / "page.html"
    assert nasbuild("report", "first fit", "--out", page).code == 0
    in_page = re.findall(r'<code class="command">(.*?)</code>', page.read_text())
    assert {unescape(command) for command in in_page} == set(found)
    for command in found:
        words = shlex.split(command)
        assert words[0] == "nasbuild"
        assert "first fit" in command
        assert not {"FIT", "SPACE", "TABLE"} & set(words)
        if words[1] == "fit":
            words += ["--no-baselines", "--workers", "1"]
        assert nasbuild(*words[1:]).code == 0, command
    again = load_fit("first fit-ridge")
    assert again.table == load_fit("first fit").table
    assert (again.recipe.name, again.seed) == ("ridge", 3)


def test_every_command_of_fit_runs_as_printed(nasbuild, files, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = nasbuild(
        *("fit", "--space", files.space, "--data", files.data, "--target", "loss", "--recipe", "ridge"),
        *("--no-baselines", "--workers", 1, "--out", "a fit"),
    )
    assert done.code == 0
    found = commands(done.out)
    assert found[-3:] == [
        "nasbuild explain 'a fit'",
        "nasbuild build 'a fit' --top 10 --out built.jsonl",
        "nasbuild report 'a fit' --out report.html",
    ]
    for command in found:
        assert nasbuild(*shlex.split(command)[1:]).code == 0, command


def test_a_target_known_exactly_has_no_steps(nasbuild, fit_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(fit_folder)
    loss, macs, other = nasbuild("explain", "first fit", "--json").json["targets"]
    assert loss["known"] == other["known"] == ""
    assert "macs is known exactly (it is a sum over the layers in every row of the table)" in macs["known"]
    assert macs["findings"][0] == macs["known"]
    assert macs["next"] == []
    assert all(stage["n_tied"] is None for stage in macs["stages"])
    assert loss["next"]
    page = tmp_path / "page.html"
    assert nasbuild("report", "first fit", "--out", page).code == 0
    text = page.read_text()
    assert text.count("macs is known exactly") == 1
    for card, there in (("target-1-next", True), ("target-2-next", False), ("target-2-built", False)):
        assert (f'id="{card}"' in text) == there
    assert 'class="card failed"' not in text
    shown = nasbuild("explain", "first fit").out.split("\nmacs [")[1].split("\nacc / log10(macs)")[0]
    assert "macs is known exactly" in shown
    assert "next:" not in shown


def test_no_step_is_repeated(nasbuild, fit_folder, monkeypatch):
    monkeypatch.chdir(fit_folder)
    targets = nasbuild("explain", "first fit", "--json").json["targets"]
    steps = [(step["text"], step.get("command")) for one in targets for step in one["next"]]
    assert len(set(steps)) == len(steps)
    assert sum("No architecture was measured twice" in text for text, _ in steps) == 1


def test_a_fit_can_be_fitted_again_from_its_folder_in_its_own_space_only(
    nasbuild, fit_folder, files, tmp_path
):
    folder = fit_folder / "first fit"
    options = ["--data", folder, "--target", "loss", "--recipe", "ridge", "--no-baselines", "--workers", 1]
    assert nasbuild("fit", "--space", files.space, *options, "--out", tmp_path / "one").code == 0
    done = nasbuild("fit", "--space", "nas-bench-macro", *options, "--out", tmp_path / "two")
    assert "was fitted in another space than nas-bench-macro" in done.sentence


def test_what_was_built_can_be_filled_in_and_learned_from(nasbuild, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert nasbuild("sample-data").code == 0
    begun = commands(nasbuild("init", "runs.csv").out)
    assert [command.split()[1] for command in begun] == ["check", "fit", "build"]
    quick = ("--recipe", "ridge", "--no-baselines", "--workers", 1)
    targets = ("--target", "acc", "--target=latency_ms")
    done = nasbuild("fit", "--data", "runs.csv", *targets, *quick, "--out", "my-fit")
    assert "nasbuild build my-fit --front 10 --out front.csv" in commands(done.out)
    done = nasbuild("build", "my-fit", "--propose", 4, "--out", "next.csv")
    frame = pl.read_csv("next.csv")
    assert frame.columns[:3] == ["run", "d1", "op1_1"]
    assert frame["acc"].null_count() == frame["latency_ms"].null_count() == 4
    filled = frame.with_columns(acc=pl.lit(80.5), latency_ms=pl.Series([1.5, None, 2.5, 3.5]))
    filled.write_csv("next.csv")
    [command] = commands(done.out)
    assert nasbuild(*shlex.split(command)[1:], *quick).code == 0
    table = load_fit("my-fit-2").table
    assert len(table) == 104
    assert table.columns["acc"][-4:].tolist() == [80.5] * 4
    assert np.isnan(table.columns["latency_ms"][-3])


def test_a_table_in_two_files_is_joined(nasbuild, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert nasbuild("sample-data").code == 0
    frame = pl.read_csv("runs.csv")
    frame.drop("latency_ms").write_csv("acc.csv")
    frame.select("run", "latency_ms").head(40).write_csv("latency.csv")
    data = ("--data", "acc.csv", "--data", "latency.csv")
    shown = nasbuild("check", *data, "--json").json["table"]
    counts = {metric["metric"]: metric["values"] for metric in shown["metrics"]}
    assert (shown["rows"], counts["acc"], counts["latency_ms"]) == (100, 100, 40)
    done = nasbuild("check", *data[:3], "absent.csv")
    assert "absent.csv" in done.sentence
