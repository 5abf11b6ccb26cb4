"""The digits-macro space, its trainings and the table that ships with the package."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
import yaml
from scipy.stats import spearmanr

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.digits import cost, space
from nasbuild.evaluate.digits import train as training
from nasbuild.evaluate.digits.data import load_task
from nasbuild.evaluate.digits.fast import fast_forward
from nasbuild.evaluate.digits.finish import complete_seeds, finish
from nasbuild.evaluate.digits.generate import TRAININGS, generate, locked, read_trainings
from nasbuild.evaluate.digits.network import build_network
from nasbuild.evaluate.digits.noise import noise_of, srcc

SMALLEST = [["mb_e1_k3"], ["mb_e1_k3"], ["mb_e1_k3"]]
LARGEST = [["mb_e6_k5"] * 2] * 3
MIXED = [["mb_e3_k3", "mb_e6_k5"], ["mb_e1_k3"], ["mb_e6_k5", "mb_e1_k3"]]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def needs_sklearn() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn (extra 'digits')")


# --- space --------------------------------------------------------------------------------------------------


def test_space_is_the_yaml_file():
    declared = yaml.safe_load((files("nasbuild") / "space/builtin/digits-macro.yaml").read_text())
    assert declared["name"] == "digits-macro"
    assert [stage["name"] for stage in declared["stages"]] == list(space.STAGES)
    for stage in declared["stages"]:
        assert stage["depth"] == list(space.DEPTHS)
        assert stage["features"] == {"op": list(space.OPS)}
    assert set(declared["metrics"]) == {"acc", "loss", "macs", "params", "latency_cpu"}


def test_archs_and_ids_are_distinct():
    archs = space.all_archs()
    assert len(archs) == 12**3
    assert len({space.arch_id(arch) for arch in archs}) == len(archs)
    assert space.arch_id(MIXED) == "e3k3-e6k5/e1k3/e6k5-e1k3"


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ([["mb_e1_k3"]], "2|3"),
        ([[], ["mb_e1_k3"], ["mb_e1_k3"]], "stage1.*0 layers.*allowed: 1, 2"),
        ([["mb_e1_k3"], ["mb_e1_k3"], ["mb_e1_k3"] * 3], "stage3.*3 layers"),
        ([["mb_e1_k3"], ["mb_e1_k3", "mb_e9_k9"], ["mb_e1_k3"]], "stage2.1.*mb_e9_k9.*mb_e6_k5"),
    ],
)
def test_foreign_archs_are_refused(arch, said):
    with pytest.raises(NasbuildError, match=said):
        build_network(arch)


# --- network and cost ---------------------------------------------------------------------------------------


def by_hand(arch) -> tuple[int, int]:
    """Parameters and MACs, written down a second time from the card's words."""
    params, macs = 9 * 8 + 2 * 8, 64 * 9 * 8  # stem: 3x3, 1 -> 8 channels, 64 pixels; norm
    width, pixels = 8, 64
    for stage, ops in enumerate(arch):
        for position, op in enumerate(ops):
            expand, kernel = map(int, re.findall(r"\d+", op))
            out = (8, 16, 24)[stage]
            inside = width * expand
            pixels_out = pixels // 4 if stage > 0 and position == 0 else pixels
            if expand > 1:
                params += width * inside + 2 * inside
                macs += pixels * width * inside
            params += kernel**2 * inside + 2 * inside + inside * out + 2 * out
            macs += pixels_out * (kernel**2 * inside + inside * out)
            width, pixels = out, pixels_out
    return params + 24 * 10 + 10, macs + 24 * 10


@pytest.mark.parametrize("arch", [SMALLEST, MIXED, LARGEST, *space.all_archs()[100::250]])
def test_params_and_macs_by_hand(arch):
    assert (cost.count_params(arch), cost.count_macs(arch)) == by_hand(arch)


def test_smallest_network_in_full():
    # stem 88; three layers 72+16+64+16, 72+16+128+32, 144+32+384+48; head 250
    assert cost.count_params(SMALLEST) == 88 + 168 + 248 + 608 + 250


@pytest.mark.parametrize("arch", [SMALLEST, MIXED, LARGEST])
def test_fast_forward_is_the_network(arch):
    plain, fast = build_network(arch, seed=3), build_network(arch, seed=3)
    x = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(32, 10, generator=torch.Generator().manual_seed(1))
    for network, out in ((plain, plain(x)), (fast, fast_forward(fast, x))):
        (out * weights).mean().backward()
        network.eval()
    for (name, a), b in zip(plain.named_parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-6, msg=name)
    for name in ("running_mean", "running_var"):
        assert torch.allclose(getattr(plain.stem.norm, name), getattr(fast.stem.norm, name), atol=1e-6)
    torch.testing.assert_close(plain(x), fast_forward(fast, x), rtol=1e-4, atol=1e-5)


