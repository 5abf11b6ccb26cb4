"""``--fix`` in ``search`` and ``optimize``: all evaluated architectures keep the fixed parts."""

from __future__ import annotations

import json

FIX = ["--fix", "stage1.depth = 2", "--fix", "stage3.depth = 1"]


def depths(path):
    rows = [json.loads(line)["arch"]["stages"] for line in path.read_text().splitlines()]
    return len(rows), {(len(stages[0]), len(stages[2])) for stages in rows}


def test_a_search_keeps_fixed_parts(nasbuild, files, tmp_path):
    found = tmp_path / "found"
    ask = ["search", "--space", files.space, "--evaluator", "digits-macro", "--target", "acc", "--out", found]
    done = nasbuild(*ask, "--budget", 20, "--population", 10, *FIX)
    assert done.code == 0, done.err
    assert depths(found / "archs.jsonl") == (20, {(2, 1)})


def test_a_loop_keeps_fixed_parts(nasbuild, files, tmp_path):
    found = tmp_path / "found"
    ask = [
        "optimize",
        "--space",
        files.space,
        "--evaluator",
        "digits-macro",
        "--target",
        "acc",
        "--out",
        found,
    ]
    small = ["--store", tmp_path / "s.db", "--first", 20, "--batch", 4, "--rounds", 1, "--recipe", "ridge"]
    done = nasbuild(*ask, *small, *FIX)
    assert done.code == 0, done.err
    assert depths(found / "archs.jsonl") == (24, {(2, 1)})
