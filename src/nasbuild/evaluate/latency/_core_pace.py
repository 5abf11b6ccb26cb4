"""How fast a core computes right now, and whether that is as fast as it does for more than a moment."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import accumulate

import numpy as np

Read = Callable[[], float]
"""Seconds that something takes now that is always the same."""

ALIKE = 1.025  # paces that differ by less are one
_MOMENT = 0.002  # share of the time; a pace that is held for less of it is none to wait for
_BIN = 0.01  # of the logarithm of a pace
_TRIES = 15  # readings until a core that computed with few of its units has all of them again
_SIDE, _READINGS = 64, 4
_PAGE = 4096  # bytes
_TICK = 1e-9  # seconds; a clock that is too coarse says 0


class Pace:
    """The pace of the core, by a product of matrices that takes some microseconds.

    A core's clock depends on what other cores do and on which of its units are in use, and may stay lower by a tenth for
    milliseconds or for half an hour, and so do passes. The product tells when: on a virtual core of a server it took
    2.7 or above 3.0 microseconds, hardly ever anything between.

    Parameters
    ----------
    read
        Seconds of the product.
    clock
        Seconds.
    """

    def __init__(self, read: Read, clock: Callable[[], float] = time.perf_counter) -> None:
        self._read, self._clock = read, clock
        self._held: defaultdict[int, float] = defaultdict(float)
        self._last = self._now(clock())

    @property
    def full(self) -> float:
        """The fastest pace that was held for 0.2 % of the time so far, to 1 % above."""
        moment = _MOMENT * sum(self._held.values())
        paces = sorted(self._held)
        held = accumulate(self._held[pace] for pace in paces)
        fastest = next(pace for pace, so_far in zip(paces, held, strict=True) if so_far >= moment)
        return math.exp(_BIN * (fastest + 1))

    def limit(self) -> float:
        """What is the full pace still, or faster."""
        return ALIKE * self.full

    def wait(self, until: float) -> None:
        """Compute nothing else until the core has its full pace, but not beyond a time of the clock."""
        while True:
            start = self._clock()
            self._last = self._now(start)
            if start >= until or self._last <= self.limit():
                return

    def since(self, start: float) -> float:
        """The pace of what was computed since ``start``: now, or when it was read before that, whichever is slower."""
        limit, now = self.limit(), math.inf
        for _ in range(_TRIES):
            now = min(now, self._read())
            if now <= limit:
                break
        slower, self._last = max(self._last, now), now
        self._hold(slower, self._clock() - start)
        return slower

    def _now(self, start: float) -> float:
        pace = self._read()
        self._hold(pace, self._clock() - start)
        return pace

    def _hold(self, pace: float, seconds: float) -> None:
        self._held[math.floor(math.log(max(pace, _TICK)) / _BIN)] += seconds


def product() -> Read:
    """Seconds of a product of two matrices that the core holds in its nearest cache, the fastest of a few."""
    left, right, out = (_on_a_page() for _ in range(3))
    left[:] = right[:] = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)

    def once() -> float:
        start = time.perf_counter()
        np.dot(left, right, out=out)
        return time.perf_counter() - start

    def read() -> float:
        once()
        return min(once() for _ in range(_READINGS))

    return read


def _on_a_page() -> np.ndarray:
    """A matrix at the beginning of a page of memory: elsewhere the product takes up to a tenth longer."""
    raw = np.empty(_SIDE * _SIDE * 4 + _PAGE, np.uint8)
    begin = -raw.ctypes.data % _PAGE
    return raw[begin : begin + _SIDE * _SIDE * 4].view(np.float32).reshape(_SIDE, _SIDE)
