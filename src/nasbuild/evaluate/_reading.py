"""What is told of the latency of passes that several processes timed, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PROCESSES = 5
_LOOKS = 2  # of a process
_UNDISTURBED = 0.1  # share of a look's visits that nothing disturbed
_SPAN = 8.0  # seconds that all processes time, at least
_DISTURBED = 0.015  # usual share of the spread from which on the machine is taken to be disturbed
LEAST_SPREAD = 0.01  # share by which a pass may differ an hour later, however steady it is now


@dataclass(frozen=True)
class Visits:
    """What a process timed.

    Attributes
    ----------
    reference
        Seconds of every visit to the reference.
    passes
        The same of each pass, or why it could not be timed.
    seconds
        That timing took.
    """

    reference: Sequence[float]
    passes: Sequence[Sequence[float] | Exception]
    seconds: float


def joined(parts: Sequence[Visits]) -> Visits:
    """What several processes timed, each some of the passes, as if it were one."""
    return Visits(
        [seconds for part in parts for seconds in part.reference],
        [one for part in parts for one in part.passes],
        sum(part.seconds for part in parts),
    )


Run = Callable[[float, float], Visits]
"""A process that times all passes, for so many seconds at least and at most (`visit_passes`)."""


@dataclass(frozen=True)
class Timing:
    """How long a pass takes, in milliseconds.

    Attributes
    ----------
    latency
        Median over the looks. Each process has two: its visits, halved in the order of time. A look's time is that of the
        fastest tenth of its visits.
    spread
        Half the distance between the 10 % and 90 % quantiles of the looks; at least a hundredth of the latency, and at
        least ``usual`` times it. It is what single looks differ by, so it does not shrink with their number: another run
        at another time is another draw of the machine's state, and no number of looks in this one makes up for that.
    reference
        The latency of the reference beside it.
    visits
        How many there were.
    own
        The distance as it is.
    usual
        Median of ``own`` over all passes that were timed together, each as a share of its latency: the
        machine is the same for all, so a pass that is steadier than most is so by luck.
    """

    latency: float
    spread: float
    reference: float
    visits: int
    own: float
    usual: float

    @property
    def relative(self) -> float:
        """The spread as a share of the latency."""
        return self.spread / self.latency


def time_in_processes(run: Run, *, tolerance: float, seconds: float) -> list[Timing | Exception]:
    """Time passes in five processes, one after another, each of which times all of them.

    A process has its code and its objects in other places of memory than the next, and eager torch is faster
    or slower by it, all networks alike, by some percent; a spread within one process does not show that. Where a neighbour
    on the same core slows whole visits, a look sees through it if it is longer than the neighbour stays:
    if a spread is above the tolerance, or most are not as small as on a quiet machine, and there is time left, five more
    processes take it for longer looks, and what the first five told is dropped.

    Parameters
    ----------
    run
        Times all passes in another process.
    tolerance
        Of the spread, as a share of the latency.
    seconds
        For all passes together, without what processes need to start; the first five take eight at least, if there are.

    Returns
    -------
    list
        Of each pass, or why one of the processes could not time it.
    """
    each = seconds / PROCESSES
    least = min(_SPAN / PROCESSES, each)
    first = run(least, each)
    if all(isinstance(one, Exception) for one in first.passes):
        return _timings([first])
    told = [first, *(run(least, each) for _ in range(PROCESSES - 1))]
    found = _timings(told)
    spent = sum(one.seconds for one in told)
    noisy = any(
        one.relative > tolerance or one.usual > _DISTURBED for one in found if isinstance(one, Timing)
    )
    # Looks that are hardly longer would see no more.
    if noisy and seconds > 2 * spent:
        each = (seconds - spent) / PROCESSES
        found = _timings([run(each, each) for _ in range(PROCESSES)])
    return found


def _timings(told: Sequence[Visits]) -> list[Timing | Exception]:
    levels = [_level_or_error(visits) for visits in zip(*(one.passes for one in told), strict=True)]
    shares = [one[1] / one[0] for one in levels if not isinstance(one, Exception)]
    if not shares:
        return [one for one in levels if isinstance(one, Exception)]
    # The lower one of two medians: where half of the passes are steady, the others say nothing against them.
    usual = float(np.quantile(shares, 0.5, method="lower"))
    beside = _level([one.reference for one in told])[0]
    return [one if isinstance(one, Exception) else _timing(*one, usual, beside) for one in levels]


def _timing(level: float, spread: float, visits: int, usual: float, reference: float) -> Timing:
    told = max(spread, level * max(usual, LEAST_SPREAD))
    return Timing(1e3 * level, 1e3 * told, 1e3 * reference, visits, 1e3 * spread, usual)


def _level_or_error(visits: Sequence[Sequence[float] | Exception]) -> tuple[float, float, int] | Exception:
    good: list[Sequence[float]] = []
    for of_a_process in visits:
        if isinstance(of_a_process, Exception):
            return of_a_process
        good.append(of_a_process)
    return _level(good)


def _level(visits: Sequence[Sequence[float]]) -> tuple[float, float, int]:
    """Median over the looks, half the distance of their 10 % and 90 % quantiles, in seconds; how many visits."""
    looks = [look for of_a_process in visits for look in np.array_split(of_a_process, _LOOKS)]
    found = [np.quantile(look, _UNDISTURBED) for look in looks]
    low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
    return float(middle), float(high - low) / 2, sum(map(len, visits))
