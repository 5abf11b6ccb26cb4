"""Features with a range of numbers, such as a learning rate from 1e-5 to 1e-1, and their grid of values.

A table may hold any value of the range, and an architecture keeps it exactly. Learning, scoring and
building see the nearest value of a grid: round numbers, evenly spread on the feature's scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Scale = Literal["linear", "log"]
_POINTS = 100  # of a grid, at most twice as many
_MANTISSAS = (1, 1.1, 1.25, 1.4, 1.6, 1.8, 2, 2.25, 2.5, 2.8, 3, 3.5, 4, 4.5, 5, 5.6, 6, 7, 8, 9)
_BINS = 9  # values that stand for a range in tables and pictures
_TINY = 1e-9


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, or every ``step`` from ``low`` on; ``scale`` says what is evenly spread.

    Examples
    --------
    >>> from nasbuild.space import Range
    >>> Range(1e-3, 1e-1, "log").text, Range(16, 20, step=2).grid
    ('0.001 to 0.1', (16, 18, 20))
    """

    low: float
    high: float
    scale: Scale = "linear"
    step: float | None = None

    @property
    def text(self) -> str:
        """The range for people."""
        steps = "" if self.step is None else f" in steps of {self.step:g}"
        return f"{self.low:g} to {self.high:g}{steps}"

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.step is not None and float(self.step).is_integer() and float(self.low).is_integer()

    def value(self, number: float) -> float | int | None:
        """The value that a number means, with rounding of a step undone; None if it is outside.

        Examples
        --------
        >>> from nasbuild.space import Range
        >>> Range(0, 1, step=0.1).value(0.1 + 0.2), Range(0, 1, step=0.1).value(0.25), Range(0, 1).value(2)
        (0.3, None, None)
        """
        if not self.low <= number <= self.high:
            return None
        if self.step is not None:
            steps = (number - self.low) / self.step
            if abs(steps - round(steps)) > _TINY * max(abs(steps), 1):
                return None
            return self._stepped(round(steps))
        return float(number)

    def scaled(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers on the scale, from 0 at ``low`` to 1 at ``high``.

        Examples
        --------
        >>> from nasbuild.space import Range
        >>> Range(1e-3, 1e-1, "log").scaled(np.array([0.001, 0.01])).tolist()
        [0.0, 0.5]
        """
        if self.scale == "log":
            return np.log(numbers / self.low) / math.log(self.high / self.low)
        return (numbers - self.low) / (self.high - self.low)

    def nearest(self, number: float) -> int:
        """Position of the value of the grid that is nearest on the scale.

        Examples
        --------
        >>> from nasbuild.space import Range
        >>> rates = Range(1e-3, 1e-1, "log")
        >>> rates.grid[rates.nearest(0.0203)]
        0.02
        """
        place = self.scaled(np.array([number], dtype=np.float64))[0]
        after = int(np.searchsorted(self._places, place))
        around = [n for n in (after - 1, after) if 0 <= n < len(self._places)]
        return min(around, key=lambda n: abs(self._places[n] - place))

    @cached_property
    def _places(self) -> np.ndarray:
        return self.scaled(np.array(self.grid, dtype=np.float64))

    @cached_property
    def grid(self) -> tuple[float | int, ...]:
        """Values of the range that building chooses from, ascending: both ends and round numbers between them."""
        if self.step is not None:
            steps = math.floor((self.high - self.low) / self.step + _TINY)
            wanted = np.linspace(0, 1, _POINTS + 1)
            numbers = np.arange(steps + 1) if steps <= 2 * _POINTS else self._nearest_steps(wanted, steps)
            return tuple(self._stepped(int(n)) for n in numbers)
        inside = [v for v in self._round_numbers() if self.low < v < self.high]
        return (float(self.low), *inside, float(self.high))

    @cached_property
    def bins(self) -> tuple[int, ...]:
        """Positions in the grid that stand for the range in tables and pictures, evenly spread on the scale."""
        wanted = np.linspace(0, 1, min(_BINS, len(self.grid)))
        return tuple(sorted({int(np.argmin(np.abs(self._places - place))) for place in wanted}))

    def _stepped(self, steps: int) -> float | int:
        assert self.step is not None
        value = self.low + steps * self.step
        # 0.1 + 2 * 0.1 is 0.30000000000000004.
        return int(value) if self.whole else float(f"{value:.12g}")

    def _nearest_steps(self, wanted: np.ndarray, steps: int) -> np.ndarray:
        assert self.step is not None
        if self.scale == "log":
            numbers = self.low * (self.high / self.low) ** wanted
        else:
            numbers = self.low + wanted * (self.high - self.low)
        return np.unique(np.clip(np.rint((numbers - self.low) / self.step), 0, steps))

    def _round_numbers(self) -> list[float]:
        """About a hundred round numbers: 1, 1.1, 1.25, ... in each decade, or a step of 1, 2 or 5."""
        if self.scale == "log":
            decades = math.log10(self.high / self.low)
            if _POINTS / 3 <= decades * len(_MANTISSAS) <= 2 * _POINTS:
                first = math.floor(math.log10(self.low))
                powers = range(first, first + math.ceil(decades) + 2)
                return [float(f"{m}e{power}") for power in powers for m in _MANTISSAS]
            spread = self.low * (self.high / self.low) ** np.linspace(0, 1, _POINTS + 1)
            digits = 4 + max(math.ceil(-math.log10(1 - self.low / self.high)), 0)
            return sorted({float(f"{v:.{digits}g}") for v in spread.tolist()})
        rough = (self.high - self.low) / _POINTS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - _TINY))
        first = math.ceil(self.low / step)
        numbers = range(first, math.floor(self.high / step) + 1)
        return [float(f"{n * step:.12g}") for n in numbers]
