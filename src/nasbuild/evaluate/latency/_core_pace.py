"""The current speed of a core, and whether it is the core's full sustained speed."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import accumulate

import numpy as np

Probe = Callable[[], float]
"""Runs a fixed piece of work and returns its duration in seconds."""

SAME_PACE = 1.025  # paces whose ratio is smaller count as equal
_MOMENT = 0.002  # share of the time; a pace held for less than that is not worth waiting for
_BIN = 0.01  # width of a bin of the logarithm of the pace
_TRIES = 15  # probes until a core that had powered down some of its units has all of them again
_SIDE, _REPEATS = 64, 4
_PAGE = 4096  # bytes
_TICK = 1e-9  # seconds; a clock that is too coarse returns 0


class CorePace:
    """The pace of the core: the duration of a small matrix product, in seconds.

    A core's clock rate depends on the load of the other cores and on which of its units are in use. It may stay a tenth
    lower for milliseconds or for half an hour, and forward passes are slower by as much. The product detects this: on a
    virtual core of a server it took either 2.7 or more than 3.0 microseconds, and hardly ever a value between.

    Parameters
    ----------
    probe
        Times the product.
    clock
        Seconds.
    """

    def __init__(self, probe: Probe, clock: Callable[[], float] = time.perf_counter) -> None:
        self._probe, self._clock = probe, clock
        self._held: defaultdict[int, float] = defaultdict(float)
        self._last = self._now(clock())

    @property
    def full(self) -> float:
        """The fastest pace that was held for at least 0.2 % of the time so far, rounded up by at most 1 %; seconds."""
        moment = _MOMENT * sum(self._held.values())
        paces = sorted(self._held)
        held = accumulate(self._held[pace] for pace in paces)
        fastest = next(pace for pace, so_far in zip(paces, held, strict=True) if so_far >= moment)
        return math.exp(_BIN * (fastest + 1))

    def limit(self) -> float:
        """The slowest pace that still counts as full; seconds."""
        return SAME_PACE * self.full

    def wait(self, until: float) -> None:
        """Do nothing but probe until the core is at full pace, or the clock reaches ``until``."""
        while True:
            start = self._clock()
            self._last = self._now(start)
            if start >= until or self._last <= self.limit():
                return

    def since(self, start: float) -> float:
        """The pace of the work since ``start``: the slower of the probes before and after it; seconds."""
        limit, now = self.limit(), math.inf
        for _ in range(_TRIES):
            now = min(now, self._probe())
            if now <= limit:
                break
        slower, self._last = max(self._last, now), now
        self._hold(slower, self._clock() - start)
        return slower

    def _now(self, start: float) -> float:
        pace = self._probe()
        self._hold(pace, self._clock() - start)
        return pace

    def _hold(self, pace: float, seconds: float) -> None:
        self._held[math.floor(math.log(max(pace, _TICK)) / _BIN)] += seconds


def matrix_probe() -> Probe:
    """A probe that times a product of two matrices in the core's nearest cache: the fastest of four repeats."""
    left, right, out = (_page_aligned() for _ in range(3))
    left[:] = right[:] = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)

    def multiply() -> float:
        start = time.perf_counter()
        np.dot(left, right, out=out)
        return time.perf_counter() - start

    def probe() -> float:
        multiply()
        return min(multiply() for _ in range(_REPEATS))

    return probe


def _page_aligned() -> np.ndarray:
    """A matrix that starts at a memory page: elsewhere the product takes up to a tenth longer."""
    raw = np.empty(_SIDE * _SIDE * 4 + _PAGE, np.uint8)
    begin = -raw.ctypes.data % _PAGE
    return raw[begin : begin + _SIDE * _SIDE * 4].view(np.float32).reshape(_SIDE, _SIDE)
