"""Reads architectures from flat columns: what each column holds, and each row as an architecture."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np

from nasbuild.errors import TableError
from nasbuild.space import GLOBALS, Feature, Space, choice_key, choice_of_text, nearest, number_of_text
from nasbuild.table._column_names import FlatNames, StageColumns, fields_of_built
from nasbuild.table._rows import RawRow, shown
from nasbuild.table._table import Note

_SHOWN = 8  # columns named in a message
NONE = "none"
"""The choice of an empty cell in a user's own table, where null is none of the choices."""
_MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "#n/a"))


@dataclass(frozen=True)
class FlatLayout:
    """The role of each column of a flat table.

    Attributes
    ----------
    names
        The columns of the space.
    columns
        The columns that describe the architecture.
    metrics
        Metric of each metric column.
    ignored
        The columns with no role.
    built
        Columns of built architectures with predictions, which are not metrics.
    """

    names: FlatNames
    columns: frozenset[str]
    metrics: Mapping[str, str]
    ignored: tuple[str, ...] = ()
    built: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        space: Space,
        columns: Sequence[str],
        where: str,
        has_numbers: Callable[[str], bool],
        split: str = "",
    ) -> FlatLayout:
        """Sort the columns of a table; ``has_numbers`` says which can be an undeclared metric.

        ``split`` says how columns were told apart, for messages, such as ``at a comma``.

        Raises
        ------
        TableError
            If a column of the architecture is missing, one has a stage's prefix but an unknown name, or
            two are the same.
        """
        _refuse_repeats(columns, where)
        names = FlatNames.of(space, columns)
        of_stage = {own.prefix: own.all() for own in names.stages if own.prefix is not None}
        known = {column for own in names.stages for column in own.all()}
        if names.own is not None:
            # Slots that no layer of any architecture uses.
            known.update(names.own.of_architecture())
        metrics: dict[str, str] = {}
        ignored = []
        if columns and not known & set(columns):
            how = f" (columns were split {split})" if split else ""
            raise TableError(
                f"has no column of the space{how}: its header begins with "
                f"{', '.join(map(shown, [c for c in columns if not _is_unnamed(c)][:_SHOWN]))}",
                where=where,
                allowed=_short([c for own in names.stages for c in own.all()]),
                # Merged cells above the names of columns make a first row with gaps.
                todo="delete the rows above the row of column names"
                if any(map(_is_unnamed, columns))
                else _similar(columns, known),
            )
        built = fields_of_built(columns) - known
        for column in columns:
            if column in known or column == names.id or column in built or _is_set_aside(names, column):
                continue
            metric = names.metric(column)
            for prefix, own in of_stage.items():
                if column.startswith(prefix) and metric not in space.metrics:
                    raise TableError(
                        f"unknown column {shown(column)}",
                        where=where,
                        allowed=own,
                        todo=nearest(column, sorted(set(own) - set(columns))),
                    )
            if metric and (metric in space.metrics or has_numbers(column)):
                metrics[column] = metric
            else:
                ignored.append(column)
        _refuse_repeats(metrics.values(), where)
        layout = cls(names, frozenset(known & set(columns)), metrics, tuple(ignored), tuple(sorted(built)))
        layout._require(where, columns)
        return layout

    @cached_property
    def features(self) -> dict[str, Feature]:
        """The feature of each column that holds choices."""
        return {
            place: feature
            for own in self.names.stages
            for layer in own.choices
            for places, feature in zip(layer, own.stage.features, strict=True)
            for place in places
        }

    def notes(self, what: str = "columns without numbers") -> list[Note]:
        """Notes on ignored columns, if there are any."""
        notes = []
        if self.ignored:
            names = ", ".join(map(shown, self.ignored))
            notes.append(Note("ignored", f"{what} are not metrics and were left out: {names}", self.ignored))
        if self.built:
            text = f"predictions are not metrics and were left out: {', '.join(map(shown, self.built))}"
            notes.append(Note("ignored", text, self.built))
        return notes

    def rows(
        self, rows: Iterable[tuple[str, Mapping[str, Any]] | TableError], *, text: bool
    ) -> Iterator[RawRow | TableError]:
        """The raw row of each place and row, or its error; ``text`` says that all values are still text."""
        for row in rows:
            if isinstance(row, TableError):
                yield row
                continue
            try:
                found = self.row(*row, text=text)
            except TableError as error:
                found = error
            yield found

    def row(self, where: str, values: Mapping[str, Any], *, text: bool) -> RawRow:
        """The raw row of one line of a flat table."""
        stages = [self._module(own, values, where, text) for own in self.names.stages]
        arch: dict[str, Any] = {"stages": stages}
        if self.names.space.globals is not None:
            arch[GLOBALS] = stages.pop()[0]
        found = {m: self._metric(values.get(c), text) for c, m in self.metrics.items()}
        name = values.get(self.names.id)
        if self.names.own is not None:
            self._check_constants(where, values)
            # A row of the user's own table may have no id, or a number for it.
            name = None if is_missing(name) else name
            name = int(name) if isinstance(name, float) and name.is_integer() else name
        return RawRow(where, None if name == "" else name, arch, found)

    def _check_constants(self, where: str, values: Mapping[str, Any]) -> None:
        assert self.names.own is not None
        for column, constant in self.names.own.constant.items():
            value = values.get(column)
            if column in values and not self._is_blank(value) and not _same(value, constant):
                raise TableError(
                    f"{shown(value)} is not what the space holds fixed",
                    where=f"{where}, {column}",
                    allowed=[constant],
                    todo="infer the space again from all rows, or remove the column from constant of the space",
                )

    def _is_blank(self, value: object) -> bool:
        own = self.names.own
        return is_missing(value) or (
            own is not None and isinstance(value, str) and value.strip() in own.missing
        )

    def _require(self, where: str, columns: Sequence[str]) -> None:
        """Check the columns that every architecture needs; deeper layers are checked row by row."""
        for own in self.names.stages:
            varies = len(own.stage.depths) > 1
            needed = [(own.depth,)] if own.depth is not None and varies else []
            needed += [
                places
                for layer in own.choices[: min(own.stage.depths)]
                for places, feature in zip(layer, own.stage.features, strict=True)
                if not feature.when
            ]
            for places in needed:
                if not self.columns.intersection(places):
                    raise TableError(
                        f"column {' or '.join(map(repr, places))} is missing",
                        where=where,
                        todo="; ".join(
                            [
                                "every choice of the space needs its column"
                                + (
                                    ": the space names it under columns" if self.names.own is not None else ""
                                ),
                                *_instead(places[0], columns, self),
                            ]
                        ),
                    )

    def _metric(self, value: Any, text: bool) -> object:
        if self.names.own is None:
            return metric_of_text(value) if text else value
        if self._is_blank(value) or isinstance(value, list | Mapping):
            return None
        return metric_of_text(value) if isinstance(value, str) else value

    def _module(
        self, own: StageColumns, values: Mapping[str, Any], where: str, text: bool
    ) -> list[dict[str, Any]]:
        stage = own.stage
        depth = stage.depths[0]
        if own.depth in self.columns:
            given = values.get(own.depth)
            depth = given
            if isinstance(given, str) and (text or own.prefix is None):
                depth = number_of_text(given)
            if isinstance(depth, bool) or depth not in stage.depths:
                raise TableError(
                    f"{shown(given)} is not a number of layers of {stage.name}",
                    where=f"{where}, {own.depth}",
                    allowed=stage.depths,
                )
        elif own.depth is None and len(stage.depths) > 1:
            depth = self._filled(own, values, where)
        return [
            self._layer(places, stage.features, values, where, text) for places in own.choices[: int(depth)]
        ]

    def _filled(self, own: StageColumns, values: Mapping[str, Any], where: str) -> int:
        """The number of layers with a value, where no column gives it."""
        filled = [any(not self._is_blank(values.get(p)) for ps in layer for p in ps) for layer in own.choices]
        depth = max((n for n, full in enumerate(filled, 1) if full), default=0)
        if depth not in own.stage.depths:
            raise TableError(
                f"{own.stage.name} has {depth} layers with values",
                where=f"{where}, {own.choices[0][0][0]}",
                allowed=own.stage.depths,
            )
        return depth

    def _layer(
        self,
        places: Sequence[tuple[str, ...]],
        features: Sequence[Feature],
        values: Mapping[str, Any],
        where: str,
        text: bool,
    ) -> dict[str, Any]:
        """The choices of a layer; a feature that may be absent has none where its cell is empty."""
        found = {}
        for names, feature in zip(places, features, strict=True):
            given = self._given(names, feature, values, where, text)
            if given:
                found[feature.name] = given[0]
            elif feature.index(None) >= 0:
                # Only such a feature has null as a choice, which an empty cell is.
                found[feature.name] = None
            elif self.names.own is not None and feature.index(NONE) >= 0:
                found[feature.name] = NONE
            elif not feature.when:
                where = f"{where}, {names[0]}"
                raise TableError(f"{feature.name} is missing", where=where, allowed=feature.allowed)
        return found

    def _given(
        self, places: tuple[str, ...], feature: Feature, values: Mapping[str, Any], where: str, text: bool
    ) -> list[Any]:
        """The choice that columns give a feature, as a list: empty if all of them are."""
        found = {}
        for place in places:
            value = values.get(place)
            if value is None or (isinstance(value, str) and value == ""):
                continue
            if self.names.own is not None:
                meant = own_meaning(feature, value)
            else:
                # A frame may hold 1 and the text '1' in quotes in one column.
                quoted = isinstance(value, str) and value[:1] == '"' and feature.index(value) < 0
                meant = choice_of_text(feature, value) if text or quoted else value
            if feature.index(meant) < 0 and self._is_blank(value):
                continue
            if feature.index(meant) < 0:
                # In quotes where 3 was given for '3', as in messages of the space.
                plain = feature.range is not None or (isinstance(value, str) and feature.uniform)
                allowed = feature.allowed if plain else map(repr, feature.present)
                raise TableError(
                    f"{shown(value)} is not a choice", where=f"{where}, {place}", allowed=allowed
                )
            found[place] = feature.declared(meant)
        first, *others = found.values() or [None]
        if any(choice_key(other) != choice_key(first) for other in others):
            raise TableError(f"{' and '.join(found)} have different choices", where=where)
        return [first] if found else []


