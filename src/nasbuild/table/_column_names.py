"""Names of flat columns: ``stage1.depth``, ``stage1.0.kernel``, ``globals.resolution``, and one a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nasbuild.space import Architecture, Choice, Feature, Space, Stage

ID = "id"
BESIDE = frozenset(("target", "score", "shares", "prediction", "std", "extrapolates", "expected", "where"))
"""Columns of built architectures that tell nothing that was measured."""
_BUILT = frozenset(("target", "score", "prediction", "std", "extrapolates"))
_DEPTH = "depth"
_ESCAPE = "."


@dataclass(frozen=True)
class StageColumns:
    """The columns of one stage.

    Attributes
    ----------
    prefix
        What all of them begin with.
    depth
        The number of layers; None for the globals, which have one.
    choices
        Where the choice of a layer and a feature may stand: in the layer's own column, or in the
        stage's where it is shared.
    """

    stage: Stage
    prefix: str
    depth: str | None
    choices: tuple[tuple[tuple[str, ...], ...], ...]

    def all(self) -> list[str]:
        """Every column that may describe the stage; one that would mean two things stands there twice."""
        places = [place for layer in self.choices for place in layer]
        own = [] if self.depth is None else [self.depth]
        return own + [p[0] for p in places] + list(dict.fromkeys(p[1] for p in places if len(p) > 1))


class FlatNames:
    """The flat columns of a space.

    Names of stages and features stand in them as they are, unless one column could mean two things
    then (``a.0`` may be the name of a stage, or layer 0 of stage ``a``): in such a space they are
    percent-encoded, dots included.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.stages = [_stage_columns(stage, _plain) for stage in space.stages]
        columns = [column for stage in self.stages for column in stage.all()]
        if len(set(columns)) < len(columns) or any(s.name.startswith(_ESCAPE) for s in space.stages):
            self.stages = [_stage_columns(stage, _encoded) for stage in space.stages]

    def written(self) -> dict[str, tuple[Choice, ...]]:
        """The columns that a table is written in, in order, and the values that each may have."""
        columns: dict[str, tuple[Choice, ...]] = {}
        for own in self.stages:
            if own.depth is not None:
                columns[own.depth] = own.stage.depths
            for layer in own.choices:
                for places, feature in zip(layer, own.stage.features, strict=True):
                    columns[places[-1]] = feature.choices
        return columns

    def flat_row(self, architecture: Architecture) -> dict[str, Any]:
        """The values of an architecture in the written columns, without those of layers it does not have."""
        row: dict[str, Any] = {}
        for own, module in zip(self.stages, architecture.modules, strict=True):
            if own.depth is not None:
                row[own.depth] = len(module)
            for places, layer in zip(own.choices, module, strict=False):
                row.update(zip((p[-1] for p in places), layer, strict=True))
        return row

    def metrics(self, names: Iterable[str], *, apart: bool = False) -> dict[str, str]:
        """The column of each metric: its name, after a dot where the name alone would mean another thing.

        ``apart`` tells that the columns of built architectures stand beside.
        """
        taken = (_ESCAPE, *(own.prefix for own in self.stages))
        words = {ID, *BESIDE} if apart else {ID}
        return {name: _ESCAPE + name if name in words or name.startswith(taken) else name for name in names}


def beside(columns: Iterable[str]) -> frozenset[str]:
    """Of the columns of a table, those that ``nasbuild build`` writes beside architectures and metrics."""
    found = frozenset(columns)
    return found & BESIDE if found >= _BUILT else frozenset()


def _stage_columns(stage: Stage, name: Callable[[str], str]) -> StageColumns:
    prefix = name(stage.name) + "."

    def places(layer: int, feature: Feature) -> tuple[str, ...]:
        of_stage = prefix + name(feature.name)
        if stage.is_globals:
            return (of_stage,)
        own = f"{prefix}{layer}.{name(feature.name)}"
        # A shared feature called depth has no column for the stage: that one is the number of layers.
        return (own, of_stage) if feature.name in stage.shared and feature.name != _DEPTH else (own,)

    choices = tuple(tuple(places(n, f) for f in stage.features) for n in range(max(stage.depths)))
    return StageColumns(stage, prefix, None if stage.is_globals else prefix + _DEPTH, choices)


def _plain(name: str) -> str:
    return name


def _encoded(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E")


def metric_of_column(column: str) -> str:
    """The metric that a column stands for, given that it describes no architecture."""
    return column.removeprefix(_ESCAPE)


def flat_columns(space: Space) -> list[str]:
    """The columns that `flat_row` fills, in order."""
    return list(FlatNames(space).written())


def flat_row(space: Space, architecture: Architecture) -> dict[str, Any]:
    """One flat row of an architecture; layers that it does not have are None."""
    names = FlatNames(space)
    return dict.fromkeys(names.written()) | names.flat_row(architecture)
