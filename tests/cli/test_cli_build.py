"""``build`` with bounds, fronts and proposals, and ``equations``."""

from __future__ import annotations

import json
import re

import pytest

from nasbuild.cli._output import _folded
from nasbuild.score import load_fit
from nasbuild.table import load_builtin, write_table


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_build_within_bounds_gives_expected_values(nasbuild, files, tmp_path):
    out = tmp_path / "built.jsonl"
    bounds = ["--where", "acc / log10(macs) >= 0.1", "--where", "layers <= 5"]
    done = nasbuild("build", files.fit, "--target", "loss", "--top", 4, *bounds, "--out", out)
    assert done.code == 0, done.err
    assert "best by summed module score for loss with acc / log10(macs) >= 0.1 and layers <= 5" in done.out
    rows = lines(out)
    assert len(rows) == 4
    for row in rows:
        assert row["expected"]["layers"]["prediction"] == sum(map(len, row["arch"]["stages"])) <= 5
        assert row["expected"]["acc / log10(macs)"]["std"] > 0
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores)


def test_a_sweep_builds_for_each_value_and_reports_infeasible_ones(nasbuild, files, tmp_path):
    out, alone = tmp_path / "built.jsonl", tmp_path / "alone.jsonl"
    ask = ["build", files.fit, "--target", "loss", "--top", 3]
    done = nasbuild(*ask, "--where", "layers <= 5 | 1 | 6", "--out", out)
    assert done.code == 0, done.err
    rows = lines(out)
    assert [row["where"] for row in rows] == ["layers <= 5"] * 3 + ["layers <= 6"] * 3
    assert done.out.count("best by summed module score for loss with layers <= ") == 2
    assert "layers <= 1: nothing is within all bounds" in " ".join(done.out.split())
    assert nasbuild(*ask, "--where", "layers <= 6", "--out", alone).code == 0
    assert lines(alone) == rows[3:]
    result = nasbuild(*ask, "--where", "layers <= 5 | 1", "--out", out, "--json").json
    assert [row["where"] for row in result["architectures"]] == ["layers <= 5"] * 3
    assert len(result["infeasible"]) == 1
    refused = nasbuild(*ask, "--where", "layers <= 0 | 1", "--out", out)
    assert "no architecture meets any of the 2 values" in refused.sentence


@pytest.mark.parametrize(
    ("bound", "allowed"), [("4 <= layers <= 5", {4, 5}), ("layers = 5", {5}), ("layers < 4", {3, 4})]
)
def test_two_sided_bounds_and_equalities_hold(nasbuild, files, tmp_path, bound, allowed):
    out = tmp_path / "built.jsonl"
    done = nasbuild("build", files.fit, "--target", "loss", "--top", 2000, "--where", bound, "--out", out)
    assert done.code == 0, done.err
    rows = lines(out)
    assert {sum(map(len, row["arch"]["stages"])) for row in rows} == allowed & {3, 4, 5}
    assert len(rows) > 20


@pytest.mark.parametrize(
    ("name", "by"),
    [("params", "score"), ("layers", "score"), ("acc / log10(macs)", "score"), ("loss", "prediction")],
)
def test_extreme_bounds_change_nothing_or_are_refused_with_a_feasible_one(
    nasbuild, files, tmp_path, name, by
):
    out, plain = tmp_path / "built.jsonl", tmp_path / "plain.jsonl"
    ask = ["build", files.fit, "--target", "loss", "--top", 3, "--by", by]
    assert nasbuild(*ask, "--out", plain).code == 0
    best = [row["arch"] for row in lines(plain)]
    for bound in (f"{name} <= 1e30", f"{name} >= -1e30", f"-1e299 <= {name} <= 1e299"):
        done = nasbuild(*ask, "--where", bound, "--out", out)
        assert done.code == 0, done.err
        assert [row["arch"] for row in lines(out)] == best
        out.unlink()
    for bound in (f"{name} <= -5", f"{name} >= 1e30"):
        sentence = nasbuild(*ask, "--where", bound, "--out", out).sentence
        assert not out.exists()
        near = re.fullmatch(
            r"--where: (?:nothing|no architecture) .* within all bounds; loosen .*: (?:the nearest needs )?(.+)",
            sentence,
        )
        assert near
        # The suggested bound is feasible.
        done = nasbuild(*ask, "--where", near[1], "--out", out)
        assert done.code == 0, done.err
        assert lines(out)
        out.unlink()


