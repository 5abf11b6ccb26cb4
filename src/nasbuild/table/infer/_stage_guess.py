"""What is guessed of a stage: its layers, its features, and where its depth stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nasbuild.table.infer._index_patterns import IndexPattern
from nasbuild.table.infer._typed_columns import TypedColumn
from nasbuild.table.infer._words import DEPTHS, normal

Part = tuple[TypedColumn, IndexPattern]
_MOST_LAYERS = 1_000


@dataclass
class StageGuess:
    """A stage.

    Attributes
    ----------
    depth
        Column of the number of layers; None if it is ``layers``, or the filled layers are ``counted``.
    features
        Columns of each feature, one for each layer; a single one if all layers share it.
    """

    name: str
    place: int
    layers: int
    depth: TypedColumn | None = None
    counted: bool = False
    features: dict[str, tuple[TypedColumn, ...]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    container: str = ""


@dataclass
class Stages:
    """Stages in order, features of the whole network, and columns that fit nowhere."""

    stages: list[StageGuess]
    plain: list[Part]
    left: list[TypedColumn]


def is_depth(column: TypedColumn, feature: str, most: int = _MOST_LAYERS) -> bool:
    """Whether a column holds numbers of layers, up to ``most``."""
    return (
        normal(feature) in DEPTHS
        and column.type == "number"
        and not column.is_fractional
        and bool(column.distinct)
        and column.distinct[0] >= 0
        and 1 <= column.distinct[-1] <= most
    )


def containers(parts: Iterable[Part]) -> list[str]:
    return list(dict.fromkeys(pattern.container for _, pattern in parts))


def by_feature(parts: Sequence[Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part[1].feature, []).append(part)
    return found


def stage_name(parts: Sequence[Part], container: str, number: int, otherwise: str = "stage") -> str:
    word = next((pattern.word for _, pattern in parts if pattern.container == container), "")
    return f"{word or otherwise}{number}"


def trails_off(stage: StageGuess) -> bool:
    """Whether the last layers are empty in some rows, and no layer before a filled one is."""
    layered = [columns for columns in stage.features.values() if len(columns) == stage.layers]
    if stage.layers < 2 or not layered:
        return False
    short = False
    for values in zip(*(zip(*(c.values for c in columns), strict=True) for columns in layered), strict=True):
        filled = [any(value is not None for value in layer) for layer in zip(*values, strict=True)]
        depth = sum(filled)
        if not all(filled[:depth]):
            return False
        short |= depth < stage.layers
    return short
