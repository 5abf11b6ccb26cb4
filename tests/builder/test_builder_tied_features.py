"""Building with tied features against all architectures that keep the ties."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise, product

import moocore
import numpy as np
import pytest
from builder_samples import QUICK
from deep_samples import integer_program

from nasbuild.builder import (
    Bound,
    build,
    build_front,
    build_predicted,
    build_shortlisted,
    build_within,
    fits_per_tie,
    propose,
    propose_within,
)
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import enumerate_architectures, sample, space_from_dict, to_dict
from nasbuild.table import table_from_evaluations

FEW = recipe("default", samples=4, folds=2, iterations=40)


def tied_space(blocks: int, **more):
    stages = [
        {"name": f"b{u}.{n}", "depth": 1, "features": {"bits": [2, 4, 8], "way": ["x", "y"]}}
        for u in range(blocks)
        for n in "qk"
    ]
    metrics = {"acc": {"direction": "maximize"}, "size": {"direction": "minimize"}}
    tied = [[f"b{u}.{n}.bits" for n in "qk"] for u in range(blocks)]
    return space_from_dict({"name": "s", "metrics": metrics, "stages": stages, "tied": tied} | more)


def run_of(space, rows=50, how=QUICK["ridge"], max_modules=200_000):
    rng = np.random.default_rng(0)
    some = sample(space, rows, rng)

    def told(a):
        # What q likes k does not, so that the best without ties would break one.
        layers = [layer for m in a.modules for layer in m]
        acc = sum((1 if n % 2 else -1.2) * b + (w == "x") for n, (b, w) in enumerate(layers))
        acc += sum(0.3 * (a[1] == b[1]) * b[0] for a, b in pairwise(layers))
        return {"acc": acc + 0.1 * rng.random(), "size": float(sum(b for b, _ in layers))}

    table = table_from_evaluations(space, {a: told(a) for a in some})
    return fit(table, ["acc", "size"], recipe=how, baselines=False, max_modules=max_modules)


@pytest.fixture(scope="module")
def fitted():
    return run_of(tied_space(2))


@pytest.fixture(scope="module")
def default():
    return run_of(tied_space(2), how=FEW)


@pytest.fixture(scope="module")
def deep():
    """Ties of stages too deep to list."""
    stages = [
        {
            "name": n,
            "depth": 9,
            "features": {"bits": [2, 4, 8], "way": ["x", "y", "z"]},
            "shared": ["bits"],
        }
        for n in "qk"
    ]
    space = tied_space(1, stages=stages, tied=[["q.bits", "k.bits"]])
    return run_of(space, 120, max_modules=100)


def test_the_best_matches_brute_force_over_tied_architectures(fitted):
    assert fits_per_tie(fitted) == [fitted]
    kept = list(enumerate_architectures(fitted.space))
    assert len(kept) == 9 * 16
    best = np.sort(fitted.of("acc").scorer.shares(kept).sum(axis=1))[::-1]
    for built in (build(fitted.of("acc"), 10), build_within(fitted, "acc", 10, []).built):
        assert [b.score for b in built] == pytest.approx(best[:10])
        assert all(fitted.space.ties_hold(b.architecture) for b in built)
    assert build_within(fitted, "acc", 10, []).n_proven == 10


@pytest.mark.parametrize("most", [8, 14, 24, 32])
def test_bounds_on_sums_that_only_tied_rows_determine_are_exact(fitted, default, most):
    # No row tells what q alone adds to the size: only both together.
    for target_fit in (fitted, default):
        kept = [a for a in enumerate_architectures(fitted.space) if sum(m[0][0] for m in a.modules) <= most]
        scores = target_fit.of("acc").scorer.shares(kept).sum(axis=1)
        built = build_within(target_fit, "acc", 3, [Bound("size", 1, most)])
        assert [b.score for b in built.built] == pytest.approx(np.sort(scores)[::-1][:3])
        assert built.n_proven == 3
        by = build_predicted(target_fit, "acc", 3, [Bound("size", 1, most)]).built
        y = target_fit.of("acc").scorer.predict(kept)[0]
        assert by[0].prediction == pytest.approx(y.max(), abs=1e-6 * np.ptp(y) + 1e-9)
        assert all(sum(m[0][0] for m in b.architecture.modules) <= most for b in by)


def test_a_front_keeps_the_ties_and_reaches_all_predicted_hypervolume(default):
    kept = list(enumerate_architectures(default.space))
    value = np.column_stack([one.scorer.predict(kept)[0] for one in default.targets])
    signs = np.array([1.0, -1.0])
    front = build_front(default, 100)
    assert all(default.space.ties_hold(a) for a in front.architectures)
    low = (value * signs).min(axis=0)
    volumes = [moocore.hypervolume(own * signs, ref=low, maximise=True) for own in (value, front.prediction)]
    assert volumes[1] >= 0.99 * volumes[0]


@pytest.mark.parametrize("layered", [False, True])
def test_ties_of_many_stages_match_an_integer_program(layered):
    blocks, bits, kinds = 9, (2, 3, 4, 8), "qkv"
    feature = {"bits": list(bits)}
    if layered:
        # q, k and v as layers of one stage.
        stages = [{"name": f"b{u}", "depth": 3, "features": feature} for u in range(blocks)]
        tied = [[f"b{u}.{n}.bits" for n in range(3)] for u in range(blocks)]
    else:
        stages = [
            {"name": f"b{u}.{n}", "depth": 1, "features": feature} for u in range(blocks) for n in kinds
        ]
        tied = [[f"b{u}.{n}.bits" for n in kinds] for u in range(blocks)]
    metrics = {"loss": {"direction": "minimize"}, "bytes": {"direction": "minimize"}}
    space = space_from_dict({"name": "s", "metrics": metrics, "stages": stages, "tied": tied})
    rng = np.random.default_rng(1)
    loss = np.sort(rng.exponential(size=(blocks, len(bits))), axis=1)[:, ::-1] * rng.exponential(
        size=(blocks, 1)
    )
    size = rng.integers(1, 9, blocks)[:, None] * np.array(bits, dtype=float)

    def codes(a):
        return [bits.index(layer[0]) for module in a.modules for layer in module][::3]

    def told(a):
        at = codes(a)
        return {"loss": sum(loss[range(blocks), at]), "bytes": float(sum(size[range(blocks), at]))}

    table = table_from_evaluations(space, {a: told(a) for a in sample(space, 90, rng)})
    target_fit = fit(table, ["loss"], recipe=FEW, baselines=False)
    for share in (0.2, 0.5, 0.8):
        most = float(np.round((1 - share) * size[:, 0].sum() + share * size[:, -1].sum()))
        best = -integer_program(-loss, [size], [most])
        for way in (build_within, build_shortlisted):
            built = way(target_fit, "loss", 1, [Bound("bytes", 1, most)]).built[0].architecture
            assert space.ties_hold(built)
            assert told(built)["bytes"] <= most
            assert told(built)["loss"] <= best + 0.005 * np.ptp(loss, axis=1).sum()


def test_proposals_keep_the_ties(fitted):
    for found in (propose(fitted.of("acc"), 8), propose_within(fitted, "acc", 8, [Bound("size", 1, 20)])):
        assert len(found) == 8
        assert all(fitted.space.ties_hold(one.architecture) for one in found)


def test_large_stages_are_built_once_per_choice_of_ties(deep):
    parts = fits_per_tie(deep)
    assert len(parts) == 3
    built = [build_within(part, "acc", 1, []).built[0] for part in parts]
    assert all(deep.space.ties_hold(one.architecture) for one in built)
    # Each choice is held, and the best of it is no worse than any sampled one.
    some = sample(deep.space, 400, np.random.default_rng(3))
    score = deep.of("acc").scorer.shares(some).sum(axis=1)
    assert max(one.score for one in built) >= score.max()


def test_too_many_choices_of_ties_are_refused():
    stages = [
        {
            "name": n + str(i),
            "depth": 9,
            "features": {"bits": [2, 4, 8], "way": ["x", "y", "z"]},
            "shared": ["bits"],
        }
        for i in range(4)
        for n in "qk"
    ]
    space = tied_space(1, stages=stages, tied=[[f"q{i}.bits", f"k{i}.bits"] for i in range(4)])
    with pytest.raises(NasbuildError, match=r"leave 81 combinations of choices; allowed: at most 64.*--fix"):
        fits_per_tie(run_of(space, 40, max_modules=100))


def test_the_command_builds_with_ties(fitted, tmp_path, monkeypatch, capsys):
    import sys

    from nasbuild.cli import main
    from nasbuild.score import save_fit

    save_fit(fitted, tmp_path / "run")
    for more in (
        ["--by", "score"],
        [],
        ["--where", "layers <= 4"],
        ["--where", "size <= 20", "--by", "prediction"],
        ["--fix", "b0.q.*.bits in 2, 4"],
        ["--k", "6", "--by", "score"],
        ["--k", "3", "--by", "prediction"],
        ["--by", "exhaustive"],
    ):
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
    assert to_dict(fitted.space, fitted.table.architectures[0])
    assert "none of the architectures tried" not in capsys.readouterr().out


def test_modules_that_cannot_keep_the_ties_are_refused(fitted):
    target_fit = fitted.of("acc")
    # The best q is the worst k.
    first = target_fit.stages[0]
    turned = (replace(first, layers=first.layers[::-1], score=-first.score[::-1]), *target_fit.stages[1:])
    with pytest.raises(NasbuildError, match=r"keeps the ties; .*--k"):
        build(replace(target_fit, stages=turned), 3, k=1)


def test_every_combination_of_the_ties_is_an_option(fitted):
    from nasbuild.builder._tied_stages import units_of

    codes = [
        [s.encode(m) for m in product([(b, w) for b in (2, 4, 8) for w in "xy"])] for s in fitted.space.stages
    ]
    units = units_of(fitted.space, codes)
    assert [one.stages for one in units] == [(0, 1), (2, 3)]
    assert all(len(one.picks) == 12 for one in units)
