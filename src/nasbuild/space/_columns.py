"""How a user's own table names the parts of an architecture: the key ``columns`` of a ``space.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, shown
from nasbuild.space._plain_data import mapping_of

if TYPE_CHECKING:
    from nasbuild.space._choice import Choice
    from nasbuild.space._space import Space
    from nasbuild.space._stage import Stage

_KEYS = (
    "separator",
    "decimal",
    "missing",
    "id",
    "globals",
    "stages",
    "metrics",
    "constant",
    "ignore",
    "literals",
)
_DEPTH = "depth"
_GLOBALS = "globals"
LITERALS = ("python", "json")
DIGITS = "digits"
"""Notation of texts such as 02021022, which have one digit for each layer."""
_NOTATION = re.compile(r"[|/;+,\- ]{1,3}")


@dataclass(frozen=True)
class StageSource:
    """The columns of one stage.

    Attributes
    ----------
    depth
        Column of the number of layers; None if it is fixed, or the number of layers that are filled.
    features
        Columns of each feature: one for each layer, or a single one for all layers.

    Examples
    --------
    >>> from nasbuild.space import StageSource
    >>> StageSource("d1", {"kernel": ("k1_1", "k1_2")}).features["kernel"]
    ('k1_1', 'k1_2')
    """

    depth: str | None = None
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True)
class Columns:
    """The columns of a table in its user's own names; fields of nested data are ``config.stages[0].depth``.

    Attributes
    ----------
    stages
        Columns of each stage by its name; those of the globals are named ``globals``.
    metrics
        Column of each metric.
    id
        Column of the id of a row; ``id`` if None.
    constant
        Columns that have one value in every row, with that value.
    ignore
        Columns that describe neither an architecture nor a metric; a trailing ``*`` stands for any end.
    separator, decimal
        How a text file separates fields and writes decimals.
    missing
        Texts that mean missing, besides the usual ones.
    literals
        Columns whose texts are nested data, each ``python``, ``json``, ``digits`` (one for each layer), or the separators
        of a list such as ``|+``.

    Examples
    --------
    >>> from nasbuild.space import Columns, StageSource
    >>> stages = {"s1": StageSource("d1", {"kernel": ("k1_1", "k1_2")})}
    >>> columns = Columns(stages, metrics={"acc": "top1"}, ignore=("note*",))
    >>> columns.of_architecture(), columns.ignores("note_2"), columns.ignores("top1")
    (['d1', 'k1_1', 'k1_2'], True, False)
    """

    stages: Mapping[str, StageSource]
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    id: str | None = None
    constant: Mapping[str, Choice | None] = field(default_factory=dict[str, "Choice | None"])
    ignore: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str = "."
    missing: tuple[str, ...] = ()
    literals: Mapping[str, str] = field(default_factory=dict[str, str])

    def ignores(self, column: str) -> bool:
        """Whether a column is one of those to ignore."""
        return column in self.ignore or any(
            one.endswith("*") and column.startswith(one[:-1]) for one in self.ignore
        )

    def metric_of(self, column: str) -> str | None:
        """The metric of a column; None if it is none.

        Examples
        --------
        >>> from nasbuild.space import Columns
        >>> columns = Columns({}, metrics={"acc": "top-1 (%)"})
        >>> columns.metric_of("top-1 (%)"), columns.metric_of("note")
        ('acc', None)
        """
        return next((metric for metric, own in self.metrics.items() if own == column), None)

    def of_architecture(self) -> list[str]:
        """The columns of depths and features, in order, each once."""
        found: dict[str, None] = {}
        for stage in self.stages.values():
            found |= dict.fromkeys([] if stage.depth is None else [stage.depth])
            for columns in stage.features.values():
                found |= dict.fromkeys(columns)
        return list(found)


def read_columns(space: Space, data: object) -> Columns | None:
    """Read the key ``columns`` of a space.

    Raises
    ------
    SpaceError
        If a stage, feature or metric is unknown, or one has no column or too few.
    """
    if data is None:
        return None
    top = mapping_of(data, "columns", _KEYS)
    given = _mapping(top.get("stages"), "columns.stages")
    names = [stage.name for stage in space.layered]
    for name in given:
        if name not in names:
            raise SpaceError(f"there is no stage {shown(name)}", where="columns.stages", allowed=names)
    stages = {
        stage.name: _stage_source(stage, given.get(stage.name), f"columns.stages.{stage.name}")
        for stage in space.layered
    }
    if space.globals is not None:
        stages[_GLOBALS] = _stage_source(space.globals, top.get(_GLOBALS), "columns.globals")
    elif top.get(_GLOBALS) is not None:
        raise SpaceError("the space has no globals", where="columns.globals")
    separator, decimal = top.get("separator"), top.get("decimal", ".")
    if separator is not None and (not isinstance(separator, str) or len(separator) != 1):
        raise SpaceError(
            f"{shown(separator)} is not a separator", where="columns.separator", allowed="one character"
        )
    if decimal not in (".", ","):
        raise SpaceError(
            f"{shown(decimal)} is not a decimal mark", where="columns.decimal", allowed=(".", ",")
        )
    literals = _texts_by_name(top.get("literals"), "columns.literals")
    for name, kind in literals.items():
        if kind not in (*LITERALS, DIGITS) and not _NOTATION.fullmatch(kind):
            raise SpaceError(
                f"{shown(kind)} is not a notation",
                where=f"columns.literals.{name}",
                allowed=(*LITERALS, DIGITS, "one to three separators such as |+"),
            )
    return Columns(
        stages,
        _texts_by_name(top.get("metrics"), "columns.metrics"),
        None if top.get("id") is None else _column(top["id"], "columns.id"),
        dict(_mapping(top.get("constant"), "columns.constant")),
        _listed(top.get("ignore"), "columns.ignore"),
        separator,
        decimal,
        _listed(top.get("missing"), "columns.missing"),
        literals,
    )


def columns_to_dict(columns: Columns) -> dict[str, Any]:
    """The plain data that `read_columns` reads."""
    data: dict[str, Any] = {}
    if columns.separator is not None:
        data["separator"] = columns.separator
    if columns.decimal != ".":
        data["decimal"] = columns.decimal
    if columns.missing:
        data["missing"] = list(columns.missing)
    if columns.id is not None:
        data["id"] = columns.id
    entries = {name: _entry(source) for name, source in columns.stages.items()}
    if _GLOBALS in entries:
        data[_GLOBALS] = entries.pop(_GLOBALS)
    data["stages"] = entries
    for key in ("metrics", "constant", "literals"):
        if getattr(columns, key):
            data[key] = dict(getattr(columns, key))
    if columns.ignore:
        data["ignore"] = list(columns.ignore)
    return data


def _entry(source: StageSource) -> dict[str, Any]:
    entry: dict[str, Any] = {} if source.depth is None else {_DEPTH: source.depth}
    for name, columns in source.features.items():
        entry[name] = columns[0] if len(columns) == 1 else list(columns)
    return entry


def _stage_source(stage: Stage, data: object, where: str) -> StageSource:
    names = [feature.name for feature in stage.features]
    entry = mapping_of({} if data is None else data, where, (*([] if stage.is_globals else [_DEPTH]), *names))
    features: dict[str, tuple[str, ...]] = {}
    for name in names:
        given = entry.get(name)
        listed = given if isinstance(given, list) else [given]
        found = tuple(_column(one, f"{where}.{name}") for one in listed)
        if name == _DEPTH and not stage.is_globals:
            raise SpaceError(
                "a feature named depth can't have columns of its own", where=where, todo="rename it"
            )
        most = max(stage.depths)
        if len(found) not in (1, most) and len(found) < most:
            raise SpaceError(
                f"has {len(found)} columns, the stage has up to {most} layers",
                where=f"{where}.{name}",
                allowed="one for each layer, or one for all",
            )
        features[name] = found
    depth = None if stage.is_globals else entry.get(_DEPTH)
    return StageSource(None if depth is None else _column(depth, f"{where}.{_DEPTH}"), features)


def _column(value: object, where: str) -> str:
    if isinstance(value, str) and value != "":
        return value
    what = "is missing" if value is None else f"{shown(value)} is not the name of a column"
    raise SpaceError(what, where=where, allowed="texts")


def _mapping(data: object, where: str) -> Mapping[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise SpaceError(f"is {kind_of(data)}, not an object", where=where)
    return data


def _texts_by_name(data: object, where: str) -> dict[str, str]:
    return {name: _column(value, f"{where}.{name}") for name, value in _mapping(data, where).items()}


def _listed(data: object, where: str) -> tuple[str, ...]:
    if data is None:
        return ()
    if not isinstance(data, list):
        raise SpaceError(f"is {kind_of(data)}, not a list", where=where)
    return tuple(_column(one, where) for one in data)
