"""The digits-macro space, its networks and their training."""

from __future__ import annotations

from importlib.resources import files

import pytest
import torch
import yaml

from digits_samples import LARGEST, MIXED, SMALLEST, by_hand, needs_sklearn
from nasbuild.errors import NasbuildError
from nasbuild.zoo.digits import cost, space
from nasbuild.zoo.digits import train as training
from nasbuild.zoo.digits.data import load_task
from nasbuild.zoo.digits.fast_forward import fast_forward
from nasbuild.zoo.digits.network import DigitsNetwork, build_network


def test_the_space_equals_the_builtin_file():
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
    ("arch", "message"),
    [
        ([["mb_e1_k3"]], "2|3"),
        ([[], ["mb_e1_k3"], ["mb_e1_k3"]], "stage1.*0 layers.*allowed: 1, 2"),
        ([["mb_e1_k3"], ["mb_e1_k3"], ["mb_e1_k3"] * 3], "stage3.*3 layers"),
        ([["mb_e1_k3"], ["mb_e1_k3", "mb_e9_k9"], ["mb_e1_k3"]], "stage2.1.*mb_e9_k9.*mb_e6_k5"),
    ],
)
def test_architectures_of_other_spaces_are_errors(arch, message):
    with pytest.raises(NasbuildError, match=message):
        build_network(arch)


@pytest.mark.parametrize("arch", [SMALLEST, MIXED, LARGEST, *space.all_archs()[100::250]])
def test_params_and_macs_match_counts_by_hand(arch):
    assert (cost.count_params(arch), cost.count_macs(arch)) == by_hand(arch)


def test_smallest_network_in_full():
    # stem 88; three layers 72+16+64+16, 72+16+128+32, 144+32+384+48; head 250
    assert cost.count_params(SMALLEST) == 88 + 168 + 248 + 608 + 250


@pytest.mark.parametrize("arch", [SMALLEST, MIXED, LARGEST])
def test_fast_forward_equals_the_network(arch):
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


def test_building_keeps_the_global_random_state():
    before = torch.get_rng_state()
    first, again, other = (build_network(MIXED, seed=seed).head.weight for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("arch", [SMALLEST, MIXED, LARGEST])
def test_initial_weights_are_those_of_a_global_seed(arch):
    built = build_network(arch, seed=7).state_dict()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = DigitsNetwork(arch).state_dict()
    assert built.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(built[name], value), name


def test_latency_returns_every_sample():
    progress_calls = []
    times = cost.measure_latency(
        [SMALLEST, LARGEST], samples=5, progress=lambda *now: progress_calls.append(now)
    )
    assert times.shape == (2, 5)
    assert (times > 0).all()
    assert progress_calls == [(i, 5) for i in range(1, 6)]
    # The largest does 25 times the work; the fastest visit is immune to a busy machine.
    assert times[1].min() > times[0].min()


def test_latency_needs_one_thread():
    torch.set_num_threads(2)
    try:
        with pytest.raises(NasbuildError, match="one thread"):
            cost.measure_latency([SMALLEST], samples=2)
    finally:
        torch.set_num_threads(1)


def test_spread_ignores_one_disturbed_pass():
    assert cost.median_and_spread([1.0, 2.0, 3.0, 4.0, 500.0]) == pytest.approx((3.0, 2 / 1.349))


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
    short = training.Recipe(steps=8)
    first = training.train_arch(MIXED, 7, recipe=short)
    torch.rand(3)  # the global random state must not matter
    assert training.train_arch(MIXED, 7, recipe=short) == first
    assert training.train_arch(MIXED, 8, recipe=short) != first
    learnt = training.train_arch(MIXED, 7)
    assert learnt["acc"] > 60  # chance is 10
    assert learnt["loss"] < 1.5  # chance is ln 10 = 2.3


def test_more_steps_improve_accuracy():
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