def own_meaning(feature: Feature, value: Any) -> Any:
    """The choice that a cell of a user's table stands for; the value itself if it is none.

    A number may be a text of the space and the other way round.
    """
    if feature.index(value) >= 0 or not isinstance(value, bool | int | float | str):
        return value
    meant = choice_of_text(feature, value.strip()) if isinstance(value, str) else value
    if feature.index(meant) < 0:
        number = number_of_text(value) if isinstance(value, str) else value
        text = value if number is None else plain_text(number)
        meant = text if feature.index(text) >= 0 else meant
    return meant if feature.index(meant) >= 0 else value


def plain_text(value: float | bool) -> str:
    """A number as a text that stands for it among texts: 3.0 is ``3``."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if whole else value)


def _is_set_aside(names: FlatNames, column: str) -> bool:
    """Whether the user's own mapping says that a column is neither architecture nor metric."""
    own = names.own
    return own is not None and (column in own.constant or own.ignores(column))


def _same(value: object, constant: object) -> bool:
    if value == constant:
        return isinstance(value, bool) == isinstance(constant, bool)
    if not isinstance(value, str):
        return isinstance(constant, str) and isinstance(value, int | float) and plain_text(value) == constant
    if isinstance(constant, bool):
        return value.strip().lower() == str(constant).lower()
    if constant is None:
        return is_missing(value)
    return value.strip() == constant or (
        number_of_text(value) is not None and number_of_text(value) == constant
    )


