"""How long passes take in this process, on a machine that does other things too: many short visits, in turn."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from nasbuild.evaluate.latency._core_pace import Pace

Pass = Callable[[], object]
"""One forward pass; returns when it is computed."""
Fresh = Callable[[], Pass]
"""Makes the same pass anew, with its weights in other places of memory."""

Visit = tuple[float, float]
"""Seconds of a pass, and the pace of the core meanwhile."""

ROUNDS, FEWEST = 16, 2  # visits to each at full pace, at least; where there is no time for these
_BURST = 0.004  # seconds that a visit takes where passes are short
_PASSES = (3, 20)  # in a visit: fewest, most
_STEADY, _WARM = 0.02, 2.0  # passes are steady if five more are not faster by this share; seconds at most
_BESIDE = 8  # visits between two of the reference
_RENEWED = 4  # rounds after which passes are made anew


def visit_passes(
    passes: Sequence[Fresh],
    reference: Fresh,
    pace: Pace,
    *,
    least: float,
    most: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[Visit]]:
    """All visits: to the reference first, then to each pass.

    Rounds visit all of them, each round in a new order, so that a slow moment of the machine falls on all alike. A
    visit begins when the core has its full pace: one pass that warms the caches and a few that are timed; its time is
    that of the fastest at full pace, since what else runs only ever adds to a pass. Every few rounds all passes are made
    anew: where in memory weights lie can change the time by some percent.

    Parameters
    ----------
    least, most
        Seconds. Rounds end when there were sixteen visits at full pace to each and ``least`` is over, or there were two rounds
        and ``most`` is.
    clock
        Seconds.
    """
    makers = [reference, *passes]
    everyone = [fresh() for fresh in makers]
    bursts = [_warm_up(one, clock) for one in everyone]
    visits: list[list[Visit]] = [[] for _ in everyone]
    start, rounds, order = clock(), 0, list(range(1, len(everyone)))

    def visit(which: int) -> None:
        pace.wait(start + most)
        visits[which].append(_visit(everyone[which], bursts[which], pace, clock))

    shuffler = random.Random(0)
    while True:
        if rounds and rounds % _RENEWED == 0:
            for which, fresh in enumerate(makers):
                everyone[which] = _renewed(fresh)
        shuffler.shuffle(order)
        for position, which in enumerate(order):
            if position % _BESIDE == 0:
                visit(0)
            visit(which)
        rounds += 1
        spent = clock() - start
        if rounds >= FEWEST and spent >= most:
            return visits
        if rounds >= ROUNDS and spent >= least and _fewest_at(pace.limit(), visits) >= ROUNDS:
            return visits


def _fewest_at(limit: float, visits: Sequence[Sequence[Visit]]) -> int:
    return min(sum(pace <= limit for _, pace in one) for one in visits)


def _visit(one: Pass, bursts: Sequence[int], pace: Pace, clock: Callable[[], float]) -> Visit:
    begun = clock()
    one()
    pace.since(begun)
    found: list[Visit] = []
    for passes in bursts:
        begun = clock()
        seconds = min(_timed(one, clock) for _ in range(passes))
        found.append((seconds, pace.since(begun)))
    limit = pace.limit()
    return min(found, key=lambda visit: (visit[1] > limit, visit[0]))


def _renewed(fresh: Fresh) -> Pass:
    one = fresh()
    for _ in range(2):
        one()
    return one


def _timed(one: Pass, clock: Callable[[], float]) -> float:
    start = clock()
    one()
    return clock() - start


def _warm_up(one: Pass, clock: Callable[[], float]) -> list[int]:
    """Run until passes are steady; returns how many of them a visit times between two looks at the pace."""
    start = clock()
    best = _timed(one, clock)
    while True:
        found = min(_timed(one, clock) for _ in range(5))
        steady = found > best * (1 - _STEADY)
        best = min(best, found)
        if steady or clock() - start > _WARM:
            few, many = _PASSES
            # The pace may change within a long pass, and surely does within several.
            return [min(many, round(_BURST / max(best, 1e-9)))] if best * few < _BURST else [1] * few