def test_building_leaves_the_global_random_state():
    before = torch.get_rng_state()
    first, again, other = (build_network(MIXED, seed=seed).head.weight for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_latency_of_every_visit():
    visited = []
    times = cost.measure_latency([SMALLEST, LARGEST], visits=5, progress=lambda *now: visited.append(now))
    assert times.shape == (2, 5)
    assert (times > 0).all()
    assert visited == [(i, 5) for i in range(1, 6)]
    # The largest does 25 times the work; the fastest visit is immune to a busy machine.
    assert times[1].min() > times[0].min()


def test_latency_needs_one_thread():
    torch.set_num_threads(2)
    try:
        with pytest.raises(NasbuildError, match="one thread"):
            cost.measure_latency([SMALLEST], visits=2)
    finally:
        torch.set_num_threads(1)


def test_spread_ignores_one_disturbed_pass():
    assert cost.median_and_spread([1.0, 2.0, 3.0, 4.0, 500.0]) == pytest.approx((3.0, 2 / 1.349))


# --- data and training --------------------------------------------------------------------------------------


def test_task_keeps_train_and_test_apart():
    needs_sklearn()
    task = load_task()
    assert task.train_x.shape == (797, 1, 8, 8)
    assert task.test_x.shape == (2000, 1, 8, 8)
    assert torch.equal(task.test_y[:1000], task.test_y[1000:])
    # Two draws of the same pictures differ by noise of deviation 0.25 * sqrt(2).
    assert (task.test_x[:1000] - task.test_x[1000:]).std().item() == pytest.approx(0.25 * 2**0.5, rel=0.02)
    from sklearn.datasets import load_digits

    everything = torch.bincount(torch.tensor(load_digits().target))
    assert torch.equal(torch.bincount(task.train_y) + torch.bincount(task.test_y[:1000]), everything)


def test_training_is_reproducible_and_learns():
    needs_sklearn()
    first = training.train_arch(MIXED, 7)
    torch.rand(3)  # the global random state must not matter
    assert training.train_arch(MIXED, 7) == first
    assert training.train_arch(MIXED, 8) != first
    assert first["acc"] > 60  # chance is 10
    assert first["loss"] < 1.5  # chance is ln 10 = 2.3


def test_more_steps_learn_more():
    needs_sklearn()
    none = training.train_arch(SMALLEST, 0, recipe=training.Recipe(steps=1))
    assert training.train_arch(SMALLEST, 0)["loss"] < none["loss"] - 0.5


def test_rate_rises_then_falls():
    recipe = training.Recipe()
    rates = [recipe.rate_at(step) for step in range(recipe.steps)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(recipe.rate)
    assert top == round(0.3 * recipe.steps)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


# --- generation ---------------------------------------------------------------------------------------------


def fake(calls):
    def train(arch, seed):
        calls.append((space.arch_id(arch), seed))
        return {"acc": 50.0 + len(calls[-1][0]) + seed, "loss": 1.0 / (1 + seed)}

    return train


def rows_of(folder):
    lines = (folder / TRAININGS).read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_resume_after_a_torn_line_repeats_nothing(tmp_path):
    archs = space.all_archs()[:5]
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert generate(whole, archs, range(2), train=fake([])) == 10

    first, second = [], []
    generate(torn, archs, range(1), train=fake(first))
    with (torn / TRAININGS).open("a") as stream:
        stream.write('{"id": "e1k3/e1k3/e1k3", "seed": 1, "ac')
    assert generate(torn, archs, range(2), train=fake(second)) == 5
    assert rows_of(torn) == rows_of(whole)
    assert set(first).isdisjoint(second)
    assert [seed for _, seed in first + second] == [0] * 5 + [1] * 5  # a seed is completed before the next
    assert generate(torn, archs, range(2), train=fake([])) == 0


def test_a_line_without_its_end_is_trained_again(tmp_path):
    archs = space.all_archs()[:3]
    generate(tmp_path, archs, [0], train=fake([]))
    path = tmp_path / TRAININGS
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read_trainings(tmp_path)) == 2
    assert generate(tmp_path, archs, [0], train=fake([])) == 1
    assert len(read_trainings(tmp_path)) == 3


def test_damage_before_the_last_line_is_refused(tmp_path):
    good = '{"id": "a", "seed": 0, "acc": 1, "loss": 1, "seconds": 1}\n'
    path = tmp_path / TRAININGS
    for text, said in (('{"id"\n' + good, r"jsonl:1.*damaged"), (good + good, r"jsonl:2.*there twice")):
        path.write_text(text)
        with pytest.raises(NasbuildError, match=said):
            read_trainings(tmp_path)


def test_two_runs_cannot_share_a_folder(tmp_path):
    with locked(tmp_path), pytest.raises(NasbuildError, match="another process"):
        generate(tmp_path, [SMALLEST], [0], train=fake([]))
    assert generate(tmp_path, [SMALLEST], [0], train=fake([])) == 1


def test_finish_uses_complete_seeds_only(tmp_path):
    needs_sklearn()
    archs = [*space.all_archs()[:3], MIXED]
    generate(tmp_path, archs[:2], [0], train=fake([]))
    with pytest.raises(NasbuildError, match="no seed is complete"):
        finish(tmp_path, tmp_path / "table", archs=archs)
    generate(tmp_path, archs, [0, 1], train=fake([]))
    generate(tmp_path, archs[:1], [2], train=fake([]))
    assert complete_seeds(read_trainings(tmp_path), archs) == [0, 1]
    assert "4 architectures, 2 seeds" in finish(tmp_path, tmp_path / "table", archs=archs)
    with gzip.open(tmp_path / "table" / "archs.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    assert [row["id"] for row in rows] == ["/".join(map("-".join, arch)) for arch in archs]
    last = rows[-1]["metrics"]
    assert last["acc"] == 50 + len(space.arch_id(MIXED)) + 0.5
    assert last["acc_std"] == pytest.approx(2**-0.5, abs=1e-4)
    assert (last["params"], last["macs"]) == by_hand(MIXED)
    assert "with 2 seeds on" in (tmp_path / "table" / "card.md").read_text()


def test_command_tells_mistakes_in_one_sentence(tmp_path, capsys):
    from nasbuild.evaluate.digits.__main__ import main

    assert main(["--out", str(tmp_path), "--finish"]) == 2
    assert "no seed is complete" in capsys.readouterr().err


def test_import_is_light():
    code = (
        "import sys, nasbuild.evaluate, nasbuild.evaluate.digits as digits;"
        "digits.all_archs(); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


# --- noise --------------------------------------------------------------------------------------------------


def test_noise_recovers_known_deviations():
    rng = np.random.default_rng(0)
    y = 5 + rng.normal(0, 3, (20_000, 1)) + np.array([[-1.0, 0.0, 1.0]]) + rng.normal(0, 0.5, (20_000, 3))
    noise = noise_of(y)
    assert noise.mean == pytest.approx(5, abs=0.1)
    assert noise.between == pytest.approx(3, rel=0.03)
    assert noise.rest == pytest.approx(0.5, rel=0.03)
    assert noise.seed == pytest.approx((1 + 0.25) ** 0.5, rel=0.03)  # the shifts -1, 0, 1 have variance 1
    assert noise.reliability == pytest.approx(9 / (9 + 0.25 / 3), rel=0.003)
    # Cronbach's alpha in its textbook form.
    alpha = 3 / 2 * (1 - y.var(axis=0, ddof=1).sum() / y.sum(axis=1).var(ddof=1))
    assert noise.reliability == pytest.approx(alpha, abs=1e-12)


def test_srcc_is_scipys():
    a, b = np.random.default_rng(1).integers(0, 9, (2, 50))
    assert srcc(a, b) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)
    assert math.isnan(srcc(a, np.ones(50)))


def test_noise_of_what_never_changes_is_not_known():
    noise = noise_of(np.ones((4, 2)))
    assert noise.between == noise.seed == 0
    assert math.isnan(noise.ratio)
    assert math.isnan(noise.reliability)
    assert math.isnan(noise.srcc)


def test_one_seed_has_no_noise_estimate():
    noise = noise_of([[1.0], [3.0]])
    assert noise.between == pytest.approx(2**0.5)
    assert math.isnan(noise.seed)
    assert math.isnan(noise.reliability)


# --- the shipped table --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> list[dict]:
    text = gzip.decompress((files("nasbuild") / "table/builtin/digits-macro/archs.jsonl.gz").read_bytes())
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def card() -> str:
    return (files("nasbuild") / "table/builtin/digits-macro/card.md").read_text()


def archs_of(table) -> list[list[list[str]]]:
    return [[[layer["op"] for layer in stage] for stage in row["arch"]["stages"]] for row in table]


def test_table_holds_the_whole_space_once(table):
    archs = archs_of(table)
    assert sorted(archs) == sorted(space.all_archs())
    assert [row["id"] for row in table] == ["/".join(map("-".join, arch)) for arch in archs]


def test_table_labels_are_finite_and_plausible(table):
    for row in table:
        labels = row["metrics"]
        assert set(labels) == {
            "acc", "acc_std", "loss", "loss_std", "macs", "params", "latency_cpu", "latency_cpu_std"
        }  # fmt: skip
        assert all(math.isfinite(value) for value in labels.values())
        assert 10 < labels["acc"] < 100
        assert 0 < labels["loss"] < math.log(10)
        assert min(labels["latency_cpu"], labels["acc_std"] + 1, labels["loss_std"] + 1) > 0


def test_table_costs_by_hand(table):
    for arch, row in zip(archs_of(table), table, strict=True):
        assert (row["metrics"]["params"], row["metrics"]["macs"]) == by_hand(arch)


def test_table_is_small_and_has_no_date():
    place = files("nasbuild") / "table/builtin/digits-macro/archs.jsonl.gz"
    data = place.read_bytes()
    assert len(data) < 1_000_000
    assert data[4:8] == bytes(4)  # the gzip header's time


@pytest.mark.parametrize(("metric", "column"), [("acc", 1), ("loss", 2)])
def test_architectures_differ_by_more_than_seeds(table, card, metric, column):
    def stated(start: str) -> float:
        line = next(line for line in card.splitlines() if line.startswith(f"| {start}"))
        return float(line.split("|")[1 + column])

    n_seeds = int(re.search(r"from scratch with (\d) seeds", card)[1])
    means = np.array([row["metrics"][metric] for row in table])
    seed = np.mean([row["metrics"][f"{metric}_std"] ** 2 for row in table]) ** 0.5
    assert seed == pytest.approx(stated("deviation between the seeds"), rel=1e-3)
    between = (means.var(ddof=1) - stated("seed deviation without") ** 2 / n_seeds) ** 0.5
    assert between == pytest.approx(stated("deviation between architectures"), rel=1e-3)
    assert between / seed == pytest.approx(stated("ratio"), abs=0.01)
    assert between > 2 * seed
    assert (between / means.std(ddof=1)) ** 2 == pytest.approx(stated("reliability"), abs=1e-3)


def test_size_is_not_everything(table):
    acc = np.array([row["metrics"]["acc"] for row in table])
    macs = np.array([row["metrics"]["macs"] for row in table])
    assert spearmanr(acc, macs)[0] < 0.97
    best = int(acc.argmax())
    assert macs[best] < macs.max()


def test_a_row_can_be_trained_again(table, card):
    """The labels are this code's, not another's: one architecture, all its seeds."""
    needs_sklearn()
    seeds = map(int, re.search(r"from the seed\s\(([\d, ]+)\)", card)[1].split(","))
    row = next(row for row in table if row["id"] == "mb_e3_k3/mb_e1_k3/mb_e1_k3")
    again = [training.train_arch([["mb_e3_k3"], ["mb_e1_k3"], ["mb_e1_k3"]], seed) for seed in seeds]
    # Other machines and versions round differently, and SGD amplifies it; far from the spread of seeds.
    for metric, near in (("acc", 1.0), ("loss", 0.03)):
        mean = np.mean([metrics[metric] for metrics in again])
        assert mean == pytest.approx(row["metrics"][metric], abs=near)


def test_neighbours_share_all_but_one_module(table):
    """What the table is for: swapping one stage's module changes the loss by a learnable amount."""
    by_modules = {
        tuple(map(tuple, arch)): row["metrics"]["loss"]
        for arch, row in zip(archs_of(table), table, strict=True)
    }
    modules = [tuple(module) for module in space.all_modules()]
    cube = np.array([by_modules[key] for key in itertools.product(modules, repeat=3)]).reshape(12, 12, 12)
    total = ((cube - cube.mean()) ** 2).sum()
    main = sum(144 * ((cube.mean(axis=axes) - cube.mean()) ** 2).sum() for axes in ((1, 2), (0, 2), (0, 1)))
    assert main / total > 0.5
