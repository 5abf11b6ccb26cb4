"""Commands of next steps run as printed; exactly known targets have no steps, and no step is repeated."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import unescape

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
    assert found[-2:] == ["nasbuild explain 'a fit'", "nasbuild build 'a fit' --out built.jsonl"]
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
