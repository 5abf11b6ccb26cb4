"""Parses bounds: ``latency <= 6``, ``3 <= layers <= 5``, ``params = 3.2e6``, and sweeps of values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from itertools import product

from nasbuild.errors import NasbuildError
from nasbuild.objective import signed

_SIGN = re.compile(r"(<=|>=|==|<|>|=)")
_MAX_CHARACTERS = 1_000
_MAX_VALUE = 1e300  # sums of larger values overflow
_MAX_BUILDS = 100
_FORMS = (
    "NAME <= NUMBER",
    "NAME >= NUMBER",
    "NAME = NUMBER",
    "NUMBER <= NAME <= NUMBER",
    "NAME <= NUMBER | NUMBER ...",
)
_WHERE = "--where"


@dataclass(frozen=True)
class Bound:
    """A bound ``name <= value``, or ``name >= value`` if ``sign`` is -1, in the unit of what is bounded.

    Examples
    --------
    >>> from nasbuild.builder import Bound
    >>> str(Bound("latency", 1, 6.0)), str(Bound("acc", -1, 75.0))
    ('latency <= 6', 'acc >= 75')
    >>> str(Bound("-latency", -1, -6.0))
    'latency <= 6'
    """

    name: str
    sign: int
    value: float

    @property
    def plain(self) -> Bound:
        """The bound that people write: on ``latency`` instead of ``-latency``."""
        sign, name = signed(self.name)
        return Bound(name, -self.sign, -self.value) if sign < 0 and name.isidentifier() else self

    def __str__(self) -> str:
        plain = self.plain
        return f"{plain.name} {'<=' if plain.sign > 0 else '>='} {_number(plain.value)}"


def parse_bounds(text: str) -> list[list[Bound]]:
    """Parses one text in any form of a bound, including a sweep.

    ``latency <= 6`` is one bound. ``params = 3.2e6`` (or ``==``) and ``3 <= layers <= 5`` are two
    bounds that hold together. ``bytes <= 1e9 | 2e9`` is a sweep, with one build for each value. A
    strict sign is read as its closed form. The time is linear in the length of the text.

    Returns
    -------
    For each value of the sweep, the bounds that hold together; one list if it is no sweep.

    Raises
    ------
    NasbuildError
        If the text is not a bound, or no number satisfies it.

    Examples
    --------
    >>> from nasbuild.builder import parse_bounds
    >>> [[str(bound) for bound in bounds] for bounds in parse_bounds("3 <= layers <= 5")]
    [['layers >= 3', 'layers <= 5']]
    >>> [[str(bound) for bound in bounds] for bounds in parse_bounds("macs <= 1e8 | 2e8")]
    [['macs <= 1e+08'], ['macs <= 2e+08']]
    """
    if len(text) > _MAX_CHARACTERS:
        raise NasbuildError(
            f"a bound has at most {_MAX_CHARACTERS:,} characters, not {len(text):,}", where=_WHERE
        )
    parts = [part.strip() for part in _SIGN.split(text)]
    if len(parts) == 3:
        name, sign, values = parts
        if _value(name) is not None and _value(values) is None:
            # 6 >= latency means latency <= 6.
            name, sign, values = values, sign.translate(_TURNED), name
        numbers = [_value(value) for value in values.split("|")]
        if name and name[-1] != "!" and _value(name) is None and None not in numbers:
            return [_simple(name, sign, number) for number in dict.fromkeys(numbers) if number is not None]
    elif len(parts) == 5 and "=" not in (parts[1], parts[3]) and "==" not in (parts[1], parts[3]):
        low, high, name = _value(parts[0]), _value(parts[4]), parts[2]
        if name and _value(name) is None and low is not None and high is not None:
            if parts[1][0] != parts[3][0]:
                raise NasbuildError(
                    f"{text!r} bounds {name!r} twice from the same side", where=_WHERE, allowed=_FORMS
                )
            least, most = (low, high) if parts[1][0] == "<" else (high, low)
            if least > most:
                raise NasbuildError(f"no number satisfies {text!r}", where=_WHERE, allowed=_FORMS)
            return [[Bound(name, -1, least), Bound(name, 1, most)]]
    beyond = any(_is_beyond(value) for part in parts for value in part.split("|"))
    numbers = [f"numbers between {-_MAX_VALUE:g} and {_MAX_VALUE:g}"] if beyond else []
    raise NasbuildError(f"{_shown(text)} is not a bound", where=_WHERE, allowed=[*_FORMS, *numbers])


def parse_bound(text: str) -> Bound:
    """Parses a single bound, such as ``latency <= 6``.

    Raises
    ------
    NasbuildError
        If the text is not a bound, or stands for several.

    Examples
    --------
    >>> from nasbuild.builder import parse_bound
    >>> parse_bound("acc >= 75")
    Bound(name='acc', sign=-1, value=75.0)
    """
    found = parse_bounds(text)
    if len(found) > 1 or len(found[0]) > 1:
        raise NasbuildError(f"{_shown(text)} is more than one bound", where=_WHERE, allowed=_FORMS[:2])
    return found[0][0]


def read_bounds(texts: Sequence[str]) -> list[Bound]:
    """Parses several texts into one list of bounds without duplicates; sweeps are refused.

    Raises
    ------
    NasbuildError
        If a text is not a bound, or is a sweep.

    Examples
    --------
    >>> [str(bound) for bound in read_bounds(["latency <= 6", "layers = 4"])]
    ['latency <= 6', 'layers <= 4', 'layers >= 4']
    """
    bounds = []
    for text in texts:
        found = parse_bounds(text)
        if len(found) > 1:
            raise NasbuildError(
                f"{_shown(text)} is a sweep of {len(found)} values, but one value is needed here",
                where=_WHERE,
                todo="give one value; only nasbuild build and optimize accept sweeps",
            )
        bounds += found[0]
    return list(dict.fromkeys(bounds))


def read_sweep(texts: Sequence[str]) -> list[list[Bound]]:
    """Parses several texts into every combination of the values of their sweeps.

    Returns
    -------
    For each combination, all bounds that hold together, without duplicates.

    Raises
    ------
    NasbuildError
        If a text is not a bound, or there are more than 100 combinations.

    Examples
    --------
    >>> from nasbuild.builder import format_bounds, read_sweep
    >>> [format_bounds(bounds) for bounds in read_sweep(["macs <= 1e8 | 2e8", "layers <= 5"])]
    ['macs <= 1e+08 and layers <= 5', 'macs <= 2e+08 and layers <= 5']
    """
    found = [parse_bounds(text) for text in texts]
    total = math.prod(map(len, found))
    if total > _MAX_BUILDS:
        raise NasbuildError(
            f"the sweeps have {total:,} combinations of values",
            where=_WHERE,
            allowed=f"at most {_MAX_BUILDS}",
        )
    return [list(dict.fromkeys(b for part in parts for b in part)) for parts in product(*found)]


def format_bounds(bounds: Sequence[Bound]) -> str:
    """Formats bounds as one text; both sides of a name are joined.

    Examples
    --------
    >>> from nasbuild.builder import format_bounds
    >>> format_bounds(read_bounds(["params = 3.2e6", "3 <= layers <= 5"]))
    'params = 3.2e+06 and 3 <= layers <= 5'
    """
    bounds = [bound.plain for bound in bounds]
    texts, done = [], set[str]()
    for bound in bounds:
        same = [b for b in bounds if b.name == bound.name]
        if len(same) != 2 or same[0].sign == same[1].sign:
            texts.append(str(bound))
        elif bound.name not in done:
            done.add(bound.name)
            least, most = sorted(b.value for b in same)
            texts.append(
                f"{bound.name} = {_number(most)}"
                if least == most
                else f"{_number(least)} <= {bound.name} <= {_number(most)}"
            )
    return " and ".join(texts)


def format_budgets(budgets: Sequence[Sequence[Bound]]) -> str:
    """Formats budgets as one text, as a sweep where only one value differs.

    Examples
    --------
    >>> from nasbuild.builder import format_budgets, read_sweep
    >>> format_budgets(read_sweep(["bytes <= 1e9 | 2e9", "layers <= 5"]))
    'bytes <= 1e+09 | 2e+09 and layers <= 5'
    """
    texts = [format_bounds(own) for own in budgets]
    parts = [text.split(" and ") for text in texts]
    differ = [i for i, same in enumerate(zip(*parts, strict=False)) if len(set(same)) > 1]
    if len({len(own) for own in parts}) == 1 and len(differ) == 1:
        values = [own[differ[0]].rsplit(" ", 1) for own in parts]
        if len({head for head, _ in values}) == 1:
            swept = f"{values[0][0]} {' | '.join(value for _, value in values)}"
            return " and ".join(swept if i == differ[0] else one for i, one in enumerate(parts[0]))
    return " or ".join(dict.fromkeys(texts))


def loosest_bounds(budgets: Sequence[Sequence[Bound]]) -> list[Bound]:
    """Of each name and side that all budgets bound, the loosest bound: whatever meets a budget meets these.

    Examples
    --------
    >>> from nasbuild.builder import loosest_bounds, read_sweep
    >>> [str(bound) for bound in loosest_bounds(read_sweep(["macs <= 1e8 | 2e8", "layers <= 5"]))]
    ['macs <= 2e+08', 'layers <= 5']
    """
    found: dict[tuple[str, int], Bound] = {}
    for bound in (bound for own in budgets for bound in own):
        known = found.get((bound.name, bound.sign))
        if known is None or bound.sign * (bound.value - known.value) > 0:
            found[bound.name, bound.sign] = bound
    return list(found.values())


def loosened(bound: Bound, value: float) -> str:
    """Formats the bound with a value that can be met, rounded to four digits towards the loose side.

    >>> loosened(Bound("params", 1, 5.0), 12344.0)
    'params <= 1.235e+04'
    """
    if bound.plain is not bound:
        bound, value = bound.plain, -value
    short = f"{value:.4g}"
    if bound.sign * (float(short) - value) < 0:
        away = ROUND_CEILING if bound.sign > 0 else ROUND_FLOOR
        short = f"{float(Context(prec=4, rounding=away).create_decimal_from_float(value)):.4g}"
    return f"{bound.name} {'<=' if bound.sign > 0 else '>='} {short}"


_TURNED = str.maketrans("<>", "><")


def _simple(name: str, sign: str, number: float) -> list[Bound]:
    sides = {"<": (1,), ">": (-1,)}.get(sign[0], (1, -1))
    return [Bound(name, side, number) for side in sides]


def _value(text: str) -> float | None:
    """The number, or None if the text is no number or its size is `_MAX_VALUE` or more."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < _MAX_VALUE else None


def _is_beyond(text: str) -> bool:
    """Whether the text is a number that is too large, infinite or NaN."""
    try:
        float(text)
    except ValueError:
        return False
    return _value(text) is None


def _number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
