"""Nested data as flat fields: ``config.stages[0].depth``; and texts that are nested data of Python or JSON."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LONGEST = 200_000
_MOST_FIELDS = 20_000
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[]+)")
# numpy and Python write these without quotes, and neither is a literal.
_NO_NUMBER = re.compile(r"\b(nan|NaN|inf|Infinity)\b")


def flattened(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The fields of nested objects and lists, by their paths.

    A list of ``{"key": ..., "value": ...}`` objects, as tracking servers write them, is an object.
    An object or a list with too many fields is left out.
    """
    found: dict[str, Any] = {}
    for path, value in _leaves(data, prefix):
        found[path] = value
        if len(found) > _MOST_FIELDS:
            break
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        pairs = _pairs(value)
        if pairs is not None:
            yield from _leaves(pairs, path)
            return
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def _pairs(values: Sequence[Any]) -> dict[str, Any] | None:
    if not values or not all(isinstance(v, Mapping) and {"key", "value"} <= set(v) for v in values):
        return None
    return {str(v["key"]): v["value"] for v in values}


def nested(fields: Mapping[str, Any]) -> Any:
    """The nested data of flat fields, the reverse of `flattened`.

    Examples
    --------
    >>> nested({"d[0]": 2, "d[1]": 3, "opt.lr": 0.1})
    {'d': [2, 3], 'opt': {'lr': 0.1}}
    """
    root: dict[Any, Any] = {}
    for path, value in fields.items():
        steps = [int(n) if n else name for n, name in _STEP.findall(path)]
        place = root
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = value
    return _listed(root)


def _listed(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    if data and all(isinstance(key, int) for key in data):
        return [_listed(data.get(n)) for n in range(max(data) + 1)]
    return {key: _listed(value) for key, value in data.items()}


def parsed_literal(text: str) -> tuple[Any, str] | None:
    """The data of a text that is an object or a list of JSON or Python, and which; None if it is neither.

    Texts are parsed as data and never evaluated.
    """
    text = text.strip()
    if not text or text[0] not in "{[(" or text[-1] not in "}])" or len(text) > _LONGEST:
        return None
    try:
        return json.loads(text), "json"
    except (ValueError, RecursionError):
        pass
    for attempt in (text, _NO_NUMBER.sub("None", text)):
        try:
            found = ast.literal_eval(attempt)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return (found, "python") if isinstance(found, dict | list | tuple) else None
    return None


def invertible(data: Any) -> bool:
    """Whether `nested` gives the data back: no key has a dot or a bracket, and no list or object is empty."""
    if isinstance(data, Mapping):
        good = all(isinstance(k, str) and k and not set(k) & set(".[]") and not k.isdigit() for k in data)
        return bool(data) and good and all(map(invertible, data.values()))
    if isinstance(data, list | tuple):
        return bool(data) and _pairs(data) is None and all(map(invertible, data))
    return True
