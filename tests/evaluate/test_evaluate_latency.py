"""Latency: what is told on a noisy machine, and what is refused."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import torch

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Pool, Spec, Store, evaluate_all, load_evaluator
from nasbuild.evaluate._latency import LatencySettings, parse_latency
from nasbuild.evaluate._timing import time_passes
from nasbuild.space import load_space, sample

SPACE = load_space("digits-macro")
SOME = sample(SPACE, 4, np.random.default_rng(0))


class Machine:
    """A machine with a clock of its own, on which passes take what they are said to, and are interrupted."""

    def __init__(self, *, jitter=0.0, interrupted=0.0, speed=lambda _: 1.0, layout=0.0, warm=0):
        self.now, self.rng = 0.0, random.Random(0)
        self.jitter, self.interrupted, self.speed = jitter, interrupted, speed
        self.layout, self.warm = layout, warm
        self.order, self.made = [], 0

    def fresh(self, name, seconds):
        def make():
            self.made += 1
            seconds_here = seconds * (1 + self.layout * self.rng.uniform(-1, 1))
            cold = [self.warm]

            def run():
                self.order.append(name)
                took = seconds_here * self.speed(self.now) * (1 + self.jitter * self.rng.random())
                if cold[0]:
                    cold[0] -= 1
                    took *= 3
                if self.rng.random() < self.interrupted:
                    took += 0.01 * self.rng.random()
                self.now += took

            return run

        return make

    def time(self, seconds, *, tolerance=0.05, budget=1.0):
        passes = [self.fresh(i, s) for i, s in enumerate(seconds)]
        reference = self.fresh("reference", 1e-3)
        return time_passes(passes, reference, tolerance=tolerance, seconds=budget, clock=lambda: self.now)


def test_a_quiet_machine_tells_what_passes_take():
    timings = Machine().time([1e-3, 2e-3, 5e-2])
    assert [t.latency for t in timings] == pytest.approx([1, 2, 50])
    # No machine tells more surely than to a hundredth, and a microsecond, what a pass takes in another process.
    assert [t.spread for t in timings] == pytest.approx([1e-2, 2e-2, 0.5])
    (short,) = Machine().time([5e-5])
    assert short.spread == pytest.approx(1e-3)
    assert timings[0].reference == pytest.approx(1)
    assert timings[0].visits >= 10


def test_interruptions_and_cold_starts_hardly_show():
    machine = Machine(jitter=0.02, interrupted=0.2, warm=3)
    seconds = [1e-3, 1.1e-3, 1.2e-3]
    timings = machine.time(seconds)
    for timing, truth in zip(timings, seconds, strict=True):
        assert timing.latency == pytest.approx(1e3 * truth, rel=0.02)
        assert timing.relative < 0.02


@pytest.mark.parametrize("period", [0.05, 0.2, 0.5])
def test_a_neighbour_that_comes_and_goes_is_seen_through(period):
    """Most of the time something else runs on the same core, and nothing is half as fast."""
    machine = Machine(jitter=0.02, speed=lambda now: 2.0 if now % period > 0.3 * period else 1.0)
    seconds = [1e-3, 1.1e-3, 4e-3]
    for timing, truth in zip(machine.time(seconds, budget=4), seconds, strict=True):
        assert timing.latency == pytest.approx(1e3 * truth, rel=0.03)
        assert timing.relative < 0.05


def test_a_slow_moment_falls_on_all_alike():
    # Twice as slow in the second half of the time.
    machine = Machine(speed=lambda now: 2.0 if now > 1.5 else 1.0)
    first, second, third = machine.time([1e-3, 1e-3, 2e-3], budget=2.0)
    assert first.latency == pytest.approx(second.latency, rel=0.01)
    assert third.latency == pytest.approx(2 * first.latency, rel=0.01)
    # What is twice as slow half of the time is not known to 5 %.
    assert first.relative > 0.2


def test_networks_take_turns_in_a_new_order_each_round():
    machine = Machine()
    machine.time([1e-2] * 5)
    visits = [
        name for name, before in zip(machine.order, [None, *machine.order], strict=False) if name != before
    ]
    rounds = [name for name in visits if name != "reference"]
    orders = {tuple(rounds[i : i + 5]) for i in range(len(rounds) - 50, len(rounds) - 5, 5)}
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(orders) > 3


def test_the_spread_holds_what_the_place_in_memory_does():
    machine = Machine(layout=0.04)
    (timing,) = machine.time([1e-3])
    # Visits of one process alone would all be the same.
    assert machine.made >= 2 * 5
    assert 0.01 < timing.relative < 0.05
    again = Machine(layout=0.04)
    again.rng = random.Random(1)
    (other,) = again.time([1e-3])
    assert abs(timing.latency - other.latency) <= timing.spread + other.spread


def test_time_is_spent_until_the_reading_is_precise():
    # One gets hot and slower all the time.
    quiet, hot = Machine(), Machine(speed=lambda now: 1 + now / 20)
    quiet.time([1e-3], budget=20)
    (timing,) = hot.time([1e-3], budget=20)
    assert 3 <= quiet.now < 4
    assert 20 <= hot.now < 21
    assert timing.relative > 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "speed=1",
            "unknown option 'speed=1'; allowed: runtime, device, provider, threads, tolerance, seconds",
        ),
        ("runtime=tensorrt", "runtime is 'tensorrt'; allowed: torch, onnxruntime"),
        ("threads=0", "threads is '0'; allowed: whole numbers above 0"),
        ("threads=1.5", "threads is '1.5'; allowed: whole numbers above 0"),
        ("tolerance=nan", "tolerance is 'nan'; allowed: numbers above 0"),
        ("provider=CPUExecutionProvider", "provider is no option of runtime torch"),
        ("runtime=onnxruntime,device=cpu", "device is no option of runtime onnxruntime"),
    ],
)
def test_options_that_are_none_are_refused(options, message):
    with pytest.raises(NasbuildError, match=message):
        load_evaluator(f"latency:digits,{options}", SPACE)


def test_options_are_read():
    name, settings = parse_latency("nets.py:net@1x3x8x8,device=cuda,threads=3,tolerance=0.1,seconds=7", "")
    assert name == "nets.py:net@1x3x8x8"
    assert settings == LatencySettings(device="cuda", threads=3, tolerance=0.1, seconds=7.0)


def test_what_is_not_there_is_said_before_anything_is_measured(monkeypatch):
    if not torch.cuda.is_available():
        with pytest.raises(NasbuildError, match="torch finds no CUDA device"):
            load_evaluator("latency:digits,device=cuda", SPACE)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        NasbuildError, match=r"needs onnxruntime, which is not installed; pip install 'nasbuild\[onnx\]'"
    ):
        load_evaluator("latency:digits,runtime=onnxruntime", SPACE)


def test_a_provider_that_is_not_there_is_refused():
    pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    with pytest.raises(NasbuildError, match=r"has no provider 'NoProvider'; allowed: .*CPUExecutionProvider"):
        load_evaluator("latency:digits,runtime=onnxruntime,provider=NoProvider", SPACE)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_real_networks_are_timed(runtime, tmp_path):
    if runtime == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    script = tmp_path / "nets.py"
    script.write_text(
        "from torch import nn\n"
        "def net(arch):\n"
        "    if len(arch['stages'][0]) == 2: raise ValueError('two layers are too many')\n"
        "    wide = 32 if arch['stages'][0] == [{'op': 'mb_e1_k3'}] else 256\n"
        "    return nn.Sequential(nn.Conv2d(3, wide, 3), nn.ReLU(), nn.Conv2d(wide, wide, 3))\n"
    )
    few = [
        next(a for a in sample(SPACE, 60, np.random.default_rng(1)) if a.modules[0] == module)
        for module in ((("mb_e1_k3",),), (("mb_e6_k5",),), (("mb_e1_k3",), ("mb_e1_k3",)))
    ]
    threads = torch.get_num_threads()
    name = f"latency:{script}:net@1x3x16x16,runtime={runtime},threads=2,tolerance=100,seconds=0.01"
    evaluator = load_evaluator(name, SPACE)
    thin, wide, none = evaluator.outcomes(few)
    assert torch.get_num_threads() == threads
    assert set(thin) == set(evaluator.metrics) == {"latency_ms", "latency_ms_spread", "reference_ms"}
    # 64 times the multiply-accumulates.
    assert 0 < 2 * thin["latency_ms"] < wide["latency_ms"]
    assert thin["reference_ms"] == wide["reference_ms"] > 0
    assert str(none) == "two layers are too many"


def test_sweeps_are_evaluated_into_a_store(tmp_path):
    name = "latency:digits,tolerance=100,seconds=0.01"
    store = Store(tmp_path / "s.db", SPACE, name)
    results = evaluate_all(Spec(name, SPACE), SOME, store)
    # One sweep: the reference is theirs together.
    assert len({r.metrics["reference_ms"] for r in results.values() if r.metrics}) == 1
    assert set(store.table().columns) == {"latency_ms", "latency_ms_spread", "reference_ms"}
    assert len({r.seconds for r in results.values()}) == 1
    store.close()


def test_a_noisy_reading_is_refused_with_its_figures(tmp_path):
    (tmp_path / "nets.py").write_text(
        "import time\nfrom torch import nn\n"
        "begun = time.monotonic()\n"
        "class Slower(nn.Module):\n"
        "    def forward(self, x):\n"
        "        time.sleep(0.001 + 0.004 * (time.monotonic() - begun))\n"
        "        return x\n"
        "def net(arch): return Slower()\n"
    )
    evaluator = load_evaluator(f"latency:{tmp_path / 'nets.py'}:net@1x2,seconds=0.5", SPACE)
    with pytest.raises(
        NasbuildError, match=r"too noisy: .* ms, spread [\d.]+% over \d+ visits, above the tolerance of 5.0%"
    ):
        evaluator.measure(SOME[0])
    assert set(evaluator([SOME[0]])[0].values()) == {None}


def test_where_none_can_be_built_each_says_why(tmp_path):
    (tmp_path / "nets.py").write_text("def net(arch): raise ValueError(f'{len(arch)} is no network')\n")
    evaluator = load_evaluator(f"latency:{tmp_path / 'nets.py'}:net@1x2", SPACE)
    assert [str(one) for one in evaluator.outcomes(SOME)] == ["1 is no network"] * len(SOME)


def test_workers_do_not_disturb_each_other():
    with pytest.raises(NasbuildError, match="it has one process; leave --workers and --ray out"):
        next(Pool(2).run(Spec("latency:digits", SPACE), lambda _: []))
