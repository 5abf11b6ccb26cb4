"""What is told of the latency of passes that several processes timed, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.evaluate.latency._core_pace import ALIKE
from nasbuild.evaluate.latency._timing import Visit
from nasbuild.evaluate.latency._visit_level import Level, level_of, level_or_error

PROCESSES = 5
_SPAN = 8.0  # seconds that all processes time, at least
_DISTURBED = 0.015  # usual share of the spread from which on the machine is taken to be disturbed
LEAST_SPREAD = 0.015
"""Share of a pass. Readings of sweeps up to 2.5 hours apart, each of them steady, differed by up to 3.5 %."""


@dataclass(frozen=True)
class Visits:
    """What a process timed.

    Attributes
    ----------
    reference
        Every visit to the reference.
    passes
        The same of each pass, or why it could not be timed.
    full
        The full pace, as this process knew it (`Pace`).
    seconds
        That timing took.
    """

    reference: Sequence[Visit]
    passes: Sequence[Sequence[Visit] | Exception]
    full: float
    seconds: float


def joined(parts: Sequence[Visits]) -> Visits:
    """What several processes timed, each some of the passes, as if it were one."""
    return Visits(
        [visit for part in parts for visit in part.reference],
        [one for part in parts for one in part.passes],
        min(part.full for part in parts),
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
        Median over the looks (`Level`).
    spread
        That of the looks; at least 1.5 % of the latency, and at least ``usual`` times it. It is what single looks
        differ by, so it does not shrink with their number: another run at another time is another draw of the machine's
        state, and no number of looks in this one makes up for that.
    reference
        The latency of the reference beside it.
    visits
        How many looks are made of.
    at_pace
        Share of all visits that were at full pace.
    own
        The spread of the looks as it is.
    usual
        Median of ``own`` over all passes that were timed together, each as a share of its latency: the
        machine is the same for all, so a pass that is steadier than most is so by luck.
    """

    latency: float
    spread: float
    reference: float
    visits: int
    at_pace: float
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
    limit = ALIKE * min(one.full for one in told)
    levels = [level_or_error(visits, limit) for visits in zip(*(one.passes for one in told), strict=True)]
    good = [one for one in levels if isinstance(one, Level)]
    if not good:
        return [one for one in levels if isinstance(one, Exception)]
    # The lower one of two medians: where half of the passes are steady, the others say nothing against them.
    usual = float(np.quantile([one.spread / one.middle for one in good], 0.5, method="lower"))
    beside = level_of([one.reference for one in told], limit).middle
    return [one if isinstance(one, Exception) else _timing(one, usual, beside) for one in levels]


def _timing(level: Level, usual: float, reference: float) -> Timing:
    told = max(level.spread, level.middle * max(usual, LEAST_SPREAD))
    return Timing(
        latency=1e3 * level.middle,
        spread=1e3 * told,
        reference=1e3 * reference,
        visits=level.visits,
        at_pace=level.at_pace,
        own=1e3 * level.spread,
        usual=usual,
    )
