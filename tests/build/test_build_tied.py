"""Building in a space with ties: the best of all that keep them, and nothing that breaks one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from build_samples import QUICK

from nasbuild.build import build, build_within, tied_runs
from nasbuild.errors import NasbuildError
from nasbuild.score import learn
from nasbuild.space import enumerate_architectures, sample, space_from_dict, to_dict
from nasbuild.table import evaluated_table


def tied_space(blocks: int):
    stages = [
        {"name": f"b{u}.{n}", "depth": 1, "features": {"bits": [2, 4, 8], "way": ["x", "y"]}}
        for u in range(blocks)
        for n in "qk"
    ]
    metrics = {"acc": {"direction": "maximize"}, "size": {"direction": "minimize"}}
    tied = [[f"b{u}.{n}.bits" for n in "qk"] for u in range(blocks)]
    return space_from_dict({"name": "s", "metrics": metrics, "stages": stages, "tied": tied})


def run_of(space, rows=50):
    rng = np.random.default_rng(0)
    some = sample(space, rows, rng)

    def told(a):
        # What q likes k does not, so that the best without ties would break one.
        layers = [m[0] for m in a.modules]
        acc = sum((1 if n % 2 else -1.2) * b + (w == "x") for n, (b, w) in enumerate(layers))
        return {"acc": acc + 0.1 * rng.random(), "size": float(sum(b for b, _ in layers))}

    return learn(
        evaluated_table(space, {a: told(a) for a in some}),
        ["acc", "size"],
        recipe=QUICK["ridge"],
        rivals=False,
    )


@pytest.fixture(scope="module")
def run():
    return run_of(tied_space(2))


def test_the_best_of_all_choices_of_ties_is_the_best_that_keeps_them(run):
    parts = tied_runs(run)
    assert len(parts) == 9
    kept = list(enumerate_architectures(run.space))
    assert len(kept) == 9 * 16
    best = np.sort(run.of("acc").scorer.shares(kept).sum(axis=1))[::-1]
    built = sorted((b for part in parts for b in build(part.of("acc"), 10)), key=lambda b: -b.score)[:10]
    assert [b.score for b in built] == pytest.approx(best[:10])
    assert all(run.space.ties_hold(b.architecture) for b in built)


def test_what_breaks_a_tie_is_never_given(run):
    for way in (lambda: build(run.of("acc"), 200), lambda: build_within(run, "acc", 200, [])):
        with pytest.raises(NasbuildError, match="ties features across stages"):
            way()


def test_too_many_choices_are_refused_with_what_to_do():
    with pytest.raises(NasbuildError, match=r"leave 81 combinations of choices; allowed: at most 64.*--fix"):
        tied_runs(run_of(tied_space(4), 80))


def test_the_command_builds_for_every_choice(run, tmp_path, monkeypatch, capsys):
    import sys

    from nasbuild.cli import main
    from nasbuild.score import save_run

    save_run(run, tmp_path / "run")
    for more in (["--by", "score"], [], ["--where", "layers <= 4"], ["--fix", "b0.q.*.bits in 2, 4"]):
        out = tmp_path / "built.jsonl"
        ask = ["nasbuild", "build", tmp_path / "run", "--target", "acc", "--top", 5, "--out", out, *more]
        monkeypatch.setattr(sys, "argv", list(map(str, ask)))
        main.__globals__["app"](standalone_mode=False)
        rows = [json.loads(line)["arch"]["stages"] for line in out.read_text().splitlines()]
        assert len(rows) == 5
        for (q,), (k,), (q1,), (k1,) in rows:
            assert q["bits"] == k["bits"]
            assert q1["bits"] == k1["bits"]
            assert "--fix" not in more or q["bits"] in (2, 4)
    assert "choices of ties" in capsys.readouterr().out
    assert to_dict(run.space, run.table.architectures[0])
