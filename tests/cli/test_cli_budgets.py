"""``optimize`` with several budgets around a reference, and joint rows that ``build --propose`` spreads over bounds."""

from __future__ import annotations

import pytest

from nasbuild.space import load_space
from nasbuild.table import read_table

SPACE = """
name: blocks
metrics: {loss: {direction: minimize, unit: nats}}
reference: {mlp: keep}
costs: {params: {sum: [{feature: mlp, values: {keep: 2, half: 1, drop: 0}}]}}
stages:
""" + "".join(f"- {{name: b{n}, depth: 1, features: {{mlp: [keep, half, drop]}}}}\n" for n in range(6))
EVALUATOR = """
import math
SIZE = {"keep": 0.0, "half": 0.4, "drop": 1.0}

def loss(arch):
    total = sum(SIZE[stage[0]["mlp"]] * (1 + n) for n, stage in enumerate(arch["stages"]))
    return {"loss": 2 + math.log1p(total**2 / 50)}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "mine.py").write_text(EVALUATOR)
    return tmp_path


def optimize(place):
    return [
        "optimize",
        *("--space", place / "space.yaml"),
        *("--evaluator", f"{place / 'mine.py'}:loss"),
        *("--target", "loss"),
    ]


def test_the_best_for_each_budget_is_printed_written_and_drawn(nasbuild, place):
    call = optimize(place)
    call += ["--where", "params <= 0.5 | 6 | 9", "--budget", 24, "--batch", 11]
    call += ["--store", place / "s.db", "--out", place / "out"]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "loss with params <= 0.5 | 6 | 9 in blocks (729 architectures), by 24 evaluations" in done.out
    assert "round 0: the reference and all 12 single changes of it" in done.out
    assert "the best measured of 24 evaluated within each budget" in done.out
    assert "params <= 9" in done.out
    assert "single changes" in done.out
    result = nasbuild(*call, "--json").json
    assert result["singles"] == {"measured": 12, "all": 12}
    tight, *others = result["budgets"]
    assert [one["where"] for one in result["budgets"]] == ["params <= 0.5", "params <= 6", "params <= 9"]
    assert [one["best"]["bounded_values"]["params"] for one in others] == [6, 9]
    # Three parts of six units: the last ones matter most.
    table = read_table(place / "out" / "archs.jsonl", load_space(place / "space.yaml"))
    sizes = dict(
        zip(
            table.ids,
            load_space(place / "space.yaml").costs["params"].values(table.space, table.architectures),
            strict=True,
        )
    )
    for one in others:
        inside = [
            v
            for i, v in zip(table.ids, table.columns["loss"], strict=True)
            if sizes[i] <= one["best"]["bounded_values"]["params"]
        ]
        assert one["best"]["values"]["loss"] == min(inside)
        assert abs(one["best"]["predicted"]["loss"] - min(inside)) < 0.5
    page = (place / "out" / "report.html").read_text()
    assert "has the reference and its single changes" in page
    assert "The best that the loop has measured within each budget" in page
    if tight["best"] is None:
        assert "none measured" in done.out
        assert "nothing measured is within params &lt;= 0.5" in page


def test_a_small_budget_measures_a_part_of_the_single_changes(nasbuild, place):
    call = optimize(place)
    done = nasbuild(*call, "--budget", 14, "--store", place / "s.db", "--out", place / "out")
    assert (
        "round 0: the reference and 7 of 12 single changes of it, spread over stages, features and choices"
        in done.out
    )


def test_proposals_after_single_changes_are_joint_rows_near_the_bounds(nasbuild, place):
    space = place / "space.yaml"
    rows = ["id," + ",".join(f"b{n}.0.mlp" for n in range(6)) + ",loss", "r," + "keep," * 6 + "2.0"]
    for n in range(6):
        for choice, loss in (("half", 2.1), ("drop", 2.4)):
            rows.append(
                f"{choice}{n},"
                + "".join(f"{choice if m == n else 'keep'}," for m in range(6))
                + str(loss + n / 10)
            )
    (place / "runs.csv").write_text("\n".join(rows))
    fitted = nasbuild(
        "fit", "--space", space, "--data", place / "runs.csv", "--target", "loss", "--out", place / "fit"
    )
    assert fitted.code == 0, fitted.err
    explained = nasbuild("explain", place / "fit")
    assert "Measure 20 joint rows, which change several parts at once" in explained.out
    assert "--propose 5 --where 'params <= 10.5 | 9 | 7.5 | 6' --out joint.csv" in explained.out
    out = place / "joint.csv"
    done = nasbuild("build", place / "fit", "--propose", 3, "--where", "params <= 9 | 6", "--out", out)
    assert done.code == 0, done.err
    assert "they change several parts at once, to show whether effects add up" in done.out
    lines = [line.split(",") for line in out.read_text().splitlines()]
    names = [i for i, name in enumerate(lines[0]) if name.endswith("mlp")]
    choices = [[line[i] for i in names] for line in lines[1:]]
    cost = [sum({"keep": 2, "half": 1, "drop": 0}[c] for c in row) for row in choices]
    assert all(6 < c <= 9 for c in cost[:3])
    assert all(c <= 6 for c in cost[3:])
    assert len({tuple(row) for row in choices}) == 6
