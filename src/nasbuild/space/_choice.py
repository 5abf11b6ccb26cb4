"""Choices of features: their types, keys and texts, and what stands where a feature does not exist."""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nasbuild.space._feature import Feature

_LONGEST_LITERAL = 2_000
_WORDS = {"true": True, "false": False, "1": True, "0": False}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NULL = ("null", "none", "~")


class Absent(Enum):
    """The type of `ABSENT`; an enumeration, so that copies in other processes are the same object.

    Examples
    --------
    >>> from nasbuild.space import ABSENT, Absent
    >>> ABSENT, isinstance(ABSENT, Absent)
    (absent, True)
    """

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "absent"

    __str__ = __repr__


ABSENT = Absent.ABSENT
"""What a layer has in place of a feature that does not exist there, as its condition does not hold."""

Choice = bool | int | float | str | None | tuple[Any, ...]
"""A value of a feature: a number, a text, true, false, null, or a list (here a tuple) of these."""


def choice_key(choice: object) -> tuple[Any, ...]:
    """A dictionary key for a choice: True and 1 differ, 1 and 1.0 do not.

    Examples
    --------
    >>> from nasbuild.space import choice_key
    >>> choice_key(True) == choice_key(1), choice_key(1.0) == choice_key(1)
    (False, True)
    """
    if isinstance(choice, tuple | list):
        return False, tuple(map(choice_key, choice))
    return isinstance(choice, bool), choice


def as_choice(value: object) -> object:
    """A value as a choice would be: NumPy's scalars as Python's, lists and arrays as tuples.

    Examples
    --------
    >>> from nasbuild.space import as_choice
    >>> as_choice(np.int64(3)), as_choice(np.array([3, 5]))
    (3, (3, 5))
    """
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(map(as_choice, value)) if isinstance(value, list | tuple) else value


def is_plain(value: object) -> bool:
    """Whether a value is of a type that choices have: 3+0j equals 3 and is no choice."""
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or value is ABSENT or isinstance(value, str | bool | int | float)


def plain_choice(choice: Any) -> Any:
    """A choice as plain data: a tuple as a list.

    Examples
    --------
    >>> from nasbuild.space import plain_choice
    >>> plain_choice((3, (5, 7))), plain_choice("conv")
    ([3, [5, 7]], 'conv')
    """
    return [plain_choice(part) for part in choice] if isinstance(choice, tuple | list) else choice


def choice_type(choice: object) -> str:
    """The type of a choice in words; choices of one feature usually share it."""
    if isinstance(choice, bool):
        return "truth value"
    if isinstance(choice, str):
        return "text"
    if choice is None:
        return "null"
    return "list" if isinstance(choice, tuple) else "number"


def is_uniform(choices: Sequence[object]) -> bool:
    """Whether all choices are numbers, all texts, or all truth values, so that a text says which one it means."""
    types = {choice_type(choice) for choice in choices}
    return len(types) == 1 and not types & {"null", "list"}


def choice_text(feature: Feature, choice: object) -> str:
    """The text of a choice in a cell of a table; `choice_of_text` reads it.

    Among choices of several types, texts that could be another value stand in quotes, as in JSON.

    Examples
    --------
    >>> from nasbuild.space import choice_text
    >>> kernel, op = second.features
    >>> choice_text(kernel, 5), choice_text(op, "conv")
    ('5', 'conv')
    >>> mixed = space_from_yaml("{name: t, stages: [{depth: 1, features: {op: [3, '3', [3, 5]]}}]}").stages[0]
    >>> [choice_text(mixed.features[0], choice) for choice in (3, "3", (3, 5))]
    ['3', '"3"', '[3, 5]']
    """
    if isinstance(choice, bool):
        return "true" if choice else "false"
    if isinstance(choice, str):
        return json.dumps(choice) if not feature.uniform and _reads_otherwise(choice) else choice
    return json.dumps(plain_choice(choice))


def choice_of_text(feature: Feature, text: str) -> object:
    """The choice that a text stands for; the text itself if it is none.

    Examples
    --------
    >>> from nasbuild.space import choice_of_text, space_from_yaml
    >>> space = space_from_yaml("{name: t, stages: [{depth: 1, features: {op: [3, '3', null, [3, 5]]}}]}")
    >>> feature = space.stages[0].features[0]
    >>> [choice_of_text(feature, text) for text in ("3", '"3"', "null", "[3, 5]", "4")]
    [3.0, '3', None, (3, 5), '4']
    """
    first = feature.present[0]
    if feature.uniform and isinstance(first, str):
        return text
    if feature.uniform and isinstance(first, bool):
        return _WORDS.get(text.strip().lower(), text)
    if feature.uniform:
        number = number_of_text(text)
        return text if number is None else number
    for meant in (_json(text), text, *_other_readings(text)):
        if meant is not _NOTHING and feature.index(meant) >= 0:
            return as_choice(meant)
    return text


_NOTHING = object()


def _reads_otherwise(text: str) -> bool:
    """Whether a text may be read as another value than itself."""
    return text == "" or _json(text) is not _NOTHING or any(v is not _NOTHING for v in _other_readings(text))


def _other_readings(text: str) -> list[object]:
    """What other programs mean by a text: None, True, (3, 5)."""
    word = text.strip().lower()
    found: list[object] = [None] if word in _NULL else []
    if word in ("true", "false"):
        found.append(word == "true")
    if text.strip()[:1] in ("(", "[") and len(text) <= _LONGEST_LITERAL:
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            # Reads literals only, and runs nothing.
            found.append(ast.literal_eval(text.strip()))
    return found


def _json(text: str) -> Any:
    number = number_of_text(text)
    if number is not None:
        return number
    if len(text) > _LONGEST_LITERAL:
        return _NOTHING
    try:
        return json.loads(text.strip(), parse_constant=_refused)
    except (ValueError, RecursionError):
        return _NOTHING


def number_of_text(text: str) -> float | None:
    """The number that a text is, as spreadsheets and other programs write it; None for anything else.

    Examples
    --------
    >>> from nasbuild.space import number_of_text
    >>> number_of_text("2e3"), number_of_text("3x3"), number_of_text("nan")
    (2000.0, None, None)
    """
    return float(text) if _NUMBER.fullmatch(text) else None


def _refused(word: str) -> float:
    raise ValueError(word)
