"""Latency of real networks, and which estimates are rejected."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import (
    NoisyLatencyError,
    Pool,
    Spec,
    Store,
    evaluate_all,
    load_evaluator,
)
from nasbuild.evaluate.latency import _estimate, _measure
from nasbuild.evaluate.latency._estimate import LatencyEstimate
from nasbuild.evaluate.latency._measure import latency_metrics
from nasbuild.evaluate.latency._sampling_process import sample_job
from nasbuild.evaluate.latency._settings import LatencySettings, parse_latency
from nasbuild.space import load_space, sample, to_dict

SPACE = load_space("digits-macro")
SOME = sample(SPACE, 4, np.random.default_rng(0))


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
        ("tolerance=nan", "tolerance is 'nan'; allowed: numbers from 0.015"),
        ("tolerance=0.005", "tolerance is '0.005'; allowed: numbers from 0.015"),
        ("seconds=-1", "seconds is '-1'; allowed: numbers above 0"),
        ("provider=CPUExecutionProvider", "provider is not an option of runtime torch"),
        ("runtime=onnxruntime,device=cpu", "device is not an option of runtime onnxruntime"),
    ],
)
def test_invalid_options_are_rejected(options, message):
    with pytest.raises(NasbuildError, match=message):
        load_evaluator(f"latency:digits,{options}", SPACE)


def test_options_are_parsed():
    name, settings = parse_latency("nets.py:net@1x3x8x8,device=cuda,threads=3,tolerance=0.1,seconds=7", "")
    assert name == "nets.py:net@1x3x8x8"
    assert settings == LatencySettings(device="cuda", threads=3, tolerance=0.1, seconds=7.0)


def test_a_missing_device_or_runtime_is_an_error_before_anything_is_measured(monkeypatch):
    if not torch.cuda.is_available():
        with pytest.raises(NasbuildError, match="torch finds no CUDA device"):
            load_evaluator("latency:digits,device=cuda", SPACE)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        NasbuildError, match=r"needs onnxruntime, which is not installed; pip install 'nasbuild\[onnx\]'"
    ):
        load_evaluator("latency:digits,runtime=onnxruntime", SPACE)


def test_a_missing_provider_is_an_error():
    pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    with pytest.raises(NasbuildError, match=r"has no provider 'NoProvider'; allowed: .*CPUExecutionProvider"):
        load_evaluator("latency:digits,runtime=onnxruntime,provider=NoProvider", SPACE)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_a_sweep_of_real_networks_is_evaluated_into_a_store(runtime, tmp_path, monkeypatch):
    """Errors of the user's own classes are stored by their names, as those of Python are.

    There are twice as many processes if one does not hold all networks. What networks print does not matter.
    """
    monkeypatch.setattr(_estimate, "PROCESSES", 1)
    monkeypatch.setattr(_measure, "_PER_PROCESS", 3)
    if runtime == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    script, seen = tmp_path / "nets.py", tmp_path / "seen"
    script.write_text(
        "import os\nfrom torch import nn\n"
        f"print('made')\nwith open({str(seen)!r}, 'a') as file: print(os.getpid(), file=file)\n"
        "class Unfit(Exception): pass\n"
        "def net(arch):\n"
        "    first = arch['stages'][0]\n"
        "    if len(first) == 2: raise Unfit('two layers') if first[0] == first[1] else ValueError('unequal')\n"
        "    wide = 32 if first == [{'op': 'mb_e1_k3'}] else 256\n"
        "    return nn.Sequential(nn.Conv2d(3, wide, 3), nn.ReLU(), nn.Conv2d(wide, wide, 3))\n"
    )
    small, large = ("mb_e1_k3",), ("mb_e6_k5",)
    many = sample(SPACE, 200, np.random.default_rng(1))
    few = [
        next(a for a in many if a.modules[0] == module)
        for module in ((small,), (small, small), (large,), (small, large))
    ]
    threads = torch.get_num_threads()
    name = f"latency:{script}:net@1x3x16x16,runtime={runtime},threads=2,tolerance=100,seconds=0.01"
    store = Store(tmp_path / "s.db", SPACE, name)
    results = evaluate_all(Spec(name, SPACE), few, store)
    thin, unfit, wide, unequal = (results[a] for a in few)
    assert set(thin.metrics) == {"latency_ms", "latency_ms_spread", "reference_ms"}
    assert set(store.table().columns) == set(thin.metrics)
    # 64 times the multiply-accumulates.
    assert 0 < 2 * thin.metrics["latency_ms"] < wide.metrics["latency_ms"]
    # One sweep: all share the reference.
    assert thin.metrics["reference_ms"] == wide.metrics["reference_ms"] > 0
    assert len({r.seconds for r in results.values()}) == 1
    assert (unfit.reason, unequal.reason) == ("Unfit: two layers", "ValueError: unequal")
    store.close()
    pids = [int(pid) for pid in seen.read_text().split()]
    if runtime == "torch":
        assert len([pid for pid in pids if pid != os.getpid()]) == len({*pids} - {os.getpid()}) == 2
    else:
        assert set(pids) == {os.getpid()}
    assert torch.get_num_threads() == threads


@pytest.fixture
def one_process(monkeypatch):
    """Networks are timed in this process, as each other one imports PyTorch."""
    monkeypatch.setattr(_measure, "sample_in_process", sample_job)


@pytest.mark.usefixtures("one_process")
def test_a_noisy_latency_is_an_error_with_its_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(_estimate, "PROCESSES", 2)
    script = tmp_path / "nets.py"
    script.write_text(
        "import time\nfrom pathlib import Path\nfrom torch import nn\n"
        "count = Path(__file__).with_name('count')\n"
        "count.write_text(count.read_text() + 'x' if count.exists() else 'x')\n"
        "class Slower(nn.Module):\n"
        "    def forward(self, x):\n"
        "        time.sleep(0.001 * len(count.read_text()))\n"
        "        return x\n"
        "def net(arch): return Slower()\n"
    )
    evaluator = load_evaluator(f"latency:{script}:net@1x2,seconds=0.1", SPACE)
    with pytest.raises(
        NasbuildError,
        match=r"too noisy: .* ms, spread [\d.]+% over \d+ samples( \(.*\))?, above the tolerance of 5.0%",
    ) as raised:
        evaluator.measure(SOME[0])
    assert isinstance(raised.value, NoisyLatencyError)
    assert raised.value.estimate.relative > 0.05


def test_a_steady_latency_among_unsteady_ones_is_rejected_with_the_reason():
    settings = LatencySettings()
    estimate = LatencyEstimate(
        latency=2.0, spread=0.16, reference=1.0, samples=80, at_pace=1.0, own_spread=0.04, typical=0.08
    )
    assert (
        "spread 8.0% over 80 samples (2.0% alone, but most networks in the same sweep are unsteady)"
        in str(latency_metrics(estimate, settings))
    )
    unsteady = LatencyEstimate(
        latency=2.0, spread=0.2, reference=1.0, samples=80, at_pace=1.0, own_spread=0.2, typical=0.08
    )
    assert "spread 10.0% over 80 samples, above the tolerance of 5.0%" in str(
        latency_metrics(unsteady, settings)
    )
    slow = replace(unsteady, at_pace=0.04)
    assert "over 80 samples (the core was at full pace in 4% of all samples), above the tol" in str(
        latency_metrics(slow, settings)
    )
    steady = LatencyEstimate(
        latency=2.0, spread=0.04, reference=1.0, samples=80, at_pace=1.0, own_spread=0.04, typical=0.01
    )
    assert latency_metrics(steady, settings) == {
        "latency_ms": 2.0,
        "latency_ms_spread": 0.04,
        "reference_ms": 1.0,
    }


def test_a_network_that_ends_its_process_does_not_fail_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(_estimate, "PROCESSES", 1)
    script = tmp_path / "nets.py"
    script.write_text(
        "import os\nfrom torch import nn\n"
        "class Deadly(nn.Module):\n"
        "    def forward(self, x): os._exit(7)\n"
        f"def net(arch): return Deadly() if arch['stages'] == {to_dict(SPACE, SOME[1])['stages']!r} else nn.Linear(2, 2)\n"
    )
    evaluator = load_evaluator(f"latency:{script}:net@1x2,tolerance=100,seconds=0.01", SPACE)
    first, second = evaluator.raw_results(SOME[:2])
    assert str(second) == "the process that timed it died (exit code 7)"
    assert first["latency_ms"] > 0


@pytest.mark.usefixtures("one_process")
def test_if_no_network_can_be_built_each_reports_its_error(tmp_path):
    (tmp_path / "nets.py").write_text(
        "class Unfit(Exception): pass\n"
        "def net(arch):\n"
        "    depth = len(arch['stages'][0])\n"
        "    raise Unfit('two layers') if depth == 2 else ValueError(f'{depth} is no network')\n"
    )
    evaluator = load_evaluator(f"latency:{tmp_path / 'nets.py'}:net@1x2", SPACE)
    many = sample(SPACE, 60, np.random.default_rng(1))
    one, two = (next(a for a in many if len(a.modules[0]) == depth) for depth in (1, 2))
    errors = [str(error) for error in evaluator.raw_results([one, two])]
    assert errors == ["1 is no network", "Unfit: two layers"]


def test_latency_takes_no_workers():
    with pytest.raises(NasbuildError, match="it can't use workers; leave --workers and --ray out"):
        next(Pool(2).run(Spec("latency:digits", SPACE), lambda _: []))
