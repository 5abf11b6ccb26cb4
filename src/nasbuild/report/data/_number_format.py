"""Formats numbers for people: one power of ten and one number of decimals for all values of a target."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_OMITTED_UNITS = ("", "fraction", "ratio", "1")


_USUAL, _OUTLYING = 0.95, 1_000  # quantile of sizes, and the multiple of it from which a value is an outlier


@dataclass(frozen=True)
class Scale:
    """Format of the values of one quantity.

    Attributes
    ----------
    exponent
        Values are divided by ten to this power.
    decimals
        Number of decimals, the same for all values, so that columns can be compared.
    unit
        The unit as the space declares it.

    Examples
    --------
    >>> from nasbuild.report import Scale
    >>> latency = Scale.of([1234.0, 1240.0, 1251.0], "ms")
    >>> latency.full(1234.0), latency.pair(1240.0, 3.0), latency.named("latency")
    ('1,234.00 ms', '1,240.00 ± 3.00', 'latency (ms)')
    """

    exponent: int
    decimals: int
    unit: str = ""

    @classmethod
    def of(cls, values: Iterable[float | None], unit: str = "") -> Scale:
        """Returns a scale that shows differences between these values with three digits.

        A few values that are thousands of times all others do not count: beside them, the others would all be zeros.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale.of([0.911, 0.934, 0.937]).plain(0.93), Scale.of([2.5e7, 3.1e7]).full(2.5e7)
        ('0.9300', '25.00 × 10⁶')
        """
        known = [v for v in values if v is not None and math.isfinite(v)]
        usual = sorted(map(abs, known))[int(_USUAL * len(known))] if known else 0.0
        if usual:
            known = [v for v in known if abs(v) <= _OUTLYING * usual]
        top = max((abs(v) for v in known), default=0.0)
        exponent = 0 if top == 0 or 1e-3 <= top < 1e5 else 3 * math.floor(math.log10(top) / 3)
        mean = sum(known) / len(known) if known else 0.0
        spread = math.sqrt(sum((v - mean) ** 2 for v in known) / len(known)) if known else 0.0
        spread, top = (spread or top or 1.0) / 10.0**exponent, (top or 1.0) / 10.0**exponent
        # More than seven digits are not readable, however close the values are.
        most = min(max(6 - math.floor(math.log10(top)), 0), 9)
        return cls(exponent, min(max(2 - math.floor(math.log10(spread)), 0), most), unit)

    def plain(self, value: float | None) -> str:
        """Formats the number alone; a missing one is a dash.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale(0, 2).plain(-1.5), Scale(0, 2).plain(None)
        ('−1.50', '–')
        """
        if value is None or not math.isfinite(value):
            return "–"
        return minus(f"{value / 10.0**self.exponent:,.{self.decimals}f}")

    def full(self, value: float | None) -> str:
        """Formats the number with its power of ten and unit.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale(6, 1, "MACs").full(2.5e7)
        '25.0 × 10⁶ MACs'
        """
        power = f" × {self.power}" if self.exponent else ""
        return f"{self.plain(value)}{power}" + (f" {self.unit}" if self.unit not in _OMITTED_UNITS else "")

    def signed(self, value: float) -> str:
        """Formats the number with its sign, without one if it rounds to zero.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale(0, 2).signed(0.5), Scale(0, 2).signed(-0.001)
        ('+0.50', '0.00')
        """
        text = self.plain(value)
        return text if text.startswith("−") or not text.strip("0.,") else f"+{text}"

    def pair(self, value: float, std: float) -> str:
        """Formats a number with its standard deviation.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale(0, 1).pair(93.14, 0.26)
        '93.1 ± 0.3'
        """
        return f"{self.plain(value)} ± {self.deviation(std)}"

    def deviation(self, std: float | None) -> str:
        """Formats a standard deviation; one that would round to zero is below the last digit.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale(0, 2).deviation(0.084), Scale(0, 2).deviation(0.0012), Scale(0, 2).deviation(0.0)
        ('0.08', '<0.01', '0.00')
        """
        text = self.plain(std)
        if std and text != "–" and not text.strip("0.,"):
            return f"<{10.0**-self.decimals:.{self.decimals}f}"
        return text

    @property
    def power(self) -> str:
        return "10" + str(self.exponent).translate(_SUPERSCRIPT)

    def named(self, name: str) -> str:
        """Returns a heading of name, power of ten and unit.

        Examples
        --------
        >>> from nasbuild.report import Scale
        >>> Scale(6, 1, "MACs").named("macs")
        'macs (10⁶ MACs)'
        """
        unit = " ".join(part for part in (self.power if self.exponent else "", self.unit) if part)
        return f"{name} ({unit})" if unit else name


def minus(text: str) -> str:
    """Replaces hyphens by minus signs, and removes the sign of a negative zero.

    Examples
    --------
    >>> from nasbuild.report import minus
    >>> minus("-2.5"), minus("-0.00")
    ('−2.5', '0.00')
    """
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return text.replace("-", "−")


def count(number: int) -> str:
    """Formats a count, exactly below a million, with a power of ten above.

    >>> count(6561), count(25_200_000)
    ('6,561', '2.52 × 10⁷')
    """
    if number < 1_000_000:
        return f"{number:,}"
    # In integers only: spaces can have more architectures than a float can represent.
    exponent = math.floor(math.log10(number))
    hundredths = (number * 1000 // 10**exponent + 5) // 10
    if hundredths >= 1000:
        exponent, hundredths = exponent + 1, (hundredths + 5) // 10
    return f"{hundredths / 100:.2f} × 10{str(exponent).translate(_SUPERSCRIPT)}"


def correlation(value: float) -> str:
    """Formats a correlation with two decimals, or three if two would round it to 1.

    >>> correlation(0.951), correlation(0.9972), correlation(1.0)
    ('0.95', '0.997', '1.00')
    """
    near = 0.995 <= abs(value) < 0.9995
    return minus(f"{value:.{3 if near else 2}f}")


def plural(number: int, one: str, many: str = "") -> str:
    """Formats a count with its noun: ``3 rows``, ``1 row``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Formats a share as a percentage.

    Examples
    --------
    >>> from nasbuild.report import percent
    >>> percent(0.25)
    '25 %'
    """
    return f"{share:.0%}".replace("%", " %")


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Returns round numbers between ``low`` and ``high``, about ``most`` at most."""
    span = high - low
    if not span > 0:
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def tick_text(value: float, marks: list[float]) -> str:
    """Formats a tick with as many decimals as its step needs."""
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else abs(marks[0]) or 1.0
    return minus(f"{value:,.{min(max(0, -math.floor(math.log10(step) + 1e-9)), 12)}f}")