def _instead(column: str, columns: Sequence[str], layout: FlatLayout) -> list[str]:
    """The column of a table that may be meant for a missing one, if there is any."""
    free = [
        c
        for c in columns
        if c not in layout.columns and c != layout.names.id and c not in layout.names.space.metrics
    ]
    found = get_close_matches(column, free, n=1, cutoff=0.75)
    return [f"is it {found[0]!r}?"] if found else []


def _similar(columns: Sequence[str], known: Collection[str]) -> str | None:
    """A column of a table beside the most similar one of the space."""
    for column in columns:
        if found := get_close_matches(column, list(known), n=1, cutoff=0.75):
            return f"rename {column!r} to {found[0]!r}?"
    return None


def _short(columns: Sequence[str]) -> list[str]:
    return (
        [*columns[:_SHOWN], f"and {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else list(columns)
    )


def metric_of_text(text: str | None) -> object:
    """A metric value from text: None if empty, nan or null; the text itself if it is not a number."""
    if text is None or is_missing(text):
        return None
    number = number_of_text(text)
    return text if number is None else number


def is_missing(value: object) -> bool:
    """Whether a value means missing, as other programs write it."""
    if value is None:
        return True
    return (isinstance(value, float | np.floating) and value != value) or (
        isinstance(value, str) and value.strip().lower() in _MISSING
    )


def _refuse_repeats(names: Collection[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise TableError(f"column {shown(name)} appears twice", where=where, todo="keep one of the two")
        seen.add(name)


def _is_unnamed(column: str) -> bool:
    """Whether an empty cell of a sheet's first row stands behind this name, which the Excel reader made."""
    return column.startswith("__UNNAMED__")
