"""How long passes take on a machine that does other things too: many short visits, in turn, spread over time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Pass = Callable[[], object]
"""One forward pass; returns when it is computed."""
Fresh = Callable[[], Pass]
"""Makes the same pass anew, with its weights in other places of memory."""

ROUNDS, _FEWEST = 40, 10  # visits to each, at least; where there is no time for these
_LOOKS = 3, 10  # fewest and most
_OF_A_LOOK = 8  # visits that make one, at least, where there are more than the fewest looks
_UNDISTURBED = 0.1  # share of a look's visits that nothing disturbed
_BURST = 0.004  # seconds that a visit takes where passes are short
_PASSES = (3, 20)  # in a visit: fewest, most
_SPAN = 3.0  # seconds over which visits are spread, at least
_STEADY, _WARM = 0.02, 2.0  # passes are steady if five more are not faster by this share; seconds at most
_BESIDE = 8  # visits between two of the reference
_RENEWED = 4  # rounds after which passes are made anew
# Seconds, and share, by which a pass may differ in another process, however steady it is in this one.
_BETWEEN = 1e-6, 0.01


@dataclass(frozen=True)
class Timing:
    """How long a pass takes, in milliseconds.

    Attributes
    ----------
    latency
        Median over the looks. A look is some visits in a row, its time that of the fastest tenth of them; a visit's is that
        of its fastest pass.
    spread
        Half the distance between the 10 % and 90 % quantiles of the looks. It is what single looks
        differ by, so it does not shrink with their number: another run at another time is another
        draw of the machine's state, and no number of looks in this one makes up for that. At least
        a microsecond and a hundredth of the latency, which no visit of one process shows.
    reference
        The same of the reference beside it.
    visits
        How many there were.
    """

    latency: float
    spread: float
    reference: float
    visits: int

    @property
    def relative(self) -> float:
        """The spread as a share of the latency."""
        return self.spread / self.latency


def time_passes(
    passes: Sequence[Fresh],
    reference: Fresh,
    *,
    tolerance: float,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time passes together: rounds visit all of them, each round in a new order, so that a slow moment of the
    machine falls on all alike.

    A visit is one pass that warms the caches and a few that are timed. What else runs only ever adds to a pass: for a
    moment, which the fastest pass of a visit does not see, or for a while, as a neighbour on the same core does, which the fastest
    visits of a look do not. Every few rounds all passes are
    made anew: where in memory weights lie can change the time by some percent, and does in
    another process. Rounds go on until every spread is within ``tolerance``, or the time is up.

    Parameters
    ----------
    tolerance
        Of the spread, as a share of the latency.
    seconds
        For each of ``passes``; at least ten rounds are made, however long they take.
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
        if rounds >= _FEWEST and spent >= seconds * len(passes):
            break
        due = rounds >= ROUNDS and spent >= _SPAN and rounds % _RENEWED == 0
        if due and all(spread <= tolerance * level for level, spread in map(_level, times[1:])):
            break
    beside = _level(times[0])[0]
    return [_timing(t, beside) for t in times[1:]]


def _timing(times: Sequence[float], reference: float) -> Timing:
    level, spread = _level(times)
    least, share = _BETWEEN
    return Timing(1e3 * level, 1e3 * max(spread, least, share * level), 1e3 * reference, len(times))


def _level(times: Sequence[float]) -> tuple[float, float]:
    """Median over the looks, and half the distance of their 10 % and 90 % quantiles, in seconds."""
    few, many = _LOOKS
    looks = np.array_split(times, max(few, min(many, len(times) // _OF_A_LOOK)))
    found = [np.quantile(look, _UNDISTURBED) for look in looks]
    low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
    return float(middle), float(high - low) / 2


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
