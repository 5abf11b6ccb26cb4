"""The plain data of an inferred space, put together from the roles of columns and the guessed stages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nasbuild.errors import TableError
from nasbuild.space import DIGITS, GLOBALS
from nasbuild.table._source import Source
from nasbuild.table.infer._choices import (
    Choices,
    as_range,
    column_choices,
    conditions,
    depths_of,
    feature_name,
    is_shared,
    rows_with_more,
    settled_choices,
    stage_choices,
)
from nasbuild.table.infer._questions import Questions
from nasbuild.table.infer._roles import Roles
from nasbuild.table.infer._stage_guess import Part, StageGuess, Stages
from nasbuild.table.infer._typed_columns import TypedColumn
from nasbuild.table.infer._words import metric_words

_LISTED = 6


class DraftSpace:
    """The plain data of a space, while it is put together."""

    def __init__(self, source: Source, roles: Roles, usual_words: bool) -> None:
        self.source, self.roles, self.usual_words = source, roles, usual_words
        self.notes: list[str] = []
        self._stages: list[dict[str, Any]] = []
        self._globals: dict[str, Any] = {}
        self._metrics: dict[str, Any] = {}
        self._columns: dict[str, Any] = {"stages": {}, GLOBALS: {}}
        self._constant: list[TypedColumn] = list(roles.constant)
        self._ignored: list[TypedColumn] = list(roles.ignored)

    def stages(self, found: Stages) -> None:
        """Add stages and globals, without what never varies.

        Raises
        ------
        TableError
            If nothing varies.
        """
        self._ignored += found.left
        guesses = list(found.stages)
        plain = found.plain
        if not guesses:
            smooth = [part for part in plain if as_range(column_choices(part[0]).values) is not None]
            smooth = smooth if len(smooth) < len(plain) else []
            guesses, plain = _stages_of_plain([part for part in plain if part not in smooth]), smooth
        depths = [depths_of(stage) for stage in guesses]
        choices = [stage_choices(stage, own) for stage, own in zip(guesses, depths, strict=True)]
        when = [conditions(stage, own) for stage, own in zip(guesses, depths, strict=True)]
        for one, own in zip(choices, when, strict=True):
            for feature in own:
                one[feature].missing = 0
        settled = self._settled(guesses, choices)
        taken = {GLOBALS}
        more = [stage.name for stage, own in zip(guesses, depths, strict=True) if rows_with_more(stage, own)]
        if more:
            self.notes.append(f"values of layers beyond the depth of a row are ignored: {_names(more)}")
        for stage, own, features, needs in zip(guesses, depths, settled, when, strict=True):
            self._stage(stage, own, features, needs, taken)
        self._plain(plain)
        if not self._stages:
            raise TableError(
                f"no column describes an architecture: {_names(list(self.source.names))}",
                where=self.source.where,
                allowed="columns such as d1, k1_1, stage1.0.kernel, blk.3.attn, layers[2].heads, or with a prefix such as "
                "config.; lists in a cell such as [3, 5, 7] or conv+skip|conv",
                todo="rename or split the columns that do, or write space.yaml yourself",
            )

    def _settled(
        self, guesses: list[StageGuess], choices: list[dict[str, Choices]]
    ) -> list[dict[str, list[Any]]]:
        """Choices by stage and feature; a feature of one name has one type everywhere."""
        names = dict.fromkeys(feature for one in choices for feature in one)
        settled: list[dict[str, list[Any]]] = [{} for _ in guesses]
        for name in names:
            at = [u for u, one in enumerate(choices) if name in one]
            for u, values in zip(
                at, settled_choices(name, [choices[u][name] for u in at], self.notes), strict=True
            ):
                settled[u][name] = values
        return settled

    def _stage(
        self,
        stage: StageGuess,
        depths: list[int | None],
        features: dict[str, list[Any]],
        needs: Mapping[str, tuple[str, list[Any]]],
        taken: set[str],
    ) -> None:
        layers = sorted({d for d in depths if d is not None}) or [stage.layers]
        if len(layers) == 1 and all(len(values) < 2 for values in features.values()):
            # It is the same in every row.
            columns = [c for columns in stage.features.values() for c in columns]
            self._constant += [
                c for c in [*columns, *([stage.depth] if stage.depth else [])] if c.is_constant
            ]
            self._ignored += [c for c in columns if not c.is_constant]
            return
        name = _unused(f"stage{len(self._stages) + 1}" if self.source.own_form else stage.name, taken)
        entry: dict[str, Any] = {"name": name, "depth": layers, "features": {}}
        mapping: dict[str, Any] = {} if stage.depth is None else {"depth": stage.depth.name}
        shared = []
        names: dict[str, str] = {}
        for feature, values in features.items():
            own = (
                feature_name(feature, values)
                if self.usual_words
                else "layers"
                if feature == "depth"
                else feature
            )
            own = _unused(own, set(entry["features"]))
            if not values:
                self._ignored += stage.features[feature]
                continue
            if all(self._is_digit(column) for column in stage.features[feature]):
                # Digits number operations; their order says nothing.
                entry["features"][own] = {"choices": values, "kind": "categorical"}
            else:
                entry["features"][own] = values
            names[feature] = own
            columns = [column.name for column in stage.features[feature]]
            mapping[own] = columns[0] if len(columns) == 1 else columns
            if layers[-1] > 1 and (feature in stage.shared or is_shared(stage.features[feature], depths)):
                shared.append(own)
        for feature, (other, values) in needs.items():
            if feature in names and other in names:
                choices = entry["features"][names[feature]]
                entry["features"][names[feature]] = {"choices": choices, "when": {names[other]: values}}
        if shared:
            entry["shared"] = shared
        self._stages.append(entry)
        self._columns["stages"][name] = mapping

    def _is_digit(self, column: TypedColumn) -> bool:
        return self.source.literals.get(column.name.partition("[")[0]) == DIGITS

    def _plain(self, plain: list[Part]) -> None:
        whole = StageGuess(GLOBALS, 0, 1, features={column.name: (column,) for column, _ in plain})
        needs = conditions(whole, depths_of(whole)) if plain else {}
        names: dict[str, str] = {}
        for column, pattern in plain:
            if column.is_constant:
                self._constant.append(column)
                continue
            feature = (
                pattern.feature
                if pattern.container in ("", GLOBALS)
                else f"{pattern.container}.{pattern.feature}"
            )
            name = _unused(
                "resolution" if feature == "r" and self.usual_words else feature, set(self._globals)
            )
            found = column_choices(column)
            found.missing = 0 if column.name in needs else found.missing
            values = settled_choices(name, [found], self.notes, ranges=True)[0]
            self._globals[name] = as_range(values) or values
            self._columns[GLOBALS][name] = column.name
            names[column.name] = name
        for column, (other, values) in needs.items():
            if column in names and other in names and isinstance(self._globals[names[column]], list):
                given = self._globals[names[column]]
                self._globals[names[column]] = {"choices": given, "when": {names[other]: values}}

    def metrics(self, questions: Questions) -> None:
        """Add metrics with their directions; a metric without one is known by its column alone."""
        names: dict[str, str] = {}
        for name, column in self.roles.metrics.items():
            known = metric_words(column.name)
            direction = self.source.directions.get(column.name)
            direction = direction or metric_direction(name, column.name, questions)
            names[name] = column.name
            if direction is not None:
                self._metrics[name] = {
                    "direction": direction,
                    "unit": known.unit or percent_unit(name, column),
                }
        self._columns["metrics"] = names

    def data(self, name: str) -> dict[str, Any]:
        """The plain data of the space."""
        columns: dict[str, Any] = {}
        if self.source.separator is not None:
            columns["separator"] = self.source.separator
            if self.source.commas:
                columns["decimal"] = ","
        marks = {mark for column in _marked(self.roles) for mark in column.marks}
        if marks:
            columns["missing"] = sorted(marks)
        if self.roles.id is not None:
            columns["id"] = self.roles.id.name
        if self._columns[GLOBALS]:
            columns[GLOBALS] = self._columns[GLOBALS]
        columns["stages"] = self._columns["stages"]
        columns["metrics"] = self._columns["metrics"]
        columns["constant"] = {c.name: (c.distinct or [None])[0] for c in self._constant}
        columns["ignore"] = [c.name for c in self._ignored]
        parts = [p for stage in columns["stages"].values() for p in _flat(stage.values())]
        columns["literals"] = {
            outer: kind
            for outer, kind in self.source.literals.items()
            if any(part.startswith((f"{outer}.", f"{outer}[")) for part in parts)
        }
        data: dict[str, Any] = {"name": name, "metrics": self._metrics}
        if self._globals:
            data[GLOBALS] = self._globals
        return {
            **data,
            "stages": self._stages,
            "columns": {k: v for k, v in columns.items() if v or k == "stages"},
        }

    def left_out(self) -> list[str]:
        """Sentences on columns that are not part of the space."""
        notes = [
            f"{', '.join(map(repr, column.marks))} in {column.name} is read as no value"
            for column in self.roles.metrics.values()
            if column.marks
        ]
        if self._constant:
            notes.append(f"the same in every row, so left out: {_names([c.name for c in self._constant])}")
        if self._ignored:
            notes.append(
                f"neither architecture nor metric, so left out: {_names([c.name for c in self._ignored])}"
            )
        return notes


def metric_direction(name: str, column: str, questions: Questions) -> str | None:
    """What the name of a metric's column says is better, else the answer to a question; None if neither says it."""
    if (direction := metric_words(column).direction) is not None:
        return direction
    options = {
        "none": f"say it each time, --target=+{name} or --target=-{name}",
        "maximize": "more is better",
        "minimize": "less is better",
    }
    answer = questions.ask(f"{name}.direction", f"Of the metric {name!r}, what is better?", options)
    return None if answer == "none" else answer


