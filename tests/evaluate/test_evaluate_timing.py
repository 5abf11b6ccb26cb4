"""Timing on machines whose clock is ours: what is told on a noisy one, and how surely."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nasbuild.evaluate.latency._core_pace import Pace
from nasbuild.evaluate.latency._estimate import LEAST_SPREAD, PROCESSES, Visits, joined, time_in_processes
from nasbuild.evaluate.latency._timing import ROUNDS, visit_passes


class Machine:
    """A machine with a clock of its own, on which passes take what they are said to, and are interrupted."""

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

    def fresh(self, name, seconds):
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

    def product(self):
        """What paces are read by; it has its speed, or does not see it."""
        took = 3e-6 * (self.speed(self.now) if self.seen else 1)
        self.now += 5 * took
        return took

    def visits(self, seconds, least, most):
        """One process."""
        self.process = 1 + self.between * self.rng.gauss(0, 1)
        passes = [self.fresh(i, s) for i, s in enumerate(seconds)]
        start, clock = self.now, lambda: self.now
        pace = Pace(self.product, clock)
        reference, *visits = visit_passes(
            passes, self.fresh("reference", 1e-3), pace, least=least, most=most, clock=clock
        )
        self.runs.append(self.now - start)
        return Visits(reference, visits, pace.full, self.now - start)

    def time(self, seconds, *, tolerance=0.05, budget=1.0):
        return time_in_processes(
            lambda least, most: self.visits(seconds, least, most),
            tolerance=tolerance,
            seconds=budget * len(seconds),
        )


def steady(seconds):
    """Two visits at full pace."""
    return [(seconds, 1.0)] * 2


def test_a_quiet_machine_tells_what_passes_take():
    machine = Machine()
    timings = machine.time([1e-3, 2e-3, 5e-2], budget=10)
    assert [t.latency for t in timings] == pytest.approx([1, 2, 50])
    # No machine tells more surely than that what a pass takes in another hour.
    assert [t.relative for t in timings] == pytest.approx([LEAST_SPREAD] * 3)
    assert [t.own for t in timings] == pytest.approx([0, 0, 0], abs=1e-9)
    assert timings[0].reference == pytest.approx(1)
    assert timings[0].visits == PROCESSES * ROUNDS
    assert len(machine.runs) == PROCESSES


def test_interruptions_and_cold_starts_hardly_show():
    machine = Machine(jitter=0.02, interrupted=0.2, warm=3)
    seconds = [1e-3, 1.1e-3, 1.2e-3]
    for timing, truth in zip(machine.time(seconds), seconds, strict=True):
        assert timing.latency == pytest.approx(1e3 * truth, rel=0.02)
        assert timing.relative < 0.02


@pytest.mark.parametrize("period", [0.05, 0.2, 0.5])
def test_a_neighbour_that_comes_and_goes_is_seen_through(period):
    """Most of the time something else runs on the same core, and nothing is half as fast."""
    machine = Machine(jitter=0.02, speed=lambda now: 2.0 if now % period > 0.3 * period else 1.0)
    seconds = [1e-3, 1.1e-3, 4e-3]
    for timing, truth in zip(machine.time(seconds, budget=10), seconds, strict=True):
        assert timing.latency == pytest.approx(1e3 * truth, rel=0.03)
        assert timing.relative < 0.05


@pytest.mark.parametrize("often", [0.04, 0.6, 1.0])
def test_a_core_that_changes_its_pace_is_read_at_its_full_one(often):
    """For a part of each half second nothing slows it; else it has another clock, and all is 12 % slower."""

    def speed(now):
        return 1.0 if now % 0.5 <= 0.5 * often else 1.12

    timings = Machine(speed=speed, jitter=0.005).time([1e-3, 3e-3], budget=10)
    assert [t.latency for t in timings] == pytest.approx([1, 3], rel=0.005)
    assert [t.relative for t in timings] == pytest.approx([LEAST_SPREAD] * 2)


def test_without_the_pace_another_hour_would_be_another_latency():
    def speed(now):
        return 1.0 if now % 0.5 <= 0.02 else 1.12

    (timing,) = Machine(speed=speed, seen=False).time([1e-3], budget=10)
    assert timing.latency == pytest.approx(1.12, rel=0.01)
    assert timing.relative < 0.02


def test_where_few_processes_met_the_full_pace_the_spread_holds_what_that_may_be_worth():
    # For half a second of twenty; five processes of two seconds each.
    machine = Machine(speed=lambda now: 1.0 if now % 20 < 0.5 else 1.12)
    (timing,) = machine.time([1e-3], budget=10)
    assert timing.latency == pytest.approx(1.12, rel=0.01)
    assert 0.07 < timing.relative < 0.12
    assert timing.at_pace < 0.2


@pytest.mark.parametrize("milliseconds", [15, 40])
def test_a_full_pace_that_is_rare_is_known(milliseconds):
    """For some milliseconds of every two seconds; what is read tells it, or how far from it that may be."""
    machine = Machine(speed=lambda now: 1.0 if 1 < now % 2 < 1 + milliseconds / 1e3 else 1.12)
    (timing,) = machine.time([1e-3], budget=20)
    assert abs(timing.latency - 1) <= timing.spread


def test_a_pace_that_no_core_holds_is_given_up():
    """A core that is fast as long as it is cool."""
    machine = Machine(speed=lambda now: 0.8 if now < 1 else 1.0)
    (timing,) = machine.time([1e-3], budget=60)
    assert timing.latency == pytest.approx(1)
    assert timing.relative == pytest.approx(LEAST_SPREAD)
    assert len(machine.runs) == 2 * PROCESSES
    assert machine.now < 62


def test_where_short_looks_are_unsteady_longer_ones_take_what_time_is_left():
    # Free for 1 s of every 4: a look of 0.8 s meets it or not, one of 5 s always.
    machine = Machine(speed=lambda now: 1.0 if now % 4 < 1 else 2.0, seen=False)
    (timing,) = machine.time([1e-3], budget=60)
    assert timing.latency == pytest.approx(1)
    assert timing.relative < 0.05
    assert len(machine.runs) == 2 * PROCESSES
    assert max(machine.runs[:PROCESSES]) < 2 < min(machine.runs[PROCESSES:])
    assert machine.now == pytest.approx(60, rel=0.02)
    (short,) = Machine(speed=machine.speed, seen=False).time([1e-3], budget=8)
    assert short.relative > 0.2


def test_readings_within_the_tolerance_are_made_surer_where_most_are_unsteady():
    """A neighbour costs 5 %, for three of four seconds; the tolerance would let that pass."""
    machine = Machine(speed=lambda now: 1.0 if now % 4 < 1 else 1.05, seen=False)
    timings = machine.time([1e-3, 2e-3], budget=40, tolerance=0.2)
    assert [t.latency for t in timings] == pytest.approx([1, 2])
    assert [t.relative for t in timings] == pytest.approx([LEAST_SPREAD] * 2)
    assert len(machine.runs) == 2 * PROCESSES


def test_a_slow_moment_falls_on_all_alike():
    # Twice as slow for most of the time.
    machine = Machine(speed=lambda now: 2.0 if now > 2.5 else 1.0)
    first, second, third = machine.time([1e-3, 1e-3, 2e-3], budget=3)
    assert first.latency == pytest.approx(second.latency, rel=0.01)
    assert third.latency == pytest.approx(2 * first.latency, rel=0.01)
    # What is twice as slow for a part of the time is not known to 5 %.
    assert first.relative > 0.2
    assert first.spread == pytest.approx(second.spread, rel=0.05)


def test_networks_take_turns_in_a_new_order_each_round():
    machine = Machine()
    machine.visits([1e-2] * 5, 1.0, 100.0)
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
    # Visits to passes that are made once would all be the same.
    assert machine.made >= 2 * PROCESSES * ROUNDS // 4
    assert 0.01 < timing.relative < 0.05
    (other,) = Machine(layout=0.04, seed=1).time([1e-3])
    assert abs(timing.latency - other.latency) <= timing.spread + other.spread


def test_runs_agree_within_their_spreads_where_processes_differ():
    """Each process is faster or slower than others by some 2 %, with all that it times."""
    pairs = []
    for seed in range(200):
        (one,), (other,) = (Machine(between=0.02, seed=2 * seed + i).time([1e-2], budget=2) for i in (0, 1))
        pairs.append((abs(one.latency - other.latency), one.spread + other.spread, abs(one.latency - 10)))
    apart, allowed, wrong = np.array(pairs).T
    assert (apart <= allowed).mean() >= 0.97
    # The spread is no excuse either: it is near what processes differ by.
    assert np.median(allowed) / 2 == pytest.approx(0.2, rel=0.3)
    # One process alone would be off by 0.13 ms in half of all cases.
    assert np.median(wrong) < 0.1


def test_of_passes_timed_together_none_is_much_surer_than_most():
    def visits(spreads):
        """Two looks of each of five processes, so that half the distance of their quantiles is a pass's spread."""
        looks = np.repeat([-1.0, -1.0, 0.0, 1.0, 1.0], 2).reshape(PROCESSES, 2)
        return [
            Visits(steady(1e-3), [[(t, 1.0) for t in 1e-3 * (1 + s * two)] for s in spreads], 1.0, 1.0)
            for two in looks
        ]

    def told(spreads):
        left = iter(visits(spreads))
        return time_in_processes(lambda *_: next(left), tolerance=1, seconds=1)

    assert [t.relative for t in told([0.02, 0.06, 0.08])] == pytest.approx([0.06, 0.06, 0.08])
    assert [t.own for t in told([0.02, 0.06, 0.08])] == pytest.approx([0.02, 0.06, 0.08])
    # Half of them are steady: the others say nothing against these.
    assert [t.relative for t in told([0.02, 0.02, 0.06, 0.08])] == pytest.approx([0.02, 0.02, 0.06, 0.08])
    assert [t.relative for t in told([0.02, 0.3])] == pytest.approx([0.02, 0.3])
    assert [t.relative for t in told([0.03])] == pytest.approx([0.03])


