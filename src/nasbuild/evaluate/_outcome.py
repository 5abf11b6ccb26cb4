"""What an evaluator told, made a result: numbers are kept, all else is named; and failures, whatever they are."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._result import Noted, Result
from nasbuild.space import Metric, is_name

_LONGEST = 1_000  # characters of a reason
_SHOWN = 60  # characters of a value in a note


def result_of(told: object, metrics: Mapping[str, Metric], seconds: float | None = None) -> Result:
    """The numbers of what an evaluator returned; a failure where there is none.

    Parameters
    ----------
    metrics
        What is declared.
    """
    if not isinstance(told, Mapping):
        return Result(None, _no_mapping(told, metrics), seconds)
    found: dict[str, float | None] = {}
    notes: list[str] = list(told.notes) if isinstance(told, Noted) else []
    for key, value in told.items():
        name = str(key)
        number = _number(value)
        if not is_name(name):
            notes.append(f"left out {_shown(name)}, which is no name of a metric")
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
        return Result(None, cut(missing), seconds)
    return Result(found, None, seconds, tuple(cut(note) for note in notes))


def failure(error: BaseException, seconds: float | None = None) -> Result:
    """An evaluation that ended with an exception, of whatever kind."""
    if isinstance(error, NasbuildError):
        return Result(None, cut(str(error)), seconds)
    name = type(error).__name__
    if isinstance(error, SystemExit):
        name = "SystemExit (the evaluator called sys.exit)"
    try:
        text = str(error)
    except BaseException as other:
        text = f"its text can't be shown ({type(other).__name__})"
    return Result(None, cut(f"{name}: {text}" if text else name), seconds)


def cut(text: str) -> str:
    """A text that any database and stream takes: not too long, no zeros, no halves of characters."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... ({len(text):,} characters) ... {text[-_LONGEST // 4 :]}"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _number(value: object) -> float | str | None:
    """A number, None for what could not be measured, or what the value is instead."""
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
        return "a number without end"
    return f"a {type(value).__name__}"


def _no_mapping(told: object, metrics: Mapping[str, Metric]) -> str:
    name, number = next(iter(metrics), "acc"), _number(told)
    example = number if isinstance(number, float) else 0.93
    what = "None" if told is None else f"{_shown(told)}, {_kind(told)}"
    return cut(f'returned {what}; return a dict such as {{"{name}": {example!r}}}')


def _undeclared(found: Mapping[str, object], metrics: Mapping[str, Metric]) -> list[str]:
    """That metrics are not declared; where one is missing, too, whether its name was meant."""
    unknown = [name for name in found if metrics and name not in metrics]
    missing = {metric.lower(): metric for metric in metrics if metric not in found}
    meant = {name: near for name in unknown if (near := difflib.get_close_matches(name.lower(), missing, 1))}
    notes = [
        f"metric {name} is not declared in the space; did you mean {missing[near[0]]}?"
        for name, near in meant.items()
    ]
    if others := [name for name in unknown if name not in meant]:
        notes.append(f"not declared in the space, so no targets: {', '.join(others)}")
    return notes


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
