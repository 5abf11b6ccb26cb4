"""A user's mistake gives one sentence and exit code 2, and no file changes."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli_samples import as_process
from nasbuild.table import load_builtin, write_table


def snapshot(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def broken(files, tmp_path):
    """Returns a function that writes a copy of the table with a changed third line."""

    def make(change):
        rows = [json.loads(line) for line in files.data.read_text().splitlines()]
        change(rows[2])
        path = tmp_path / "broken.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows))
        return path

    return make


def fit(nasbuild, files, data, out, *more, target="loss"):
    options = (
        "--space",
        files.space,
        "--data",
        data,
        "--target",
        target,
        "--recipe",
        "marginal",
        "--no-baselines",
        "--workers",
        1,
        "--out",
        out,
    )
    return nasbuild("fit", *options, *more)


def set_op(row, value):
    row["arch"]["stages"][1][0]["op"] = value


ROWS = {
    "unknown choice": (
        lambda row: set_op(row, "mb_e9_k9"),
        ["line 3", "op", "'mb_e9_k9'", "mb_e1_k3, mb_e3_k3"],
    ),
    "unknown feature": (
        lambda row: row["arch"]["stages"][0][0].update(kernel=3),
        ["line 3", "'kernel'", "op"],
    ),
    "missing feature": (lambda row: row["arch"]["stages"][0][0].clear(), ["line 3", "'op' is missing"]),
    "wrong depth": (
        lambda row: row["arch"]["stages"][0].extend([{"op": "mb_e1_k3"}] * 4),
        ["line 3", "layers", "1, 2"],
    ),
    "missing stage": (lambda row: row["arch"]["stages"].pop(), ["line 3", "2 stages"]),
    "missing architecture": (lambda row: row.pop("arch"), ["line 3", "'arch' is missing"]),
    "text in a number": (lambda row: row["metrics"].update(loss="high"), ["line 3", "loss", "'high'"]),
    "infinity": (lambda row: row["metrics"].update(loss=float("inf")), ["line 3", "loss", "not finite"]),
}


@pytest.mark.parametrize("mistake", ROWS)
def test_bad_rows(nasbuild, files, broken, tmp_path, mistake):
    change, words = ROWS[mistake]
    data = broken(change)
    before = snapshot(tmp_path)
    sentence = fit(nasbuild, files, data, tmp_path / "fit").sentence
    for word in words:
        assert word in sentence
    assert "--skip-bad" in sentence
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_files_are_read_up_to_max_bytes(nasbuild, files, tmp_path, monkeypatch, name):
    # The command line sets this variable for its workers; restore it after the test.
    monkeypatch.setenv("NASBUILD_MAX_BYTES", "1G")
    write_table(load_builtin("digits-macro").select(range(60)), tmp_path / name)
    check = ["check", "--space", files.space, "--data", tmp_path / name]
    assert nasbuild("--max-bytes", "2M", *check).code == 0
    sentence = nasbuild("--max-bytes", "4k", *check).sentence
    assert sentence.startswith(f"{tmp_path / name}: ")
    assert sentence.endswith("; raise the limit with nasbuild --max-bytes, such as 8G, if it is sound")


def test_skip_bad_continues_and_lists_skipped_rows(nasbuild, files, broken):
    data = broken(lambda row: set_op(row, "mb_e9_k9"))
    done = nasbuild("check", "--space", files.space, "--data", data, "--skip-bad")
    assert done.code == 0
    assert "59 architectures" in done.out
    assert "line 3" in done.out
    assert "mb_e9_k9" in done.out


TABLES = {
    "empty": ("", ["empty"]),
    "one row": (1, ["1 row of 1"]),
    "two rows": (2, ["2 rows of 2"]),
    "no JSON": ("{broken\n", ["line 1", "is not valid JSON"]),
}


@pytest.mark.parametrize("mistake", TABLES)
def test_bad_tables(nasbuild, files, tmp_path, mistake):
    content, words = TABLES[mistake]
    data = tmp_path / "table.jsonl"
    rows = files.data.read_text().splitlines(keepends=True)
    data.write_text(content if isinstance(content, str) else "".join(rows[:content]))
    sentence = fit(nasbuild, files, data, tmp_path / "fit").sentence
    for word in words:
        assert word in sentence
    assert list(tmp_path.iterdir()) == [data]


def test_all_labels_equal(nasbuild, files, tmp_path):
    rows = [json.loads(line) for line in files.data.read_text().splitlines()]
    for row in rows:
        row["metrics"]["loss"] = 0.5
    data = tmp_path / "table.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    assert "all 60 labels equal 0.5" in fit(nasbuild, files, data, tmp_path / "fit").sentence
    assert not (tmp_path / "fit").exists()


def test_missing_column(nasbuild, files, tmp_path):
    import polars as pl

    from nasbuild.space import load_space
    from nasbuild.table import read_table, to_frame

    frame = to_frame(read_table(files.data, load_space(files.space))).drop("stage2.depth")
    for name, write in (("t.csv", pl.DataFrame.write_csv), ("t.parquet", pl.DataFrame.write_parquet)):
        write(frame, tmp_path / name)
        sentence = fit(nasbuild, files, tmp_path / name, tmp_path / "fit").sentence
        assert "'stage2.depth' is missing" in sentence
        assert name in sentence


EQUATIONS = {
    "__import__('os').system('touch hacked')": "not allowed",
    "loss.__class__": "not allowed",
    "(lambda: loss)()": "not",
    "9**9**9**9**9 * loss": "no finite value",
    "accuracy": "there is no metric 'accuracy'",
    "loss +": "is not a valid equation",
    "1 + 1": "contains no metric",
    "[x for x in loss]": "not allowed",
    "open(loss)": "'open' is not a known function",
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_bad_targets(nasbuild, files, tmp_path, monkeypatch, equation):
    monkeypatch.chdir(tmp_path)
    sentence = fit(nasbuild, files, files.data, tmp_path / "fit", target=equation).sentence
    assert EQUATIONS[equation] in sentence
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_metric_lists_the_known_ones(nasbuild, files, tmp_path):
    sentence = fit(nasbuild, files, files.data, tmp_path / "fit", target="miou").sentence
    for metric in ("acc", "loss", "macs", "params", "latency_cpu"):
        assert metric in sentence


def test_an_output_that_exists_is_not_touched(nasbuild, files):
    before = snapshot(files.fit)
    sentence = fit(nasbuild, files, files.data, files.fit).sentence
    assert "already exists" in sentence
    assert "--overwrite" in sentence
    assert snapshot(files.fit) == before


def test_overwrite_replaces_a_fit_but_no_other_folder(nasbuild, files, tmp_path):
    copy, other = tmp_path / "copy", tmp_path / "other"
    shutil.copytree(files.fit, copy)
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    assert fit(nasbuild, files, files.data, copy, "--overwrite").code == 0
    assert [t["name"] for t in json.loads((copy / "fit.json").read_text())["targets"]] == ["loss"]
    assert "already exists" in fit(nasbuild, files, files.data, other, "--overwrite").sentence
    assert (other / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    "name", ["model.safetensors", "modules.parquet", "trust.json", "fit.json", "table.parquet"]
)
@pytest.mark.parametrize("damage", ["truncated", "foreign", "pickled", "gone"])
def test_damaged_fits(nasbuild, files, tmp_path, name, damage):
    fitted = tmp_path / "fit"
    shutil.copytree(files.fit, fitted)
    path = fitted / name
    data = path.read_bytes()
    marker = tmp_path / "hacked"
    if damage == "gone":
        path.unlink()
    elif damage == "pickled":
        path.write_bytes(pickle.dumps(Payload(str(marker))))
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"\x00 something else entirely")
    before = snapshot(tmp_path)
    sentence = nasbuild("build", fitted, "--out", tmp_path / "b.jsonl").sentence
    assert "fit" in sentence
    assert snapshot(tmp_path) == before
    assert not marker.exists()


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_fit_of_a_newer_version(nasbuild, files, tmp_path):
    fitted = tmp_path / "fit"
    shutil.copytree(files.fit, fitted)
    data = json.loads((fitted / "fit.json").read_text())
    data["schema_version"] = 99
    (fitted / "fit.json").write_text(json.dumps(data))
    sentence = nasbuild("explain", fitted).sentence
    assert "schema version 99" in sentence
    assert "newer nasbuild" in sentence


OPTIONS = {
    "no such space": (["check", "--space", "nothing"], ["'nothing'", "nas-bench-macro"]),
    "no such file": (["check", "--space", "nothing.yaml"], ["no such file", "nothing.yaml"]),
    "no such table": (["check", "--space", "digits-macro", "--data", "no.jsonl"], ["no such file", "no.jsonl"]),
    "unknown form": (["check", "--space", "digits-macro", "--data", "t.xls"], ["t.xls", ".jsonl, .jsonl.gz"]),
    "no fit": (["explain", "nowhere"], ["no fit folder", "nasbuild fit"]),
    "unknown recipe": (
        ["fit", "--space", "digits-macro", "--data", "digits-macro", "--target", "acc", "--out", "x", "--recipe", "best"],
        ["'best'", "default, paper, mse, ridge, lightgbm, marginal, ped-anova"],
    ),
    "unknown convolution": (
        ["fit", "--space", "digits-macro", "--data", "digits-macro", "--target", "acc", "--out", "x", "--recipe", "paper", "--convolution", "cnn"],
        ["'cnn'", "gatv2, graphconv, gcn, gin"],
    ),
    "epochs of no network": (
        ["fit", "--space", "digits-macro", "--data", "digits-macro", "--target", "acc", "--out", "x", "--epochs", 3],
        ["--epochs", "'default' fits no neural network", "--recipe paper"],
    ),
    "convolution of no network": (
        ["fit", "--space", "digits-macro", "--data", "digits-macro", "--target", "acc", "--out", "x", "--recipe", "ridge", "--convolution", "gcn"],
        ["--convolution", "'ridge' fits no neural network"],
    ),
    "no such benchmark": (["bench", "speed"], ["'speed'", "scores"]),
    "no such method": (["bench", "scores", "--method", "best"], ["--method", "'best'", "default, ridge, lightgbm"]),
    "no such folder": (["bench", "scores", "--data", "nowhere"], ["nowhere", "--data"]),
    "no tables in it": (["bench", "scores", "--quick", "--data", "."], ["nas-bench-macro", "--data"]),
    "stage to merge": (["check", "--space", "digits-macro", "--merge", "stage9"], ["'stage9'", "stage1 (0)"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", OPTIONS)
def test_bad_options(nasbuild, tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    arguments, words = OPTIONS[mistake]
    sentence = nasbuild(*arguments).sentence
    for word in words:
        assert word in sentence
    assert list(tmp_path.iterdir()) == []


def test_bad_options_of_commands_on_fits(nasbuild, files, tmp_path):
    out = tmp_path / "x.jsonl"
    assert "'miou'" in nasbuild("build", files.fit, "--target", "miou", "--out", out).sentence
    assert "stage1 (0)" in nasbuild("modules", files.fit, "--stage", "stage7", "--out", out).sentence
    assert ".csv" in nasbuild("modules", files.fit, "--out", tmp_path / "x.xlsx").sentence
    assert (
        "no fit has a target 'miou'"
        in nasbuild("shrink", files.fit, "--target", "miou", "--out", tmp_path / "s.yaml").sentence
    )
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place(nasbuild, files, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    for command, name in (("build", "x.jsonl"), ("report", "x.html"), ("shrink", "x.yaml")):
        sentence = nasbuild(command, files.fit, "--out", blocked / name).sentence
        assert "can't be written" in sentence
    assert "can't be written" in fit(nasbuild, files, files.data, blocked / "fit").sentence
    assert blocked.read_text() == "not a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(nasbuild, files, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    assert "ermission" in nasbuild("build", files.fit, "--out", closed / "b.jsonl").sentence
    assert "ermission" in fit(nasbuild, files, files.data, closed / "fit").sentence


def test_unknown_ids(nasbuild, files, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("nobody\n")
    sentence = fit(nasbuild, files, files.data, tmp_path / "fit", "--ids", ids).sentence
    assert "'nobody'" in sentence
    ids.write_text("\n")
    assert "no id" in fit(nasbuild, files, files.data, tmp_path / "fit", "--ids", ids).sentence


def test_usage_mistakes_exit_with_2():
    for arguments in (["fit"], ["build", "--wat"], ["nothing"]):
        done = as_process(*arguments)
        assert done.code == 2
        assert "Error" in done.err
        assert "Traceback" not in done.err


def test_a_process_has_no_traceback_either(tmp_path):
    # A command that needs no PyTorch, which takes long to import.
    done = as_process("check", "--space", tmp_path / "nowhere.yaml")
    assert "no such file" in done.sentence


def test_an_interrupted_fit_ends_at_once_and_leaves_nothing(files, tmp_path):
    """Sends SIGINT to the whole process group, as Ctrl-C in a terminal does."""
    command = [
        "fit",
        "--space",
        files.space,
        "--data",
        files.data,
        "--target",
        "loss",
        "--recipe",
        "paper",
        "--epochs",
        100_000,
    ]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "nasbuild",
            *map(str, command),
            "--workers",
            "2",
            "--out",
            str(tmp_path / "fit"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        # Python may take seconds to start on a busy machine. Without /proc, wait six seconds.
        for _ in range(60 if children.exists() else 12):
            time.sleep(0.5)
            if children.exists() and len(children.read_text().split()) > 1:
                break
        time.sleep(1)  # both workers are fitting or starting by now; both cases must end cleanly
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "stopped: nothing was written" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
