"""The pace of a core: what is its full one, and what has it."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.evaluate.latency._core_pace import ALIKE, Pace, _on_a_page, product
from nasbuild.evaluate.latency._onnx_runtime import OnnxRuntime, _OnnxJob
from nasbuild.evaluate.latency._timing_process import timed
from nasbuild.evaluate.latency._torch_runtime import TorchRuntime
from nasbuild.space import load_space


class Core:
    """A core whose paces are said beforehand; each is read in five times what it is."""

    def __init__(self, paces):
        self.left, self.now = list(paces), 0.0

    def read(self):
        pace = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        self.now += 5 * pace
        return pace

    def pace(self):
        return Pace(self.read, lambda: self.now)


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


def test_it_waits_for_the_full_pace_as_long_as_it_may():
    core = Core([1.0, 1.2, 1.2, 1.01, 1.2])
    pace = core.pace()
    pace.wait(math.inf)
    assert core.now == pytest.approx(5 * (1 + 1.2 + 1.2 + 1.01))
    pace.wait(core.now + 20)
    assert core.now == pytest.approx(5 * (1 + 1.2 + 1.2 + 1.01) + 5 * 1.2 * 5)


def test_what_was_computed_had_the_slower_one_of_the_paces_before_and_after():
    core = Core([1.0, 1.0, 1.3, 1.0, 1.0])
    pace = core.pace()
    pace.wait(math.inf)
    # A core that computed with few of its units is slow at first.
    assert pace.since(core.now) == 1.0
    assert core.left == [1.0]
    slow = Core([1.0, 1.0] + [1.2] * 100)
    pace = slow.pace()
    pace.wait(math.inf)
    assert pace.since(slow.now) == 1.2
    slow.left = [1.0]
    assert pace.since(slow.now) == 1.2
    assert pace.since(slow.now) == 1.0 <= pace.limit() == ALIKE * pace.full


def test_a_clock_too_coarse_to_tell_paces_apart_stops_nothing():
    pace = Pace(lambda: 0.0, lambda: 0.0)
    pace.wait(math.inf)
    assert pace.since(0.0) == 0.0 <= pace.limit()


def test_the_product_takes_microseconds_wherever_memory_lies():
    assert all(_on_a_page().ctypes.data % 4096 == 0 for _ in range(9))
    assert _on_a_page().shape == (64, 64)
    read = product()
    assert 1e-8 < min(read() for _ in range(100)) < 1e-3


class Sleepless:
    def __init__(self, on_cores):
        self.on_cores = on_cores

    def ready(self):
        return contextlib.nullcontext()

    def passes(self):
        return [self.reference()]

    def reference(self):
        return lambda: lambda: sum(range(1000))


def test_devices_of_their_own_do_not_wait_for_the_cores():
    told = timed(Sleepless(False), 0.0, 0.05)
    assert {pace for _, pace in [*told.reference, *told.passes[0]]} == {1.0}
    told = timed(Sleepless(True), 0.0, 0.05)
    assert all(0 < pace < 1 for _, pace in [*told.reference, *told.passes[0]])
    assert 0 < told.full < 1

    space = load_space("digits-macro")
    assert TorchRuntime("cpu", 1).job("digits", space, []).on_cores
    assert not TorchRuntime("cuda", 1).job("digits", space, []).on_cores
    assert _OnnxJob(OnnxRuntime("CPUExecutionProvider", 1), [], (b"", np.zeros(1))).on_cores
    assert not _OnnxJob(OnnxRuntime("CUDAExecutionProvider", 1), [], (b"", np.zeros(1))).on_cores
