"""Bounds as people write them: ``latency <= 6``, ``3 <= layers <= 5``, ``params = 3.2e6``, sweeps."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from itertools import product

from nasbuild.errors import NasbuildError

_SIGN = re.compile(r"(<=|>=|==|<|>|=)")
_LONGEST = 1_000
_LARGEST = 1e300  # sums of what is larger overflow
_MOST_BUILDS = 100
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
    """``name <= value``, or ``>=`` if ``sign`` is -1, in the target's unit."""

    name: str
    sign: int
    value: float

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.sign > 0 else '>='} {_number(self.value)}"


def parse_bounds(text: str) -> list[list[Bound]]:
    """Read one bound, in any of its forms: what is built for, each a list of `Bound`.

    ``latency <= 6`` and ``acc >= 75`` are one bound; ``params = 3.2e6`` (or ``==``) and ``3 <= layers <= 5``
    are two that hold together; ``bytes <= 1e9 | 2e9`` is a sweep, which builds for each value. A strict sign is
    read as its closed form. Time is linear in the length of the text.

    Raises
    ------
    NasbuildError
        If it is no such text, or no number can be within.
    """
    if len(text) > _LONGEST:
        raise NasbuildError(f"a bound has at most {_LONGEST:,} characters, not {len(text):,}", where=_WHERE)
    parts = [part.strip() for part in _SIGN.split(text)]
    if len(parts) == 3:
        name, sign, values = parts
        if _value(name) is not None and _value(values) is None:
            # 6 >= latency says latency <= 6.
            name, sign, values = values, sign.translate(_TURNED), name
        numbers = [_value(value) for value in values.split("|")]
        if name and name[-1] != "!" and _value(name) is None and None not in numbers:
            return [_simple(name, sign, number) for number in dict.fromkeys(numbers) if number is not None]
    elif len(parts) == 5 and "=" not in (parts[1], parts[3]) and "==" not in (parts[1], parts[3]):
        low, high, name = _value(parts[0]), _value(parts[4]), parts[2]
        if name and _value(name) is None and low is not None and high is not None:
            if parts[1][0] != parts[3][0]:
                raise NasbuildError(
                    f"{text!r} bounds {name!r} twice from one side", where=_WHERE, allowed=_FORMS
                )
            least, most = (low, high) if parts[1][0] == "<" else (high, low)
            if least > most:
                raise NasbuildError(f"no number is within {text!r}", where=_WHERE, allowed=_FORMS)
            return [[Bound(name, -1, least), Bound(name, 1, most)]]
    beyond = any(_is_beyond(value) for part in parts for value in part.split("|"))
    numbers = [f"numbers between {-_LARGEST:g} and {_LARGEST:g}"] if beyond else []
    raise NasbuildError(f"{_shown(text)} is no bound", where=_WHERE, allowed=[*_FORMS, *numbers])


def parse_bound(text: str) -> Bound:
    """Read what must be a single bound, such as ``latency <= 6``.

    Raises
    ------
    NasbuildError
        If it is none, or stands for several.
    """
    found = parse_bounds(text)
    if len(found) > 1 or len(found[0]) > 1:
        raise NasbuildError(f"{_shown(text)} is more than one bound", where=_WHERE, allowed=_FORMS[:2])
    return found[0][0]


def read_bounds(texts: Sequence[str]) -> list[Bound]:
    """All bounds of several texts, where no sweep can be built.

    Raises
    ------
    NasbuildError
        If one is no bound, or a sweep.
    """
    bounds = []
    for text in texts:
        found = parse_bounds(text)
        if len(found) > 1:
            raise NasbuildError(
                f"{_shown(text)} is a sweep of {len(found)} values, here one is needed",
                where=_WHERE,
                todo="give one value, or sweep with nasbuild build",
            )
        bounds += found[0]
    return list(dict.fromkeys(bounds))


def read_sweep(texts: Sequence[str]) -> list[list[Bound]]:
    """What is to be built for: every combination of the values of all sweeps, each with all bounds.

    Raises
    ------
    NasbuildError
        If one is no bound, or there are more than 100 combinations.
    """
    found = [parse_bounds(text) for text in texts]
    total = math.prod(map(len, found))
    if total > _MOST_BUILDS:
        raise NasbuildError(
            f"the sweeps have {total:,} combinations of values",
            where=_WHERE,
            allowed=f"at most {_MOST_BUILDS}",
        )
    return [list(dict.fromkeys(b for part in parts for b in part)) for parts in product(*found)]


def format_bounds(bounds: Sequence[Bound]) -> str:
    """Bounds in one text, ``params = 3.2e+06 and 3 <= layers <= 5``: both sides of a name together."""
    told, done = [], set[str]()
    for bound in bounds:
        same = [b for b in bounds if b.name == bound.name]
        if len(same) != 2 or same[0].sign == same[1].sign:
            told.append(str(bound))
        elif bound.name not in done:
            done.add(bound.name)
            least, most = sorted(b.value for b in same)
            told.append(
                f"{bound.name} = {_number(most)}"
                if least == most
                else f"{_number(least)} <= {bound.name} <= {_number(most)}"
            )
    return " and ".join(told)


def loosened(bound: Bound, value: float) -> str:
    """The bound at a value that can be met, in four digits: rounded so that it still can.

    >>> loosened(Bound("params", 1, 5.0), 12344.0)
    'params <= 1.235e+04'
    """
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
    """A finite number that can be reckoned with; None else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < _LARGEST else None


def _is_beyond(text: str) -> bool:
    """Whether it is a number, but none that can be reckoned with."""
    try:
        float(text)
    except ValueError:
        return False
    return _value(text) is None


def _number(value: float) -> str:
    """As short as it can be without being another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