def test_fixed_parts_are_in_all_built_architectures(nasbuild, files, tmp_path):
    out = tmp_path / "built.jsonl"
    op = load_fit(files.fit).space.stages[1].features[0].choices[2]
    fix = ["--fix", "stage1.depth = 2", "--fix", f"stage2.*.op = {op}"]
    for way in (
        ["--top", 20],
        ["--front", 5],
        ["--propose", 4],
        ["--where", "layers <= 5", "--by", "prediction"],
    ):
        target = [] if "--front" in way else ["--target", "loss"]
        done = nasbuild("build", files.fit, *target, *fix, *way, "--out", out)
        assert done.code == 0, done.err
        for row in lines(out):
            assert len(row["arch"]["stages"][0]) == 2
            assert {layer["op"] for layer in row["arch"]["stages"][1]} == {op}
    refused = nasbuild("build", files.fit, "--fix", "stage1.depth = 7", "--out", out)
    assert (
        "--fix 'stage1.depth = 7': 7 is not a number of layers of stage1; allowed: 1, 2" in refused.sentence
    )


def test_build_by_prediction_ranks_architectures_within_the_bounds(nasbuild, files, tmp_path):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    bound = ["--target", "loss", "--where", "layers <= 5"]
    assert nasbuild("build", files.fit, *bound, "--top", 2000, "--out", one).code == 0
    done = nasbuild("build", files.fit, *bound, "--top", 5, "--by", "prediction", "--out", other)
    assert "best by prediction y' for loss with layers <= 5" in done.out
    # y' has interactions of more than two stages, so a search over pairs is not proven optimal.
    assert "note: found by local search" in done.out
    best = sorted(row["prediction"] for row in lines(one))[:5]
    assert [row["prediction"] for row in lines(other)] == pytest.approx(best)


def test_build_reports_bounds_that_predictions_violate(nasbuild, files, tmp_path):
    out, name = tmp_path / "built.jsonl", "acc / log10(macs)"
    rows = load_fit(files.fit).of(name).labels.values
    bound = f"{name} >= {float(sorted(rows)[len(rows) // 2])}"
    ask = ["build", files.fit, "--target", "loss", "--where", bound, "--out", out]
    done = nasbuild(*ask, "--top", 300, "--by", "score")
    beyond = sum(row["expected"][name]["prediction"] < float(bound.split()[-1]) for row in lines(out))
    assert 0 < beyond < 300
    assert f"{beyond} of 300 violate a bound by prediction y'" in " ".join(done.out.split())
    done = nasbuild(*ask, "--top", 300, "--by", "prediction")
    assert "violate a bound" not in done.out
    least = min(row["expected"][name]["prediction"] for row in lines(out))
    assert least >= float(bound.split()[-1]) * (1 - 1e-6)


def test_build_exhaustive_predicts_the_whole_space(nasbuild, files, tmp_path):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    done = nasbuild("build", files.fit, "--target", "loss", "--by", "exhaustive", "--top", 5, "--out", one)
    assert done.code == 0, done.err
    assert "best by prediction y' of all 1,728 architectures for loss" in done.out
    assert nasbuild("build", files.fit, "--target", "loss", "--top", 1728, "--out", other).code == 0
    best = sorted(row["prediction"] for row in lines(other))[:5]
    assert [row["prediction"] for row in lines(one)] == pytest.approx(best)


def test_build_apart(nasbuild, files, tmp_path):
    out = tmp_path / "built.jsonl"
    assert nasbuild("build", files.fit, "--target", "loss", "--apart", 3, "--top", 3, "--out", out).code == 0
    stages = [row["arch"]["stages"] for row in lines(out)]
    assert all(a[u] != b[u] for i, a in enumerate(stages) for b in stages[:i] for u in range(3))


def test_propose_gives_unlabelled_architectures_and_explain_lists_the_first(nasbuild, tmp_path):
    # With so few labels the best modules are tied.
    fitted, out = tmp_path / "fit", tmp_path / "next.jsonl"
    write_table(load_builtin("digits-macro").select(range(0, 1728, 48)), tmp_path / "few.csv")
    fit = nasbuild(
        "fit",
        "--space",
        "digits-macro",
        "--data",
        tmp_path / "few.csv",
        *("--target", "loss"),
        *("--target", "acc"),
        *("--no-baselines", "--out", fitted),
    )
    assert fit.code == 0, fit.err
    done = nasbuild("build", fitted, "--target", "loss", "--propose", 7, "--out", out)
    assert done.code == 0, done.err
    assert "to evaluate next for loss" in done.out
    rows, known = lines(out), load_fit(fitted).table.ids
    assert len({row["id"] for row in rows}) == 7
    assert not {row["id"] for row in rows} & set(known)
    assert all(row["metrics"] == {} for row in rows)
    steps = nasbuild("explain", fitted, "--json").json["targets"][0]["next"]
    step = next(s for s in steps if s["kind"] == "propose")
    assert step["details"] == [row["id"] for row in rows[:5]]
    assert step["command"] == f"nasbuild build {fitted} --propose 5 --target loss --out next.jsonl"
    assert f"  {rows[0]['id']}\n" in nasbuild("explain", fitted).out


