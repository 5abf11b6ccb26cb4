"""The pace of a core, its full pace, and waiting for it."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.evaluate.latency._core_pace import SAME_PACE, CorePace, _page_aligned, matrix_probe
from nasbuild.evaluate.latency._onnx_runtime import OnnxRuntime, _OnnxJob
from nasbuild.evaluate.latency._sampling_process import sample_job
from nasbuild.evaluate.latency._torch_runtime import TorchRuntime
from nasbuild.space import load_space


class Core:
    """A simulated core with given paces; a probe takes five times the pace."""

    def __init__(self, paces):
        self.remaining, self.now = list(paces), 0.0

    def probe(self):
        pace = self.remaining.pop(0) if len(self.remaining) > 1 else self.remaining[0]
        self.now += 5 * pace
        return pace

    def pace(self):
        return CorePace(self.probe, lambda: self.now)


@given(st.lists(st.floats(1.0, 9.0), min_size=1, max_size=60))
def test_the_full_pace_is_the_fastest_that_is_held_for_more_than_a_moment(paces):
    core = Core(paces)
    pace = core.pace()
    for _ in paces[1:]:
        pace.wait(0.0)
    at = np.array(paces)
    held = [
        t
        for t in sorted(paces)
        if at[np.floor(100 * np.log(at)) <= math.floor(100 * math.log(t))].sum() >= at.sum() / 500
    ]
    assert held[0] <= pace.full * (1 + 1e-9)
    assert pace.full <= held[0] * math.exp(0.0101)


def test_waiting_ends_at_the_full_pace_or_at_the_deadline():
    core = Core([1.0, 1.2, 1.2, 1.01, 1.2])
    pace = core.pace()
    pace.wait(math.inf)
    assert core.now == pytest.approx(5 * (1 + 1.2 + 1.2 + 1.01))
    pace.wait(core.now + 20)
    assert core.now == pytest.approx(5 * (1 + 1.2 + 1.2 + 1.01) + 5 * 1.2 * 5)


def test_the_pace_of_a_computation_is_the_slower_one_before_and_after_it():
    core = Core([1.0, 1.0, 1.3, 1.0, 1.0])
    pace = core.pace()
    pace.wait(math.inf)
    # A core with powered-down units is slow at first.
    assert pace.since(core.now) == 1.0
    assert core.remaining == [1.0]
    slow = Core([1.0, 1.0] + [1.2] * 100)
    pace = slow.pace()
    pace.wait(math.inf)
    assert pace.since(slow.now) == 1.2
    slow.remaining = [1.0]
    assert pace.since(slow.now) == 1.2
    assert pace.since(slow.now) == 1.0 <= pace.limit() == SAME_PACE * pace.full


def test_a_clock_too_coarse_to_distinguish_paces_does_no_harm():
    pace = CorePace(lambda: 0.0, lambda: 0.0)
    pace.wait(math.inf)
    assert pace.since(0.0) == 0.0 <= pace.limit()


def test_the_probe_takes_microseconds_at_any_place_in_memory():
    assert all(_page_aligned().ctypes.data % 4096 == 0 for _ in range(9))
    assert _page_aligned().shape == (64, 64)
    probe = matrix_probe()
    assert 1e-8 < min(probe() for _ in range(100)) < 1e-3


class SumJob:
    def __init__(self, on_host_cpu):
        self.on_host_cpu = on_host_cpu

    def context(self):
        return contextlib.nullcontext()

    def passes(self):
        return [self.reference()]

    def reference(self):
        return lambda: lambda: sum(range(1000))


def test_only_passes_on_the_host_cpu_wait_for_its_pace():
    samples = sample_job(SumJob(False), 0.0, 0.05)
    assert {pace for _, pace in [*samples.reference, *samples.passes[0]]} == {1.0}
    samples = sample_job(SumJob(True), 0.0, 0.05)
    assert all(0 < pace < 1 for _, pace in [*samples.reference, *samples.passes[0]])
    assert 0 < samples.full < 1

    space = load_space("digits-macro")
    assert TorchRuntime("cpu", 1).job("digits", space, []).on_host_cpu
    assert not TorchRuntime("cuda", 1).job("digits", space, []).on_host_cpu
    assert _OnnxJob(OnnxRuntime("CPUExecutionProvider", 1), [], (b"", np.zeros(1))).on_host_cpu
    assert not _OnnxJob(OnnxRuntime("CUDAExecutionProvider", 1), [], (b"", np.zeros(1))).on_host_cpu
