"""Axes map values to positions in a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nasbuild.report.data._number_format import Scale, tick_text, ticks
from nasbuild.report.draw._svg import Svg


@dataclass(frozen=True)
class Axis:
    """A linear axis from ``low`` at ``start`` to ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float, *, margin: float = 0.04) -> Axis:
        """Returns an axis over all values with a margin; a single value is in the middle."""
        listed = list(values)
        low, high = min(listed), max(listed)
        extra = (high - low) * margin or abs(high) * 0.05 or 1.0
        return cls(low - extra, high + extra, start, end)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, scale: Scale | None = None, most: int = 6) -> list[tuple[float, str]]:
        """Returns positions and texts of round numbers, in the scale's power of ten."""
        unit = 10.0**scale.exponent if scale else 1.0
        marks = ticks(self.low / unit, self.high / unit, most)
        return [(self(mark * unit), tick_text(mark, marks)) for mark in marks]


def draw_bottom(
    svg: Svg, axis: Axis, y: float, title: str, scale: Scale | None = None, *, top: float | None = None
) -> None:
    """Draws a horizontal axis with a centred title, and grid lines up to ``top``."""
    for x, text in axis.ticks(scale):
        if top is not None:
            svg.line(x, top, x, y, "grid")
        svg.text(x, y + 15, text, size=11, anchor="middle", class_="quiet")
    svg.line(axis.start, y, axis.end, y, "axis")
    if title:
        svg.text((axis.start + axis.end) / 2, y + 32, title, size=12, anchor="middle", class_="label")


def draw_left(
    svg: Svg, axis: Axis, x: float, title: str, scale: Scale | None = None, *, right: float | None = None
) -> None:
    """Draws a vertical axis at the left, with a horizontal title above it."""
    for y, text in axis.ticks(scale, 5):
        if right is not None:
            svg.line(x, y, right, y, "grid")
        svg.text(x - 6, y + 4, text, size=11, anchor="end", class_="quiet")
    if title:
        svg.text(2, axis.end - 10, title, size=12, class_="label")
