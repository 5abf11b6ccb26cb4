"""How long passes take in this process, on a machine that does other things too: many short visits, in turn."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

Pass = Callable[[], object]
"""One forward pass; returns when it is computed."""
Fresh = Callable[[], Pass]
"""Makes the same pass anew, with its weights in other places of memory."""

ROUNDS, _FEWEST = 16, 2  # visits to each, at least; where there is no time for these
_BURST = 0.004  # seconds that a visit takes where passes are short
_PASSES = (3, 20)  # in a visit: fewest, most
_STEADY, _WARM = 0.02, 2.0  # passes are steady if five more are not faster by this share; seconds at most
_BESIDE = 8  # visits between two of the reference
_RENEWED = 4  # rounds after which passes are made anew


def visit_passes(
    passes: Sequence[Fresh],
    reference: Fresh,
    *,
    least: float,
    most: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Seconds of every visit: to the reference first, then to each pass.

    Rounds visit all of them, each round in a new order, so that a slow moment of the machine falls on all alike. A
    visit is one pass that warms the caches and a few that are timed; its time is that of the fastest, since
    what else runs only ever adds to a pass. Every few rounds all passes are made anew: where in memory weights lie
    can change the time by some percent.

    Parameters
    ----------
    least, most
        Seconds. Rounds end when there were sixteen and ``least`` is over, or there were two and ``most`` is.
    clock
        Seconds.
    """
    makers = [reference, *passes]
    everyone = [fresh() for fresh in makers]
    bursts = [_warm_up(one, clock) for one in everyone]
    times: list[list[float]] = [[] for _ in everyone]
    start, rounds, order = clock(), 0, list(range(1, len(everyone)))
    shuffler = random.Random(0)
    while True:
        if rounds and rounds % _RENEWED == 0:
            for which, fresh in enumerate(makers):
                everyone[which] = _renewed(fresh)
        shuffler.shuffle(order)
        for position, which in enumerate(order):
            if position % _BESIDE == 0:
                times[0].append(_visit(everyone[0], bursts[0], clock))
            times[which].append(_visit(everyone[which], bursts[which], clock))
        rounds += 1
        spent = clock() - start
        if (rounds >= ROUNDS and spent >= least) or (rounds >= _FEWEST and spent >= most):
            return times


def _visit(one: Pass, burst: int, clock: Callable[[], float]) -> float:
    one()
    return min(_timed(one, clock) for _ in range(burst))


def _renewed(fresh: Fresh) -> Pass:
    one = fresh()
    for _ in range(2):
        one()
    return one


def _timed(one: Pass, clock: Callable[[], float]) -> float:
    start = clock()
    one()
    return clock() - start


def _warm_up(one: Pass, clock: Callable[[], float]) -> int:
    """Run until passes are steady; returns how many of them make a visit."""
    start = clock()
    best = _timed(one, clock)
    while True:
        found = min(_timed(one, clock) for _ in range(5))
        steady = found > best * (1 - _STEADY)
        best = min(best, found)
        if steady or clock() - start > _WARM:
            few, many = _PASSES
            return max(few, min(many, round(_BURST / best) if best > 0 else many))
