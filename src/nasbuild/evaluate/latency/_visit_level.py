"""How long a pass takes, by the visits of several processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbuild.evaluate.latency._timing import FEWEST, Visit

_AT_PACE = 3  # processes that met the full pace, at least, for others to be left out
_LOOKS = 2  # of a process
_UNDISTURBED = 0.1  # share of a look's visits that nothing disturbed


@dataclass(frozen=True)
class Level:
    """How long a pass takes, by looks at it.

    Each process has two looks: its visits at full pace, halved in the order of time. A look's time is that of the fastest tenth
    of its visits. If fewer than three processes met the full pace twice, looks are made of all visits, at whatever
    pace.

    Attributes
    ----------
    middle
        Median over the looks, in seconds.
    spread
        Half the distance of their 10 % and 90 % quantiles, in seconds; at least what the core was slower by than at its full pace.
    visits
        How many looks are made of.
    at_pace
        Share of all visits that were at full pace.
    """

    middle: float
    spread: float
    visits: int
    at_pace: float


def level_of(visits: Sequence[Sequence[Visit]], limit: float) -> Level:
    """The level of a pass, by its visits in each process; the full pace ends at ``limit``."""
    at_pace = [[visit for visit in one if visit[1] <= limit] for one in visits]
    used = [one for one in at_pace if len(one) >= FEWEST]
    if len(used) < min(_AT_PACE, len(visits)):
        used = visits
    looks = [_look(part) for one in used for part in np.array_split(np.array(one), _LOOKS)]
    seconds, paces = np.array(looks).T
    low, middle, high = np.quantile(seconds, [0.1, 0.5, 0.9])
    slower = max(0.0, np.median(paces) / limit - 1)
    share = sum(map(len, at_pace)) / sum(map(len, visits))
    return Level(float(middle), float(max((high - low) / 2, slower * middle)), sum(map(len, used)), share)


def level_or_error(visits: Sequence[Sequence[Visit] | Exception], limit: float) -> Level | Exception:
    """The same, or why one of the processes could not time it."""
    good: list[Sequence[Visit]] = []
    for of_a_process in visits:
        if isinstance(of_a_process, Exception):
            return of_a_process
        good.append(of_a_process)
    return level_of(good, limit)


def _look(visits: NDArray[np.float64]) -> tuple[float, float]:
    """The time of the fastest tenth of visits, and the pace of the core meanwhile."""
    seconds, paces = visits.T
    time = np.quantile(seconds, _UNDISTURBED)
    return float(time), float(np.median(paces[seconds <= time]))
