"""Architectures as flat columns: ``stage1.depth``, ``stage1.0.kernel``, ``globals.resolution``.

A feature that the layers of a stage share may also stand once, as ``stage1.kernel``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nasbuild.errors import TableError
from nasbuild.space import GLOBALS, Architecture, Feature, Space, Stage
from nasbuild.table._rows import RawRow

ID = "id"


@dataclass(frozen=True)
class FlatLayout:
    """Which columns of a flat table describe the architecture, and which are left for metrics."""

    space: Space
    columns: frozenset[str]
    others: tuple[str, ...]

    @classmethod
    def of(cls, space: Space, columns: Sequence[str], where: str) -> FlatLayout:
        """Sort the columns of a table.

        Raises
        ------
        TableError
            If a column of the architecture is missing, or one is named like a stage but is none.
        """
        known = {name for stage in space.stages for name in stage_columns(stage)}
        for column in columns:
            stage = column.split(".")[0]
            if "." in column and column not in known and any(s.name == stage for s in space.stages):
                allowed = sorted(c for c in known if c.startswith(stage + "."))
                raise TableError(f"unknown column {column!r}", where=where, allowed=allowed)
        layout = cls(space, frozenset(known & set(columns)), tuple(c for c in columns if c not in known and c != ID))
        layout._require(where)
        return layout

    @cached_property
    def _plan(self) -> list[list[list[tuple[str, Feature]]]]:
        """For each stage and layer: where each feature stands."""
        return [
            [
                [(next(c for c in _places(stage, n, f) if c in self.columns), f) for f in stage.features]
                for n in range(max(stage.depths))
            ]
            for stage in self.space.stages
        ]

    def _require(self, where: str) -> None:
        for stage in self.space.stages:
            depth = [[f"{stage.name}.depth"]] if len(stage.depths) > 1 else []
            places = [_places(stage, n, f) for n in range(max(stage.depths)) for f in stage.features]
            for names in depth + places:
                if not any(name in self.columns for name in names):
                    todo = "every choice of the space needs its column"
                    raise TableError(f"column {names[0]!r} is missing", where=where, todo=todo)

    def row(self, where: str, values: Mapping[str, Any], metrics: Mapping[str, object], *, text: bool) -> RawRow:
        """The raw row of one line of a flat table; ``text`` tells that all values are still text."""
        stages = [self._module(u, values, where, text) for u in range(len(self.space.stages))]
        arch: dict[str, Any] = {"stages": stages}
        if self.space.globals is not None:
            arch[GLOBALS] = stages.pop()[0]
        return RawRow(where, values.get(ID) if values.get(ID) != "" else None, arch, metrics)

    def _module(self, u: int, values: Mapping[str, Any], where: str, text: bool) -> list[dict[str, Any]]:
        stage = self.space.stages[u]
        depth = stage.depths[0]
        column = f"{stage.name}.depth"
        if column in self.columns:
            given = values.get(column)
            depth = _whole(_number(given) if text else given)
            if depth is None or depth > max(stage.depths):
                raise TableError(f"{column} is {given!r}", where=where, allowed=stage.depths)
        layers = []
        for layer in self._plan[u][:depth]:
            choices = {}
            for place, feature in layer:
                value = values.get(place)
                if value is None or value == "":
                    raise TableError(f"{place} is missing", where=where, allowed=feature.choices)
                choices[feature.name] = _choice(feature, value) if text else value
            layers.append(choices)
        return layers


def stage_columns(stage: Stage) -> list[str]:
    """All columns that may describe a stage, shared features once."""
    names = [] if stage.is_globals else [f"{stage.name}.depth"]
    for layer in range(max(stage.depths)):
        names += [place for feature in stage.features for place in _places(stage, layer, feature)]
    return list(dict.fromkeys(names))


def flat_columns(space: Space) -> list[str]:
    """The columns that `flatten` fills, in order."""
    columns = []
    for stage in space.stages:
        columns += [] if stage.is_globals else [f"{stage.name}.depth"]
        places = [_places(stage, n, f)[-1] for n in range(max(stage.depths)) for f in stage.features]
        columns += list(dict.fromkeys(places))
    return columns


def flatten(space: Space, architecture: Architecture) -> dict[str, Any]:
    """One flat row of an architecture; layers that it does not have are None."""
    row: dict[str, Any] = {}
    for stage, module in zip(space.stages, architecture.modules, strict=True):
        if not stage.is_globals:
            row[f"{stage.name}.depth"] = len(module)
        for n in range(max(stage.depths)):
            for position, feature in enumerate(stage.features):
                column = _places(stage, n, feature)[-1]
                if n < len(module):
                    row[column] = module[n][position]
                else:
                    row.setdefault(column)
    return row


def _places(stage: Stage, layer: int, feature: Feature) -> list[str]:
    """Where a choice may stand: in the layer's own column, or in the stage's where it is shared."""
    if stage.is_globals:
        return [f"{stage.name}.{feature.name}"]
    own = f"{stage.name}.{layer}.{feature.name}"
    return [own, f"{stage.name}.{feature.name}"] if feature.name in stage.shared else [own]


def _choice(feature: Feature, text: str) -> object:
    """The value that a text stands for, given what the feature's choices are."""
    if isinstance(feature.choices[0], bool):
        return {"true": True, "false": False, "1": True, "0": False}.get(text.strip().lower(), text)
    if isinstance(feature.choices[0], str):
        return text
    number = _number(text)
    return text if number is None else number


def _number(text: object) -> float | None:
    if not isinstance(text, str) or not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text):
        return None
    return float(text)


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value < 1:
        return None
    return int(value) if value == int(value) else None


def metric_of_text(text: str | None) -> object:
    """A metric's number from CSV text: None where the field is empty, the text itself if it is no number."""
    if text is None or text.strip() == "":
        return None
    number = _number(text)
    return text if number is None else number
