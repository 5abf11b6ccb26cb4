"""The choices of features from the values of their columns, and what a space cannot say of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nasbuild.table._flat_columns import NONE, plain_text
from nasbuild.table.infer._stage_guess import StageGuess
from nasbuild.table.infer._typed_columns import TypedColumn, Value, sorted_choices
from nasbuild.table.infer._words import normal

_MANY = 20
_SURELY = 10
_WIDE = 30
_KERNELS = ("k", "ks", "kernel_size", "kernel_sizes", "kernels")
_EXPANDS = ("e", "er", "expand_ratio", "expand_ratios", "expansion", "expansions", "expands")
_SINGULARS = {
    "depth": "layers",
    "ops": "op",
    "widths": "width",
    "arch": "op",
    "arch_str": "op",
    "architecture": "op",
}


@dataclass
class Choices:
    """Values of a feature of one stage, within the depths of the rows.

    ``missing`` counts empty cells of layers that exist.
    """

    values: list[Value] = field(default_factory=list)
    missing: int = 0


def depths_of(stage: StageGuess) -> list[int | None]:
    """The number of layers in each row; None where it is not known."""
    rows = len(next(iter(stage.features.values()))[0].values) if stage.features else 0
    if stage.depth is not None:
        return [v if isinstance(v, int) else None for v in stage.depth.values]
    if not stage.counted:
        return [stage.layers] * rows
    layered = [columns for columns in stage.features.values() if len(columns) == stage.layers]
    filled = [
        [any(columns[n].values[row] is not None for columns in layered) for n in range(stage.layers)]
        for row in range(rows)
    ]
    return [sum(layers) or None for layers in filled]


def stage_choices(stage: StageGuess, depths: Sequence[int | None]) -> dict[str, Choices]:
    """Choices of each feature; values of layers that a row does not have are not looked at."""
    return {
        feature: _choices(list(_cells(columns, depths, feature in stage.shared)))
        for feature, columns in stage.features.items()
    }


def _cells(columns: tuple[TypedColumn, ...], depths: Sequence[int | None], shared: bool) -> Iterator[Any]:
    for row, depth in enumerate(depths):
        for layer, column in enumerate(columns):
            if depth is not None and (shared or layer < depth) and depth > 0:
                yield column.values[row]


def _choices(cells: list[Any]) -> Choices:
    return Choices(sorted_choices(c for c in cells if c is not None), sum(c is None for c in cells))


def rows_with_more(stage: StageGuess, depths: Sequence[int | None]) -> int:
    """The number of rows with values of layers that they do not have."""
    layered = [columns for name, columns in stage.features.items() if name not in stage.shared]
    return sum(
        depth is not None and any(c.values[row] is not None for columns in layered for c in columns[depth:])
        for row, depth in enumerate(depths)
    )


def is_shared(columns: tuple[TypedColumn, ...], depths: Sequence[int | None]) -> bool:
    """Whether all layers of each row have one value, in more rows than chance would make so."""
    deep = 0
    for row, depth in enumerate(depths):
        if depth is not None and depth > 1:
            if len({column.values[row] for column in columns[:depth]}) > 1:
                return False
            deep += 1
    return (
        deep >= _SURELY and len({column.values[row] for column in columns for row in range(len(depths))}) > 1
    )


def column_choices(column: TypedColumn) -> Choices:
    """Choices of a feature of the whole network."""
    return _choices(list(column.values))


def conditions(stage: StageGuess, depths: Sequence[int | None]) -> dict[str, tuple[str, list[Value]]]:
    """The features that exist only with some choices of another one, which are never empty there.

    Returns the other feature and these choices, by feature.
    """
    found: dict[str, tuple[str, list[Value]]] = {}
    cells = {
        name: list(_cells(columns, depths, name in stage.shared)) for name, columns in stage.features.items()
    }
    for name, own in cells.items():
        if all(value is not None for value in own):
            continue
        for other, theirs in cells.items():
            if other == name or len(theirs) != len(own) or any(value is None for value in theirs):
                continue
            pairs = list(zip(own, theirs, strict=True))
            there = {value for mine, value in pairs if mine is not None}
            elsewhere = {value for mine, value in pairs if mine is None}
            if there and not there & elsewhere:
                found[name] = other, sorted_choices(there)
                break
    return found


def settled_choices(
    name: str, found: Sequence[Choices], notes: list[str], *, ranges: bool = False
) -> list[list[Any]]:
    """The choices of a feature in each stage, all of one type, as one feature has one kind.

    With ``ranges``, many numbers are no reason for a note.
    """
    everything = sorted_choices(value for one in found for value in one.values)
    types = {
        "bool" if isinstance(v, bool) else "text" if isinstance(v, str) else "number" for v in everything
    }
    texts = len(types) > 1
    # A text none of the table means the same as an empty cell.
    empty = NONE if NONE in everything else None
    settled = []
    for one in found:
        values: list[Any] = [v if isinstance(v, str) or not texts else plain_text(v) for v in one.values]
        if one.missing and empty not in values:
            values.insert(0, empty)
        settled.append(values)
    numbers = [v for v in everything if not isinstance(v, bool | str)]
    if types == {"number"} and not texts and len(numbers) > _MANY and not ranges:
        notes.append(
            f"{name} has {len(numbers):,} values from {numbers[0]:g} to {numbers[-1]:g}: each is a choice, and what lies between "
            "them is not built"
        )
    return settled


def as_range(values: Sequence[Any]) -> dict[str, Any] | None:
    """The range of many numbers, with round ends; None if a list of choices says it better."""
    if len(values) <= _MANY or any(isinstance(v, bool | str) or v is None for v in values):
        return None
    low, high = min(values), max(values)
    if all(isinstance(v, int) for v in values):
        return {"range": [low, high], "step": 1}
    wide = low > 0 and high / low >= _WIDE
    found: dict[str, Any] = {"range": [_round(low, math.floor), _round(high, math.ceil)]}
    if wide:
        found["range"] = [max(found["range"][0], _round(low / 10, math.ceil)), found["range"][1]]
        found["scale"] = "log"
    return found


def _round(number: float, direction: Callable[[float], int]) -> float:
    """A number with one digit, rounded down or up."""
    if number == 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(abs(number)))
    return float(f"{direction(number / unit) * unit:.1g}")


def feature_name(name: str, values: Sequence[Value]) -> str:
    """The usual word for a feature that once-for-all tables shorten: ``ks`` is kernel, ``e`` is expand."""
    whole = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    if normal(name) in _KERNELS and whole and all(v % 2 and 0 < v < 64 for v in values):  # pyright: ignore[reportOperatorIssue]
        return "kernel"
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if normal(name) in _EXPANDS and numbers and all(0 < v <= 20 for v in values):  # pyright: ignore[reportOperatorIssue]
        return "expand"
    return _SINGULARS.get(normal(name), name)
