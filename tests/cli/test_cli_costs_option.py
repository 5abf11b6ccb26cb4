"""Declared costs on the command line: ``--costs``, and their check against the table."""

from __future__ import annotations

import json

from nasbuild.score import load_fit

SPACE = """
name: small
metrics: {acc: {direction: maximize}, size: {direction: minimize}}
stages:
  - {name: one, depth: [1, 2], features: {kernel: [3, 5]}}
  - {name: two, depth: [2], features: {kernel: [3, 5, 7]}}
costs:
  size: {constant: 1, sum: [{product: 0.5 * kernel^2}]}
"""
ROWS = [([3], [5, 7]), ([5, 5], [3, 3]), ([3, 5], [7, 7]), ([5], [7, 3]), ([3, 3], [3, 5]), ([5], [5, 5])]


def write(folder, wrong=0.0):
    rows = []
    for n, stages in enumerate(ROWS):
        size = 1 + 0.5 * sum(k * k for own in stages for k in own) + (wrong if n > 3 else 0)
        arch = {"stages": [[{"kernel": k} for k in own] for own in stages]}
        rows.append({"id": f"r{n}", "arch": arch, "metrics": {"acc": float(n), "size": size}})
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "s.yaml").write_text(SPACE)
    (folder / "costs.csv").write_text(
        "stage,layer,feature,choice,cost,value\n,,kernel,3,ms,1\n,,kernel,*,ms,2.5\n"
    )
    return folder / "s.yaml", folder / "t.jsonl"


def test_check_compares_declared_costs_with_the_table(nasbuild, tmp_path):
    space, data = write(tmp_path)
    done = nasbuild("check", "--space", space, "--data", data)
    assert done.code == 0, done.err
    assert "size: equals the table in all 6 rows" in done.out
    write(tmp_path, wrong=-4.5)
    done = nasbuild("check", "--space", space, "--data", data, "--costs", tmp_path / "costs.csv")
    text = " ".join(done.out.split())
    assert "size: differs from the table in 2 of 6 rows, by at most 4.5; the first is r4: declared 27" in text
    assert "ms: no column in a table to compare with" in text
    found = nasbuild("check", "--space", space, "--data", data, "--json").json["costs"]
    assert found[0]["differ"] == 2
    assert found[0]["first"] == {"id": "r4", "declared": 27.0, "table": 22.5}


def test_fit_keeps_the_costs_of_a_file(nasbuild, tmp_path):
    space, data = write(tmp_path)
    out = tmp_path / "fit"
    options = ["--target", "acc", "--recipe", "ridge", "--no-baselines", "--costs", tmp_path / "costs.csv"]
    done = nasbuild("fit", "--space", space, "--data", data, *options, "--out", out)
    assert done.code == 0, done.err
    fitted = load_fit(out)
    assert list(fitted.space.costs) == ["size", "ms"]
    assert fitted.space.costs["ms"].values(fitted.space, fitted.table.architectures)[0] == 1 + 2.5 + 2.5
    refused = nasbuild("check", "--space", space, "--costs", tmp_path / "none.csv")
    assert "none.csv" in refused.sentence


def test_fit_says_where_a_declared_cost_contradicts_the_table(nasbuild, tmp_path):
    options = [
        "--target",
        "acc",
        "--recipe",
        "ridge",
        "--no-baselines",
        "--overwrite",
        "--out",
        tmp_path / "fit",
    ]
    for wrong, said in ((0.0, False), (-4.5, True)):
        space, data = write(tmp_path, wrong)
        done = nasbuild("fit", "--space", space, "--data", data, *options)
        assert done.code == 0, done.err
        assert ("size: differs from the table in 2 of 6 rows" in " ".join(done.out.split())) == said
