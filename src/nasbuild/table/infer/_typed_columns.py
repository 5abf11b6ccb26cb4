"""The columns of a source with typed values: numbers, truth values and texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nasbuild.space import number_of_text
from nasbuild.table._flat_columns import plain_text
from nasbuild.table._source import Source
from nasbuild.table.infer._words import metric_words

Type = Literal["number", "bool", "text", "other"]
Value = bool | int | float | str

_EMPTY = frozenset(("", "nan", "null", "na", "n/a", "#n/a"))
_MOST_MARKS = 3  # different words among the numbers of a metric
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class TypedColumn:
    """A column.

    Attributes
    ----------
    values
        One for each row, None where it is missing. Whole numbers are integers.
    marks
        Texts that mean missing in this column, besides the usual ones: a sign, or words such as OOM where the name is
        that of a metric.
    place
        Its position in the source.
    """

    name: str
    type: Type
    values: tuple[Any, ...]
    place: int
    marks: tuple[str, ...] = ()

    @cached_property
    def distinct(self) -> list[Any]:
        """The different values, sorted; numbers before texts."""
        return sorted_choices(value for value in self.values if value is not None)

    @cached_property
    def n_missing(self) -> int:
        """How many values are missing."""
        return sum(value is None for value in self.values)

    @property
    def is_constant(self) -> bool:
        """Whether it has one value in all rows, which may be nothing."""
        return not self.distinct or (len(self.distinct) == 1 and not self.n_missing)

    @property
    def is_fractional(self) -> bool:
        """Whether it has numbers that are not whole."""
        return self.type == "number" and any(isinstance(value, float) for value in self.distinct)


def sorted_choices(values: Any) -> list[Value]:
    """Different values in a natural order."""
    return sorted(
        {(isinstance(v, bool), v): v for v in values}.values(), key=lambda v: (isinstance(v, str), v)
    )


def typed_columns(source: Source) -> list[TypedColumn]:
    """The columns of the rows that could be read."""
    rows = [row for _, row in source.good]
    return [_typed(name, [row.get(name) for row in rows], n) for n, name in enumerate(source.names)]


def _typed(name: str, cells: Sequence[Any], place: int) -> TypedColumn:
    values = [None if _is_empty(cell) else cell for cell in cells]
    held = [value for value in values if value is not None]
    if held and all(_truth(value) is not None for value in held):
        return TypedColumn(name, "bool", tuple(None if v is None else _truth(v) for v in values), place)
    if all(isinstance(value, int | float | str) for value in held):
        numbers = [None if value is None else _number(value) for value in values]
        strangers = Counter(v for v, n in zip(values, numbers, strict=True) if v is not None and n is None)
        texts = [text for text in strangers if isinstance(text, str) and text.strip().lower() != "none"]
        marks = sorted({text.strip() for text in texts})
        few = sum(strangers.values()) <= len(held) / 2
        signs = len(marks) <= 1 and not any(c.isalnum() for mark in marks for c in mark)
        words = len(marks) <= _MOST_MARKS and metric_words(name).strength == 2
        if few and (signs or words) and not any(isinstance(s, bool) for s in strangers):
            return TypedColumn(name, "number", tuple(numbers), place, tuple(marks))
        return TypedColumn(name, "text", tuple(None if v is None else _text(v) for v in values), place)
    return TypedColumn(name, "other", tuple(map(str, values)), place)


def _is_empty(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower() in _EMPTY
    return cell is None or (isinstance(cell, float) and cell != cell)


def _truth(value: Any) -> bool | None:
    return (
        value
        if isinstance(value, bool)
        else _TRUTH.get(value.strip().lower())
        if isinstance(value, str)
        else None
    )


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    number = number_of_text(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**53:
        return int(number)
    return number


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else plain_text(value)