def _marked(roles: Roles) -> list[TypedColumn]:
    """The columns whose marks for missing values matter."""
    return [*(column for column, _ in roles.parts), *roles.metrics.values()]


def _stages_of_plain(plain: list[Part]) -> list[StageGuess]:
    """A stage of one layer for each plain feature, or for those with one container."""
    groups: dict[str, list[Part]] = {}
    varying = [part for part in plain if not part[0].is_constant]
    keys = {column.name: pattern.container or pattern.feature for column, pattern in varying}
    whole = StageGuess("", 0, 1, features={column.name: (column,) for column, _ in varying})
    # What exists only with another choice stands in the same layer.
    together = {name: keys[other] for name, (other, _) in conditions(whole, depths_of(whole)).items()}
    for column, pattern in varying:
        groups.setdefault(together.get(column.name, keys[column.name]), []).append((column, pattern))
    stages = []
    for name, parts in groups.items():
        features = {pattern.feature: (column,) for column, pattern in parts}
        stages.append(StageGuess(name, parts[0][0].place, 1, features=features))
    return stages


def percent_unit(name: str, column: TypedColumn) -> str:
    """The unit of a share that is written up to 100."""
    known = metric_words(name)
    numbers = [v for v in column.distinct if not isinstance(v, str)]
    share = bool({"acc", "accuracy", "top1", "top5", "top"} & set(name.lower().split("_")))
    return "%" if share and known.direction == "maximize" and numbers and 1.5 < numbers[-1] <= 100 else ""


def _unused(name: str, taken: set[str]) -> str:
    found = name = re.sub(r"\s+", " ", name).strip() or "choice"
    number = 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found


def _flat(values: Any) -> list[str]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def _names(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