def test_a_front_of_two_targets(nasbuild, files, tmp_path):
    out = tmp_path / "front.jsonl"
    done = nasbuild("build", files.fit, "--front", 6, "--where", "layers <= 5", "--out", out)
    assert done.code == 0, done.err
    assert "front of loss and acc / log10(macs) with layers <= 5" in done.out
    # Its words are explained below.
    assert "\nhypervolume: Share of the box" in done.out
    rows = lines(out)
    assert 2 <= len(rows) <= 6
    points = [(-row["prediction"], row["expected"]["acc / log10(macs)"]["prediction"]) for row in rows]
    assert points == sorted(points, reverse=True)
    assert [p[1] for p in points] == sorted(p[1] for p in points)
    other = nasbuild("build", files.network_fit, "--front", 6, "--out", out)
    assert "a front needs at least two targets" in other.sentence


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--where", "loss"],
            "'loss' is not a bound; allowed: NAME <= NUMBER, NAME >= NUMBER, NAME = NUMBER, NUMBER <= NAME <= NUMBER",
        ),
        (["--where", "flops <= 3"], "'flops' is neither a target of this fit nor a metric of its table"),
        (
            ["--by", "luck"],
            "--by: 'luck' is not a build criterion; allowed: shortlist, score, prediction, exhaustive",
        ),
        (["--by", "exhaustive", "--k", "2"], "--by exhaustive and --k exclude each other"),
        (["--by", "prediction", "--propose", "3"], "--by and --propose exclude each other"),
        (["--where", "acc_std <= 3"], "not an exact sum over the layers"),
        (["--where", "layers <= 1"], "loosen one of them: layers <= 3"),
        (["--where", "layers <= 3", "--k", "2"], "--k and --where exclude each other"),
        (["--propose", "3", "--k", "2"], "--k and --propose exclude each other"),
        (["--front", "3", "--top", "2"], "--front and --top exclude each other"),
        (["--target", "acc / log10(macs)"], "2 targets are given"),
        (["--propose", "3", "--apart", "2"], "--apart and --propose exclude each other"),
    ],
)
def test_a_mistake_gives_one_sentence(nasbuild, files, tmp_path, options, words):
    out = tmp_path / "built.jsonl"
    done = nasbuild("build", files.fit, "--target", "loss", *options, "--out", out)
    assert done.code == 2
    assert words in " ".join(done.err.split())
    assert not out.exists()


def test_equations_show_their_architectures_and_can_be_fitted(nasbuild, files, tmp_path):
    done = nasbuild("equations", files.fit, "--n", 3)
    assert done.code == 0, done.err
    assert "nasbuild fit ... --target" in done.out
    found = nasbuild("equations", files.fit, "--n", 3, "--json").json
    assert len(found["equations"]) == 3
    assert all(set(row["expected"]) == set(found["targets"]) for row in found["equations"])
    wanted = [part for row in found["equations"] for part in ("--target", row["equation"])]
    data = ["--space", files.space, "--data", files.data, "--recipe", "ridge", "--no-baselines"]
    done = nasbuild("fit", *data, *wanted, "--out", tmp_path / "fit")
    assert done.code == 0, done.err
    refused = nasbuild("equations", files.fit, "--where", "params <= 3")
    assert "is not a target of these equations" in refused.sentence


def test_a_table_that_is_too_wide_folds_between_modules_and_layers():
    ids = ["mb_e1_k3-mb_e6_k5/mb_e6_k5", "mb_e1_k3/mb_e1_k3-mb_e1_k3/mb_e3_k3-mb_e3_k3"]
    header, rows = ["", "architecture", "score"], [[str(n), name, "88.49"] for n, name in enumerate(ids)]
    found = _folded(rows, [header, *rows], 40)
    assert [row[1].splitlines() for row in found] == [
        ["mb_e1_k3-mb_e6_k5/mb_e6_k5"],
        ["mb_e1_k3/mb_e1_k3-mb_e1_k3/", "mb_e3_k3-mb_e3_k3"],
    ]
    assert all(len(line) <= 40 - 1 - 5 - 4 for row in found for line in row[1].splitlines())
    narrow = _folded(rows, [header, *rows], 28)
    assert narrow[1][1].splitlines() == ["mb_e1_k3/", "mb_e1_k3-mb_e1_k3/", "mb_e3_k3-mb_e3_k3"]
    deep = [["0", "-".join(["k3e6"] * 6), "1"]]
    assert _folded(deep, [header, *deep], 30)[0][1].splitlines() == ["k3e6-k3e6-k3e6-k3e6-", "k3e6-k3e6"]
    assert _folded(rows, [header, *rows], 80) == rows
