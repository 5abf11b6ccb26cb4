"""Latency estimates and their spread on simulated machines, quiet and noisy ones."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nasbuild.evaluate.latency._core_pace import CorePace
from nasbuild.evaluate.latency._estimate import (
    MIN_SPREAD,
    PROCESSES,
    ProcessSamples,
    estimate_latencies,
    merge_samples,
)
from nasbuild.evaluate.latency._sampling import ROUNDS, sample_passes


class Machine:
    """A simulated machine with its own clock, on which passes take given times and are interrupted."""

    def __init__(
        self,
        *,
        jitter=0.0,
        interrupted=0.0,
        speed=lambda _: 1.0,
        seen=True,
        layout=0.0,
        between=0.0,
        warm=0,
        seed=0,
    ):
        self.now, self.rng = 0.0, random.Random(seed)
        self.jitter, self.interrupted, self.speed, self.seen = jitter, interrupted, speed, seen
        self.layout, self.between, self.warm = layout, between, warm
        self.order, self.made, self.process, self.runs = [], 0, 1.0, []

    def factory(self, name, seconds):
        def make():
            self.made += 1
            seconds_here = seconds * self.process * (1 + self.layout * self.rng.uniform(-1, 1))
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

    def probe(self):
        """Probe of the pace; it follows the speed of the machine, or not."""
        took = 1.5e-5 * (self.speed(self.now) if self.seen else 1)
        self.now += 5 * took
        return took

    def sample(self, seconds, least, most):
        """Samples of one process."""
        self.process = 1 + self.between * self.rng.gauss(0, 1)
        passes = [self.factory(i, s) for i, s in enumerate(seconds)]
        start, clock = self.now, lambda: self.now
        pace = CorePace(self.probe, clock)
        reference, *samples = sample_passes(
            passes, self.factory("reference", 1e-3), pace, least=least, most=most, clock=clock
        )
        self.runs.append(self.now - start)
        return ProcessSamples(reference, samples, pace.full, self.now - start)

    def time(self, seconds, *, tolerance=0.05, budget=1.0):
        return estimate_latencies(
            lambda least, most: self.sample(seconds, least, most),
            tolerance=tolerance,
            seconds=budget * len(seconds),
        )


def steady(seconds):
    """Two samples at full pace."""
    return [(seconds, 1.0)] * 2


def test_on_a_quiet_machine_the_estimate_is_exact():
    machine = Machine()
    timings = machine.time([1e-3, 2e-3, 5e-2], budget=10)
    assert [t.latency for t in timings] == pytest.approx([1, 2, 50])
    # The smallest stated spread: in another hour the machine may differ by that much.
    assert [t.relative for t in timings] == pytest.approx([MIN_SPREAD] * 3)
    assert [t.own_spread for t in timings] == pytest.approx([0, 0, 0], abs=1e-9)
    assert timings[0].reference == pytest.approx(1)
    assert timings[0].samples == PROCESSES * ROUNDS
    assert len(machine.runs) == PROCESSES


def test_interruptions_and_cold_starts_hardly_change_the_estimate():
    machine = Machine(jitter=0.02, interrupted=0.2, warm=3)
    seconds = [1e-3, 1.1e-3, 1.2e-3]
    for timing, truth in zip(machine.time(seconds), seconds, strict=True):
        assert timing.latency == pytest.approx(1e3 * truth, rel=0.02)
        assert timing.relative < 0.02


@pytest.mark.parametrize("period", [0.05, 0.2, 0.5])
def test_the_estimate_excludes_a_neighbour_that_comes_and_goes(period):
    """Most of the time another process on the same core doubles all times."""
    machine = Machine(jitter=0.02, speed=lambda now: 2.0 if now % period > 0.3 * period else 1.0)
    seconds = [1e-3, 1.1e-3, 4e-3]
    for timing, truth in zip(machine.time(seconds, budget=10), seconds, strict=True):
        assert timing.latency == pytest.approx(1e3 * truth, rel=0.03)
        assert timing.relative < 0.05


@pytest.mark.parametrize("often", [0.04, 0.6, 1.0])
def test_a_core_that_changes_its_pace_is_timed_at_full_pace(often):
    """For a part of each half second the core is at full pace; otherwise all is 12 % slower."""

    def speed(now):
        return 1.0 if now % 0.5 <= 0.5 * often else 1.12

    timings = Machine(speed=speed, jitter=0.005).time([1e-3, 3e-3], budget=10)
    assert [t.latency for t in timings] == pytest.approx([1, 3], rel=0.005)
    assert [t.relative for t in timings] == pytest.approx([MIN_SPREAD] * 2)


def test_without_probing_the_pace_the_estimate_would_be_that_of_the_slow_core():
    def speed(now):
        return 1.0 if now % 0.5 <= 0.02 else 1.12

    (timing,) = Machine(speed=speed, seen=False).time([1e-3], budget=10)
    assert timing.latency == pytest.approx(1.12, rel=0.01)
    assert timing.relative < 0.02


def test_if_few_processes_met_the_full_pace_the_spread_covers_the_slowdown():
    # At full pace for half a second of twenty; five processes of two seconds each.
    machine = Machine(speed=lambda now: 1.0 if now % 20 < 0.5 else 1.12)
    (timing,) = machine.time([1e-3], budget=10)
    assert timing.latency == pytest.approx(1.12, rel=0.01)
    assert 0.07 < timing.relative < 0.12
    assert timing.at_pace < 0.2


@pytest.mark.parametrize("milliseconds", [15, 40])
def test_a_rare_full_pace_is_within_the_spread(milliseconds):
    """The core is at full pace for some milliseconds of every two seconds."""
    machine = Machine(speed=lambda now: 1.0 if 1 < now % 2 < 1 + milliseconds / 1e3 else 1.12)
    (timing,) = machine.time([1e-3], budget=20)
    assert abs(timing.latency - 1) <= timing.spread


def test_a_pace_that_the_core_does_not_hold_is_given_up():
    """A core that is fast only while it is cool."""
    machine = Machine(speed=lambda now: 0.8 if now < 1 else 1.0)
    (timing,) = machine.time([1e-3], budget=60)
    assert timing.latency == pytest.approx(1)
    assert timing.relative == pytest.approx(MIN_SPREAD)
    assert len(machine.runs) == 2 * PROCESSES
    assert machine.now < 62


def test_if_short_windows_are_unsteady_longer_ones_use_the_remaining_time():
    # Undisturbed for 1 s of every 4: a window of 0.8 s may miss it, one of 5 s never does.
    machine = Machine(speed=lambda now: 1.0 if now % 4 < 1 else 2.0, seen=False)
    (timing,) = machine.time([1e-3], budget=60)
    assert timing.latency == pytest.approx(1)
    assert timing.relative < 0.05
    assert len(machine.runs) == 2 * PROCESSES
    assert max(machine.runs[:PROCESSES]) < 2 < min(machine.runs[PROCESSES:])
    assert machine.now == pytest.approx(60, rel=0.02)
    (short,) = Machine(speed=machine.speed, seen=False).time([1e-3], budget=8)
    assert short.relative > 0.2


def test_estimates_within_the_tolerance_are_repeated_if_most_are_unsteady():
    """A neighbour costs 5 % for three of four seconds, which is within the tolerance."""
    machine = Machine(speed=lambda now: 1.0 if now % 4 < 1 else 1.05, seen=False)
    timings = machine.time([1e-3, 2e-3], budget=40, tolerance=0.2)
    assert [t.latency for t in timings] == pytest.approx([1, 2])
    assert [t.relative for t in timings] == pytest.approx([MIN_SPREAD] * 2)
    assert len(machine.runs) == 2 * PROCESSES


def test_a_slow_moment_affects_all_passes_alike():
    # Twice as slow for most of the time.
    machine = Machine(speed=lambda now: 2.0 if now > 2.5 else 1.0)
    first, second, third = machine.time([1e-3, 1e-3, 2e-3], budget=3)
    assert first.latency == pytest.approx(second.latency, rel=0.01)
    assert third.latency == pytest.approx(2 * first.latency, rel=0.01)
    # A latency that doubles for a part of the time is not known to 5 %.
    assert first.relative > 0.2
    assert first.spread == pytest.approx(second.spread, rel=0.05)


def test_each_round_samples_the_networks_in_a_new_order():
    machine = Machine()
    machine.sample([1e-2] * 5, 1.0, 100.0)
    sampled = [
        name for name, before in zip(machine.order, [None, *machine.order], strict=False) if name != before
    ]
    rounds = [name for name in sampled if name != "reference"]
    orders = {tuple(rounds[i : i + 5]) for i in range(len(rounds) - 50, len(rounds) - 5, 5)}
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(orders) > 3


def test_the_spread_covers_the_effect_of_memory_placement():
    machine = Machine(layout=0.04)
    (timing,) = machine.time([1e-3])
    # Samples of passes that are made only once would all be equal.
    assert machine.made >= 2 * PROCESSES * ROUNDS // 4
    assert 0.01 < timing.relative < 0.05
    (other,) = Machine(layout=0.04, seed=1).time([1e-3])
    assert abs(timing.latency - other.latency) <= timing.spread + other.spread


def test_sweeps_agree_within_their_spreads_if_processes_differ():
    """Each process is faster or slower than others by some 2 %, for all its passes."""
    pairs = []
    for seed in range(100):
        (first,), (second,) = (
            Machine(between=0.02, seed=2 * seed + i).time([1e-2], budget=2) for i in (0, 1)
        )
        pairs.append(
            (abs(first.latency - second.latency), first.spread + second.spread, abs(first.latency - 10))
        )
    apart, allowed, wrong = np.array(pairs).T
    assert (apart <= allowed).mean() >= 0.97
    # And the spread is not too large: it is close to the difference between processes.
    assert np.median(allowed) / 2 == pytest.approx(0.2, rel=0.3)
    # One process alone would be off by 0.13 ms in half of all cases.
    assert np.median(wrong) < 0.1


def test_the_spread_is_at_least_the_typical_one_of_passes_timed_together():
    def processes(spreads):
        """Two windows in each of five processes, such that half the distance of their quantiles is the spread."""
        windows = np.repeat([-1.0, -1.0, 0.0, 1.0, 1.0], 2).reshape(PROCESSES, 2)
        return [
            ProcessSamples(
                steady(1e-3), [[(t, 1.0) for t in 1e-3 * (1 + s * two)] for s in spreads], 1.0, 1.0
            )
            for two in windows
        ]

    def estimates(spreads):
        remaining = iter(processes(spreads))
        return estimate_latencies(lambda *_: next(remaining), tolerance=1, seconds=1)

    assert [t.relative for t in estimates([0.02, 0.06, 0.08])] == pytest.approx([0.06, 0.06, 0.08])
    assert [t.own_spread for t in estimates([0.02, 0.06, 0.08])] == pytest.approx([0.02, 0.06, 0.08])
    # Half of them are steady: the others are no evidence against these.
    assert [t.relative for t in estimates([0.02, 0.02, 0.06, 0.08])] == pytest.approx(
        [0.02, 0.02, 0.06, 0.08]
    )
    assert [t.relative for t in estimates([0.02, 0.3])] == pytest.approx([0.02, 0.3])
    assert [t.relative for t in estimates([0.03])] == pytest.approx([0.03])


def test_samples_of_processes_that_share_the_passes_are_merged():
    first = ProcessSamples(steady(1.0), [steady(2.0), ValueError("no")], 1.5, 4.0)
    second = ProcessSamples(steady(5.0), [steady(6.0)], 1.0, 7.0)
    both = merge_samples([first, second])
    assert both.reference == [*first.reference, *second.reference]
    assert both.passes == [*first.passes, *second.passes]
    assert (both.full, both.seconds) == (1.0, 11.0)


def test_a_pass_that_fails_in_one_process_has_failed():
    error = ValueError("no")
    remaining = iter([[steady(1e-3)] * 2] * 4 + [[error, steady(1e-3)]])
    found = estimate_latencies(
        lambda *_: ProcessSamples(steady(1e-3), next(remaining), 1.0, 0.1), tolerance=1, seconds=1
    )
    assert found[0] is error
    assert found[1].latency == pytest.approx(1)
    only = estimate_latencies(lambda *_: ProcessSamples([], [error], 1.0, 0.1), tolerance=1, seconds=1)
    assert only == [error]


def test_the_time_budget_holds_if_no_estimate_is_precise():
    # One machine gets hotter and slower all the time.
    quiet, hot = Machine(), Machine(speed=lambda now: 1 + now / 20)
    quiet.time([1e-3], budget=20)
    (timing,) = hot.time([1e-3], budget=20)
    assert 8 <= quiet.now < 9
    assert 20 <= hot.now < 21
    assert timing.relative > 0.05


def test_long_passes_get_two_samples_in_each_process():
    machine = Machine()
    (timing,) = machine.time([10.0], budget=2)
    assert timing.samples == 2 * PROCESSES
    assert timing.latency == pytest.approx(1e4)
