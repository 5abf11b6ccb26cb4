"""``optimize`` and ``demo --live`` as a user runs them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nasbuild.cli._live_demo import verdict
from nasbuild.optimize import LiveChoice, LoopSettings, LossGap
from nasbuild.score import load_fit
from nasbuild.space import architecture_id, load_space, sample
from nasbuild.table import load_builtin, read_table

CALL = [
    "optimize",
    "--space",
    "digits-macro",
    "--evaluator",
    "digits-macro",
    "--recipe",
    "ridge",
    "--batch",
    6,
    "--first",
    12,
]


def test_optimize_with_a_table_end_to_end(nasbuild, tmp_path):
    out, store = tmp_path / "found", tmp_path / "store.db"
    call = [*CALL, "--target", "loss", "--rounds", 2, "--store", store, "--out", out]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "loss in digits-macro (1,728 architectures), by 24 evaluations of digits-macro" in done.out
    assert "loss [nats], round by round" in done.out
    assert "the best 10 of 24 evaluated" in done.out
    assert "evaluating 50 %, round 0" in done.err
    assert "evaluating 100 %, round 2, best loss" in done.err
    page = (out / "report.html").read_text()
    assert 'id="rounds"' in page
    table = read_table(out / "archs.jsonl", load_space(out / "space.yaml"))
    assert load_fit(out / "fit").table == table
    result = nasbuild(*call, "--json").json
    assert result["evaluated"] == len(table) == 24
    assert [one["evaluated"] for one in result["rounds"]] == [12, 6, 6]
    best = [one["targets"]["loss"]["best_so_far"] for one in result["rounds"]]
    assert best == sorted(best, reverse=True)
    assert result["rounds"][0]["targets"]["loss"]["best_predicted"] is None
    truth = load_builtin("digits-macro")
    losses = dict(zip(truth.ids, truth.columns["loss"].tolist(), strict=True))
    for row in result["best"]:
        assert row["values"]["loss"] == losses[row["id"]]
    assert best[-1] == result["best"][0]["values"]["loss"] == min(losses[i] for i in table.ids)


def test_optimize_two_targets_shows_their_front(nasbuild, tmp_path):
    out = tmp_path / "found"
    call = [*CALL, "--target", "loss", "--target", "latency_cpu", "--budget", 18]
    done = nasbuild(*call, "--store", tmp_path / "store.db", "--out", out)
    assert done.code == 0, done.err
    assert "latency_cpu [ms], round by round" in done.out
    assert "hypervolume" in done.out
    assert "of 18 evaluated" in done.out
    front = read_table(out / "best.jsonl", load_space("digits-macro"))
    assert f"the front of {len(front)} of 18 evaluated" in done.out
    # Sorted from best to worst in one, so from worst to best in the other.
    assert front.columns["loss"].tolist() == sorted(front.columns["loss"])
    assert front.columns["latency_cpu"].tolist() == sorted(front.columns["latency_cpu"], reverse=True)


def test_failures_and_an_exhausted_space_are_reported(nasbuild, tmp_path):
    space, script = tmp_path / "space.yaml", tmp_path / "mine.py"
    space.write_text(
        "name: tiny\nmetrics: {loss: {direction: minimize}}\n"
        "stages:\n- {name: a, depth: [1], features: {op: [x, y, z]}}\n- {name: b, depth: [1], features: {op: [x, y, z]}}\n"
    )
    script.write_text(
        "def f(arch):\n    a, b = (ord(s[0]['op']) for s in arch['stages'])\n"
        "    if a == b == 120: raise ValueError('no')\n    return {'loss': a + 2 * b}\n"
    )
    call = [
        "optimize",
        "--space",
        space,
        "--evaluator",
        f"{script}:f",
        "--target",
        "loss",
        "--recipe",
        "ridge",
    ]
    call += [
        "--first",
        5,
        "--batch",
        3,
        "--rounds",
        4,
        "--store",
        tmp_path / "s.db",
        "--out",
        tmp_path / "out",
    ]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "1 of 9 evaluations failed; --retry-failed tries again" in done.out
    assert "the space has no more architectures, so the loop ended before its budget" in done.out
    result = nasbuild(*call, "--json").json
    assert (result["evaluated"], result["failed"], result["exhausted"]) == (9, 1, True)
    assert result["best"][0]["values"] == {"loss": 121 + 2 * 120}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--target", "speed"], "there is no metric 'speed'"),
        (["--target", "loss", "--target", "loss"], "a target is named twice"),
        (["--target", "loss", "--batch", "0"], "--batch: the number is 0; allowed: 1 or more"),
        (["--target", "loss", "--budget", "0"], "--budget: the number is 0; allowed: 1 or more"),
        (["--target", "loss", "--race", "-1"], "--race: the number is -1; allowed: 0 or more"),
        (
            ["--target", "loss", "--budget", "8", "--race", "8"],
            "--race: the race takes all of the 8 evaluations",
        ),
        (
            ["--target", "loss", "--target", "macs", "--race", "8"],
            "--race: a race has one target, there are 2",
        ),
        (["--target", "loss", "--limit", "0"], "the limit is 0 s"),
        (["--target", "loss", "--recipe", "mine"], "there is no recipe 'mine'"),
        (["--target", "loss", "--evaluator", "gone"], "--evaluator: there is no evaluator 'gone'"),
    ],
)
def test_mistakes_get_one_sentence_and_leave_nothing(nasbuild, tmp_path, more, message):
    done = nasbuild(*CALL, *more, "--store", tmp_path / "store.db", "--out", tmp_path / "found")
    assert message in done.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def trained(monkeypatch):
    """The live demo with few trainings, replaced by table values with noise that depends on the seed."""
    table = load_builtin("digits-macro")

    def train(arch, seed):
        row = table.ids.index("/".join("-".join(stage) for stage in arch))
        noise = np.random.default_rng([row, seed]).normal(scale=0.03)
        return {"loss": float(table.columns["loss"][row] + noise), "acc": 80.0}

    monkeypatch.setattr("nasbuild.optimize.LIVE_SETTINGS", LoopSettings(rounds=1, batch=2, first=6, race=9))
    monkeypatch.setattr("nasbuild.optimize.FRESH_TRAININGS", 3)
    monkeypatch.setattr("nasbuild.zoo.digits.train.train_arch", train)
    return train


def test_the_live_demo_trains_both_and_tests_their_difference(nasbuild, trained, tmp_path):
    call = ["demo", "--live", "--out", tmp_path, "--workers", 1, "--seed", 3]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "the choice of each after 17 trainings" in done.out
    assert "the race: 9 evaluations repeat the most promising architectures with other seeds" in done.out
    page = (tmp_path / "report.html").read_text()
    for card in ("rounds", "race", "live"):
        assert f'id="{card}"' in page
    assert (
        "and train 17 times. Random search trains that many networks, the loop 8; its last 9 trainings"
        in page
    )
    assert 'class="card failed"' not in page
    result = nasbuild(*call, "--json").json
    assert result["trainings"] == 17
    space = load_space("digits-macro")
    found = {architecture_id(space, a): ops(a) for a in sample(space, 17, np.random.default_rng(3))}
    losses = {i: trained(a, 1_003)["loss"] for i, a in found.items()}
    assert result["random"]["id"] == min(losses, key=losses.__getitem__)
    assert result["random"]["measured"] == [losses[result["random"]["id"]]]
    evaluated = read_table(tmp_path / "loop" / "archs.jsonl", space)
    own = {architecture_id(space, a): ops(a) for a in evaluated.architectures}
    assert list(own)[:6] == list(found)[:6]
    # Four, one for each racer; then five more for the better two.
    assert sorted(len(one["readings"]) for one in result["race"]) == [1, 1, 3, 4]
    for one in result["race"]:
        again = [
            trained(own[one["id"]], 1_003 + 10_000 * (k + 1))["loss"] for k in range(len(one["readings"]))
        ]
        assert one["readings"] == again
        assert one["first"] == trained(own[one["id"]], 1_003)["loss"]
    one = result["loop"]
    assert one["id"] == result["race"][0]["id"]
    assert one["measured"] == result["race"][0]["readings"]
    assert one["fresh_losses"] == [trained(own[one["id"]], seed)["loss"] for seed in (10, 11, 12)]
    table = load_builtin("digits-macro")
    label = table.columns["loss"][table.ids.index(one["id"])]
    assert (one["label"], one["rank"]) == (label, 1 + int((table.columns["loss"] < label).sum()))
    # The reported difference equals the mean of paired differences of fresh trainings.
    gaps = np.subtract(result["random"]["fresh_losses"], one["fresh_losses"])
    if one["id"] == result["random"]["id"]:
        assert "both chose the same network" in done.out
    else:
        error = stats.sem(gaps)
        assert result["gap"] == pytest.approx({"mean": gaps.mean(), "error": error, "trainings": 3})
        assert result["significant"] == (abs(gaps.mean()) >= 2 * error)
        assert ("no significant difference in 3 fresh trainings" in done.out) != result["significant"]


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ((0.5, 0.6, 0.55), "the loop's loss is 0.1500 lower"),
        ((0.3, 0.38, 0.32), "the loop's loss is 0.0667 higher (± 0.0088, 20.0 %) than random"),
        (
            (0.45, 0.35, 0.41),
            "no significant difference in 3 fresh trainings: the loop's loss is 0.0033 lower",
        ),
    ],
)
def test_a_difference_within_the_noise_is_not_significant(others, words):
    from types import SimpleNamespace

    a, b = sample(load_space("digits-macro"), 2, np.random.default_rng(0))
    built = LiveChoice("a", a, (0.4,), (0.35, 0.45, 0.4), 0.4, 5)
    drawn = LiveChoice("b", b, (0.4,), others, 0.4, 7)
    live = SimpleNamespace(built=built, drawn=drawn, gap=LossGap.between(built, drawn))
    assert words in verdict(live)
    same = SimpleNamespace(built=built, drawn=built, gap=LossGap.between(built, built))
    assert verdict(same) == "both chose the same network"
    assert not same.gap.significant


def test_a_race_is_shown_and_its_winner_is_the_best(nasbuild, tmp_path):
    script, out = tmp_path / "mine.py", tmp_path / "found"
    script.write_text("import random\ndef f(arch):\n    return {'loss': random.random(), 'acc': 1.0}\n")
    call = ["optimize", "--space", "digits-macro", "--evaluator", f"{script}:f", "--target", "loss"]
    call += ["--recipe", "ridge", "--first", 12, "--batch", 4, "--budget", 24, "--race", 8]
    call += ["--store", tmp_path / "store.db", "--out", out]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "by 24 evaluations of" in done.out
    assert "the race: 8 evaluations repeat the most promising architectures with other seeds" in done.out
    assert 'id="race"' in (out / "report.html").read_text()
    result = nasbuild(*call, "--json").json
    assert result["evaluated"] == 16
    assert sum(len(one["readings"]) for one in result["race"]) == 8
    best = read_table(out / "best.jsonl", load_space(out / "space.yaml"))
    assert list(best.ids) == [one["id"] for one in result["race"]] == [one["id"] for one in result["best"]]
    means = [np.mean([one["first"], *one["readings"]]) for one in result["race"]]
    assert best.columns["loss"].tolist() == pytest.approx(means)


def ops(architecture):
    return [[layer[0] for layer in module] for module in architecture]


def test_options_of_the_live_demo_need_it(nasbuild, tmp_path):
    done = nasbuild("demo", "--seed", 3, "--out", tmp_path / "demo")
    assert "--seed and --budget need --live" in done.sentence
    assert not (tmp_path / "demo").exists()
