"""Names of flat columns: ``stage1.depth``, ``stage1.0.kernel``, ``globals.resolution``, and the metrics.

A space may have names of the user's own for them (the key ``columns`` of ``space.yaml``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nasbuild.space import ABSENT, Architecture, Feature, Space, Stage, StageSource, choice_text

ID = "id"
BUILT_FIELDS = frozenset(
    ("target", "score", "shares", "prediction", "std", "extrapolates", "expected", "where")
)
"""Columns of built architectures that hold no measurement."""
_BUILT = frozenset(("target", "score", "prediction", "std", "extrapolates"))
_DEPTH = "depth"
_ESCAPE = "."


@dataclass(frozen=True)
class StageColumns:
    """The columns of one stage.

    Attributes
    ----------
    prefix
        The start of their names; None where the user named them.
    depth
        The column of the number of layers; None for the globals, and where the filled layers are counted.
    choices
        The possible columns for each layer and feature: the layer's own, and the stage's if it is shared.
    """

    stage: Stage
    prefix: str | None
    depth: str | None
    choices: tuple[tuple[tuple[str, ...], ...], ...]

    def all(self) -> list[str]:
        """Every column that may describe the stage; an ambiguous name occurs twice."""
        places = [place for layer in self.choices for place in layer]
        own = [] if self.depth is None else [self.depth]
        return own + [p[0] for p in places] + list(dict.fromkeys(p[1] for p in places if len(p) > 1))


class FlatNames:
    """The flat columns of a space.

    They contain the names of stages and features as they are. If a column would be ambiguous, names
    are percent-encoded, dots included: ``a.0`` may be a stage, or layer 0 of stage ``a``.
    With ``own``, the columns are those that the space declares for the user's table, if it does.
    """

    def __init__(self, space: Space, *, own: bool = True) -> None:
        self.space = space
        self.own = space.columns if own else None
        self.id = ID
        if self.own is not None:
            self.id = self.own.id or ID
            self.stages = [_own_columns(stage, self.own.stages[stage.name]) for stage in space.stages]
            return
        self.stages = [_stage_columns(stage, _plain) for stage in space.stages]
        columns = [column for stage in self.stages for column in stage.all()]
        if len(set(columns)) < len(columns) or any(s.name.startswith(_ESCAPE) for s in space.stages):
            self.stages = [_stage_columns(stage, _encoded) for stage in space.stages]

    @classmethod
    def of(cls, space: Space, columns: Iterable[str]) -> FlatNames:
        """The names that a table's columns follow: the user's own, unless they are nasbuild's."""
        names = cls(space)
        if names.own is not None and not set(columns) & set(names.own.of_architecture()):
            plain = cls(space, own=False)
            return plain if set(columns) & set(plain.written()) else names
        return names

    def written(self) -> dict[str, Feature]:
        """The columns of a written table, in order, with the feature whose choices they hold.

        The number of layers counts as a feature here.
        """
        columns: dict[str, Feature] = {}
        for own in self.stages:
            if own.depth is not None:
                columns[own.depth] = Feature(_DEPTH, own.stage.depths, "numeric")
            for layer in own.choices:
                for places, feature in zip(layer, own.stage.features, strict=True):
                    columns[places[-1]] = feature
        return columns

    def flat_row(self, architecture: Architecture) -> dict[str, Any]:
        """The values of an architecture by column, without those of layers and features it lacks.

        Choices of a feature with several types are texts, as a column has one type.
        """
        row: dict[str, Any] = {}
        for own, module in zip(self.stages, architecture.modules, strict=True):
            if own.depth is not None:
                row[own.depth] = len(module)
            for places, layer in zip(own.choices, module, strict=False):
                for names, feature, choice in zip(places, own.stage.features, layer, strict=True):
                    if choice is not ABSENT:
                        row[names[-1]] = choice if feature.uniform else choice_text(feature, choice)
        return row

    def metrics(self, names: Iterable[str], *, apart: bool = False) -> dict[str, str]:
        """The column of each metric: its name, with a leading dot if the name would be ambiguous.

        ``apart`` says that the table also has the columns of built architectures.
        """
        if self.own is not None:
            return self._own_metrics(names, apart)
        taken = (_ESCAPE, *(own.prefix for own in self.stages if own.prefix is not None))
        words = {ID, *BUILT_FIELDS} if apart else {ID}
        return {name: _ESCAPE + name if name in words or name.startswith(taken) else name for name in names}

    def _own_metrics(self, names: Iterable[str], apart: bool) -> dict[str, str]:
        assert self.own is not None
        declared = self.own.metrics
        taken = {self.id, *self.written(), *self.own.constant, *(BUILT_FIELDS if apart else ())}
        others = taken | set(declared.values())
        columns = {name: declared.get(name, name) for name in names}
        return {
            name: _ESCAPE + column
            if column in (taken if name in declared else others) or column.startswith(_ESCAPE)
            else column
            for name, column in columns.items()
        }

    def metric(self, column: str) -> str:
        """The metric of a column that does not describe an architecture."""
        if self.own is not None:
            # A leading dot marks the column of a metric that would be mistaken for another one.
            for place in dict.fromkeys((column, column.removeprefix(_ESCAPE))):
                for name, own in self.own.metrics.items():
                    if own == place:
                        return name
        return column.removeprefix(_ESCAPE)


def fields_of_built(columns: Iterable[str]) -> frozenset[str]:
    """The columns of a table that ``nasbuild build`` writes besides architectures and metrics."""
    found = frozenset(columns)
    return found & BUILT_FIELDS if found >= _BUILT else frozenset()


def _stage_columns(stage: Stage, name: Callable[[str], str]) -> StageColumns:
    prefix = name(stage.name) + "."

    def places(layer: int, feature: Feature) -> tuple[str, ...]:
        of_stage = prefix + name(feature.name)
        if stage.is_globals:
            return (of_stage,)
        own = f"{prefix}{layer}.{name(feature.name)}"
        # A shared feature named depth has no column of its own: that one is the number of layers.
        return (own, of_stage) if feature.name in stage.shared and feature.name != _DEPTH else (own,)

    choices = tuple(tuple(places(n, f) for f in stage.features) for n in range(max(stage.depths)))
    return StageColumns(stage, prefix, None if stage.is_globals else prefix + _DEPTH, choices)


def _own_columns(stage: Stage, source: StageSource) -> StageColumns:
    def place(layer: int, feature: Feature) -> tuple[str, ...]:
        columns = source.features[feature.name]
        return (columns[0 if len(columns) == 1 else layer],)

    choices = tuple(tuple(place(n, f) for f in stage.features) for n in range(max(stage.depths)))
    return StageColumns(stage, None, source.depth, choices)


def _plain(name: str) -> str:
    return name


def _encoded(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E")


def flat_columns(space: Space) -> list[str]:
    """The columns of `flat_row`, in order.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import flat_columns
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> flat_columns(space)
    ['stage1.depth', 'stage1.0.kernel', 'stage1.1.kernel']
    """
    return list(FlatNames(space, own=False).written())


def flat_row(space: Space, architecture: Architecture) -> dict[str, Any]:
    """An architecture as one row of flat columns; None for layers it does not have.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import flat_row
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> flat_row(space, Architecture((((5,),),)))
    {'stage1.depth': 1, 'stage1.0.kernel': 5, 'stage1.1.kernel': None}
    """
    names = FlatNames(space, own=False)
    return dict.fromkeys(names.written()) | names.flat_row(architecture)
