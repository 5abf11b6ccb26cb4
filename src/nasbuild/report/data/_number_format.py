"""Numbers as a person reads them: one power of ten and one number of decimals for all values of a target."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_BARE = ("", "fraction", "ratio", "1")  # units that say nothing behind a number


@dataclass(frozen=True)
class Scale:
    """How the values of one quantity are written.

    Attributes
    ----------
    exponent
        Values are shown divided by ten to this power.
    decimals
        Behind the point, for all values alike, so that columns can be compared.
    unit
        The unit as the space declares it.
    """

    exponent: int
    decimals: int
    unit: str = ""

    @classmethod
    def of(cls, values: Iterable[float | None], unit: str = "") -> Scale:
        """The scale that shows differences of these values with three digits."""
        known = [v for v in values if v is not None and math.isfinite(v)]
        top = max((abs(v) for v in known), default=0.0)
        exponent = 0 if top == 0 or 1e-3 <= top < 1e5 else 3 * math.floor(math.log10(top) / 3)
        mean = sum(known) / len(known) if known else 0.0
        spread = math.sqrt(sum((v - mean) ** 2 for v in known) / len(known)) if known else 0.0
        spread, top = (spread or top or 1.0) / 10.0**exponent, (top or 1.0) / 10.0**exponent
        # Beyond seven digits nothing is read, however close the values are.
        most = min(max(6 - math.floor(math.log10(top)), 0), 9)
        return cls(exponent, min(max(2 - math.floor(math.log10(spread)), 0), most), unit)

    def plain(self, value: float | None) -> str:
        """The number alone; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return "–"
        return minus(f"{value / 10.0**self.exponent:,.{self.decimals}f}")

    def full(self, value: float | None) -> str:
        """The number with its power of ten and unit."""
        power = f" × {self.power}" if self.exponent else ""
        return f"{self.plain(value)}{power}" + (f" {self.unit}" if self.unit not in _BARE else "")

    def signed(self, value: float) -> str:
        """The number with its sign, none where it rounds to zero.

        >>> Scale(0, 2).signed(0.5), Scale(0, 2).signed(-0.001)
        ('+0.50', '0.00')
        """
        text = self.plain(value)
        return text if text.startswith("−") or not text.strip("0.,") else f"+{text}"

    def pair(self, value: float, std: float) -> str:
        """A number with its deviation."""
        return f"{self.plain(value)} ± {self.plain(std)}"

    @property
    def power(self) -> str:
        return "10" + str(self.exponent).translate(_SUPERSCRIPT)

    def named(self, name: str) -> str:
        """A heading: name, power of ten and unit."""
        unit = " ".join(part for part in (self.power if self.exponent else "", self.unit) if part)
        return f"{name} ({unit})" if unit else name


def minus(text: str) -> str:
    """A true minus sign, and no negative zero."""
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return text.replace("-", "−")


def count(number: int) -> str:
    """A count: exact below a million, then as a power of ten.

    >>> count(6561), count(25_200_000)
    ('6,561', '2.52 × 10⁷')
    """
    if number < 1_000_000:
        return f"{number:,}"
    # In whole numbers only: spaces hold more architectures than a float can count.
    exponent = math.floor(math.log10(number))
    hundredths = (number * 1000 // 10**exponent + 5) // 10
    if hundredths >= 1000:
        exponent, hundredths = exponent + 1, (hundredths + 5) // 10
    return f"{hundredths / 100:.2f} × 10{str(exponent).translate(_SUPERSCRIPT)}"


def correlation(value: float) -> str:
    """A correlation, two decimals; three where two would call it perfect.

    >>> correlation(0.951), correlation(0.9972), correlation(1.0)
    ('0.95', '0.997', '1.00')
    """
    near = 0.995 <= abs(value) < 0.9995
    return minus(f"{value:.{3 if near else 2}f}")


def plural(number: int, one: str, many: str = "") -> str:
    """``3 rows``, ``1 row``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between ``low`` and ``high``, at most about ``most``."""
    span = high - low
    if not span > 0:
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def tick_text(value: float, marks: list[float]) -> str:
    """A tick with as many decimals as its step needs."""
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else abs(marks[0]) or 1.0
    return minus(f"{value:,.{min(max(0, -math.floor(math.log10(step) + 1e-9)), 12)}f}")
