"""A missing package is named with the extra that installs it, without a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli_samples import Done

ABSENT = """
import importlib.abc, sys
PACKAGE = sys.argv.pop(1)

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == PACKAGE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from nasbuild.cli import main
main()
"""
CALLS = {
    "sqlalchemy": ("evaluate --space digits-macro --evaluator digits-macro --archs digits-macro --store s.db", "nasbuild"),
    "onnx": (
        "evaluate --space digits-macro --evaluator latency:digits,runtime=onnxruntime --archs ONE --store s.db",
        "nasbuild[onnx]",
    ),
    "lightgbm": ("fit --space digits-macro --data TABLE --target loss --recipe lightgbm --workers 1 --out run", "nasbuild[baselines]"),
}  # fmt: skip


@pytest.fixture
def without(nasbuild, monkeypatch, tmp_path):
    """Runs the command line without a package, in the folder of the test."""

    def call(package: str, *arguments: object) -> Done:
        if package == "lightgbm":  # imported by functions only, so a process of its own would prove no more
            monkeypatch.chdir(tmp_path)
            monkeypatch.setitem(sys.modules, package, None)
            return nasbuild(*arguments)
        done = subprocess.run(
            [sys.executable, "-c", ABSENT, package, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=tmp_path,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.mark.parametrize("package", CALLS)
def test_a_missing_package_is_named(package, without, files, tmp_path):
    call, brings = CALLS[package]
    (tmp_path / "one.jsonl").write_text(files.data.read_text().splitlines()[0])
    known = {"TABLE": str(files.data), "ONE": "one.jsonl"}
    arguments = [known.get(word, word) for word in call.split()]
    done = without(package, *arguments)
    assert done.code == 2
    assert "Traceback" not in done.err
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert f"{package}, which is not installed; pip install '{brings}'" in last


def test_a_missing_baseline_is_skipped_with_a_note(without, files, tmp_path):
    ask = ("fit", "--space", files.space, "--data", files.data, "--target", "loss", "--recipe", "marginal")
    done = without("lightgbm", *ask, "--workers", 1, "--out", tmp_path / "fit")
    assert done.code == 0, done.err
    assert "note: lightgbm is not installed, so it was not measured as a baseline" in done.out
    assert "ridge" in done.out
    assert (tmp_path / "fit" / "fit.json").exists()
