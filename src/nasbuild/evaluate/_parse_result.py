"""Turns what an evaluator returned or raised into a result: numbers are kept, anything else is noted."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._result import AnnotatedMetrics, Result
from nasbuild.space import Metric, is_name

_LONGEST = 1_000  # characters of a reason
_SHOWN = 60  # characters of a value quoted in a note


def parse_result(returned: object, metrics: Mapping[str, Metric], seconds: float | None = None) -> Result:
    """The metrics that an evaluator returned; a failed result if they hold no number.

    Parameters
    ----------
    returned
        A mapping of metric names to numbers, or anything else that a user's function may return.
    metrics
        The metrics that the space declares.

    Examples
    --------
    >>> from nasbuild.evaluate import parse_result
    >>> parse_result({"acc": 93.1}, {}).metrics
    {'acc': 93.1}
    >>> parse_result(0.93, {}).reason
    'returned 0.93, a float; return a dict such as {"acc": 0.93}'
    """
    if not isinstance(returned, Mapping):
        return Result(None, _not_a_mapping(returned, metrics), seconds)
    found: dict[str, float | None] = {}
    notes: list[str] = list(returned.notes) if isinstance(returned, AnnotatedMetrics) else []
    for key, value in returned.items():
        name = str(key)
        number = _number(value)
        if not is_name(name):
            notes.append(f"left out {_shown(name)}, which is not a valid metric name")
        elif isinstance(number, str):
            notes.append(f"left out {name}, which is {number}")
        elif number is not None and name in metrics and (allowed := metrics[name].outside(number)):
            notes.append(f"left out {name}, which is {number:g}; allowed: {allowed}")
        else:
            found[name] = number
    notes += _undeclared(found, metrics)
    if all(value is None for value in found.values()):
        missing = "measured nothing" if found or not notes else "; ".join(notes)
        if found:
            missing = f"no number for {' and '.join(sorted(found))}" + "".join(f"; {note}" for note in notes)
        return Result(None, truncate(missing), seconds)
    return Result(found, None, seconds, tuple(truncate(note) for note in notes))


def failed_result(error: BaseException, seconds: float | None = None) -> Result:
    """Result of an evaluation that raised an exception, of any kind.

    Examples
    --------
    >>> from nasbuild.evaluate import failed_result
    >>> failed_result(ValueError("no memory")).reason
    'ValueError: no memory'
    """
    if isinstance(error, NasbuildError):
        return Result(None, truncate(str(error)), seconds)
    name = type(error).__name__
    if isinstance(error, SystemExit):
        name = "SystemExit (the evaluator called sys.exit)"
    try:
        text = str(error)
    except BaseException as other:
        text = f"its text can't be shown ({type(other).__name__})"
    return Result(None, truncate(f"{name}: {text}" if text else name), seconds)


def truncate(text: str) -> str:
    """Shorten a text and escape what a database or stream may refuse: null characters and lone surrogates."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... ({len(text):,} characters) ... {text[-_LONGEST // 4 :]}"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _number(value: object) -> float | str | None:
    """The value as a number, None if it was not measured, or a description of what it is instead."""
    if value is None:
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except Exception:
        return f"{_kind(value)} ({_shown(value)})"
    return found if math.isfinite(found) else None


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, int):
        return "an integer too large"
    return f"a {type(value).__name__}"


def _not_a_mapping(returned: object, metrics: Mapping[str, Metric]) -> str:
    name, number = next(iter(metrics), "acc"), _number(returned)
    example = number if isinstance(number, float) else 0.93
    what = "None" if returned is None else f"{_shown(returned)}, {_kind(returned)}"
    return truncate(f'returned {what}; return a dict such as {{"{name}": {example!r}}}')


def _undeclared(found: Mapping[str, object], metrics: Mapping[str, Metric]) -> list[str]:
    """Notes on undeclared metrics, with the missing declared metric that each name is probably a typo of."""
    unknown = [name for name in found if metrics and name not in metrics]
    missing = {metric.lower(): metric for metric in metrics if metric not in found}
    typos = {name: near for name in unknown if (near := difflib.get_close_matches(name.lower(), missing, 1))}
    notes = [
        f"metric {name} is not declared in the space; did you mean {missing[near[0]]}?"
        for name, near in typos.items()
    ]
    if others := [name for name in unknown if name not in typos]:
        notes.append(f"not declared in the space, so not usable as objectives: {', '.join(others)}")
    return notes


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