def test_processes_that_share_the_passes_are_as_one():
    one = Visits(steady(1.0), [steady(2.0), ValueError("no")], 1.5, 4.0)
    other = Visits(steady(5.0), [steady(6.0)], 1.0, 7.0)
    both = joined([one, other])
    assert both.reference == [*one.reference, *other.reference]
    assert both.passes == [*one.passes, *other.passes]
    assert (both.full, both.seconds) == (1.0, 11.0)


def test_what_fails_in_one_process_has_failed():
    error = ValueError("no")
    left = iter([[steady(1e-3)] * 2] * 4 + [[error, steady(1e-3)]])
    found = time_in_processes(lambda *_: Visits(steady(1e-3), next(left), 1.0, 0.1), tolerance=1, seconds=1)
    assert found[0] is error
    assert found[1].latency == pytest.approx(1)
    only = time_in_processes(lambda *_: Visits([], [error], 1.0, 0.1), tolerance=1, seconds=1)
    assert only == [error]


def test_time_ends_where_no_reading_is_precise():
    # One gets hot and slower all the time.
    quiet, hot = Machine(), Machine(speed=lambda now: 1 + now / 20)
    quiet.time([1e-3], budget=20)
    (timing,) = hot.time([1e-3], budget=20)
    assert 8 <= quiet.now < 9
    assert 20 <= hot.now < 21
    assert timing.relative > 0.05


def test_passes_that_take_long_are_visited_twice_in_each_process():
    machine = Machine()
    (timing,) = machine.time([10.0], budget=2)
    assert timing.visits == 2 * PROCESSES
    assert timing.latency == pytest.approx(1e4)
