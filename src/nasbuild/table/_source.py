"""What a user has, as rows of flat fields: files of every kind, frames, and studies of Optuna."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild._file_formats import FLAT, TABLES, file_format
from nasbuild._records import unguarded
from nasbuild.errors import TableError
from nasbuild.space import DIGITS, LITERALS, Columns
from nasbuild.table._csv_dialects import read_separated
from nasbuild.table._dataframe import read_parquet, values_of_frame
from nasbuild.table._digit_texts import digit_lists, digits_of
from nasbuild.table._excel import read_excel
from nasbuild.table._json_rows import objects
from nasbuild.table._nested_values import flattened, invertible, nested, parsed_literal
from nasbuild.table._optuna import is_study, notes_on_others
from nasbuild.table._optuna_storage import is_storage, load_study
from nasbuild.table._split_texts import joined_text, notation_of, split_text
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import Assigned
from nasbuild.table.quantizers._assigned_space import assigned_rows
from nasbuild.table.quantizers._read_assigned import read_assigned

if TYPE_CHECKING:
    from optuna import Study

PlacedRow = tuple[str, dict[str, Any]]


@dataclass
class Source:
    """A table as its user has it.

    Attributes
    ----------
    where
        Its name, for messages.
    rows
        Place and flat fields of each row, or its error. Fields of CSV are texts.
    names
        The fields, in order.
    own_form
        Rows by their place that have nasbuild's own form, ``{"id", "arch", "metrics"}``.
    separator, commas
        How a text file separates fields, and whether it has decimal commas; they are points in the rows.
    unnamed
        Whether a column of a text file has no name; it is not in the rows.
    literals
        Columns whose texts are nested data, each ``python``, ``json``, ``digits``, or the separators of a list
        (`notation_of`).
    directions
        Directions that a study declares, by field.
    assigned
        What it says of layers, if it is a file of a quantiser.
    """

    where: str
    rows: list[PlacedRow | TableError]
    names: tuple[str, ...] = ()
    own_form: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    separator: str | None = None
    commas: bool = False
    unnamed: bool = False
    literals: dict[str, str] = field(default_factory=dict)
    directions: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    assigned: Assigned | None = None

    @property
    def good(self) -> list[PlacedRow]:
        """The rows that could be read."""
        return [row for row in self.rows if not isinstance(row, TableError)]


def read_source(source: Any, columns: Columns | None = None) -> Source:
    """Read any table into flat fields.

    Parameters
    ----------
    source
        As in `nasbuild.table.read_table`.
    columns
        The columns that it should have; without them, nothing is known about it.

    Raises
    ------
    TableError
        If it can't be read as a whole.
    """
    if is_study(source):
        found = _of_study(source)
    elif is_storage(source):
        found = _of_study(load_study(str(source)))
        found.where = str(source)
    elif not isinstance(source, str | os.PathLike):
        found = _of_frame(source, "frame")
    else:
        found = _of_path(Path(source), columns)
    known = None if columns is None else {*columns.of_architecture(), *columns.metrics.values()}
    _expand(found, known, {} if columns is None else columns.literals)
    found.names = tuple(dict.fromkeys(name for _, row in found.good for name in row))
    return found


def _of_path(path: Path, columns: Columns | None) -> Source:
    known = () if columns is None else columns.of_architecture()
    if (assigned := read_assigned(path, known)) is not None:
        layers = None if columns is None else known
        rows = assigned_rows(assigned, layers, () if columns is None else columns.constant)
        return Source(str(path), rows, notes=list(assigned.notes), assigned=assigned)
    form = file_format(path, TABLES, "a table", TableError)
    if form == ".parquet":
        return _of_frame(read_parquet(path), str(path))
    if form == ".xlsx":
        return _of_frame(read_excel(path), str(path))
    if form in FLAT:
        return _of_text(path, form, columns)
    rows: list[PlacedRow | TableError] = []
    found = Source(str(path), rows)
    for where, data in objects(path, form):
        if isinstance(data, TableError):
            rows.append(data)
            continue
        if isinstance(data.get("arch"), Mapping) and "stages" in data["arch"]:
            found.own_form[where] = data
        rows.append((where, flattened(data)))
    return found


def _of_text(path: Path, form: str, columns: Columns | None) -> Source:
    known: set[str] = set()
    if columns is not None:
        known = {*columns.of_architecture(), *columns.metrics.values(), *columns.constant, *columns.literals}
    tabs = "\t" if form.startswith(".tsv") else None
    held = read_separated(path, known, None, separators=tabs)
    for name, count in Counter(filter(None, held.header)).items():
        if count > 1:
            raise TableError(f"column {name!r} appears twice", where=str(path), todo="keep one of the two")
    for row in held.rows:
        if not isinstance(row, TableError):
            for name, value in row[1].items():
                row[1][name] = unguarded(value)
    unnamed = any(not name for name in held.header)
    return Source(str(path), list(held.rows), separator=held.separator, commas=held.commas, unnamed=unnamed)


def _of_frame(frame: Any, where: str) -> Source:
    if (
        hasattr(frame, "iloc")
        and hasattr(frame, "index")
        and isinstance(getattr(frame.index, "name", None), str)
    ):
        # The index is a column when it is written to a file, too.
        frame = frame if frame.index.name in frame.columns else frame.reset_index()
    values = values_of_frame(frame, where)
    rows: list[PlacedRow | TableError] = []
    for number, line in enumerate(zip(*values.values(), strict=True)):
        row: dict[str, Any] = {}
        for name, value in zip(values, line, strict=True):
            name, value = name.strip(), value.tolist() if hasattr(value, "tolist") else value
            if isinstance(value, Mapping):
                row |= flattened(value, name)
            elif isinstance(value, list | tuple):
                row |= flattened({name: value})
            else:
                row[name] = value
        if any(value is not None for value in row.values()):
            rows.append((f"{where}, row {number}", row))
    return Source(where, rows)


def _of_study(study: Study) -> Source:
    """The completed trials, with the names of columns that ``study.trials_dataframe()`` has."""
    where = f"study {study.study_name}"
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if not complete:
        raise TableError(f"none of {len(trials)} trials completed", where=where)
    several = len(study.directions) > 1
    word = "values" if several else "value"
    names = study.metric_names or (range(len(study.directions)) if several else [""])
    values = [f"{word}_{name}" if name != "" else word for name in names]
    rows: list[PlacedRow | TableError] = []
    for trial in complete:
        row: dict[str, Any] = {"number": trial.number}
        row |= {n: None if v != v else v for n, v in zip(values, trial.values, strict=True)}
        for name, value in trial.params.items():
            row |= flattened({f"params_{name}": value})
        row |= flattened({f"user_attrs_{name}": value for name, value in trial.user_attrs.items()})
        rows.append((f"{where}, trial {trial.number}", row))
    directions = dict(zip(values, (d.name.lower() for d in study.directions), strict=True))
    return Source(where, rows, directions=directions, notes=notes_on_others(trials))


def _expand(source: Source, known: Collection[str] | None, notations: Mapping[str, str]) -> None:
    """Replace texts that are nested data by their fields: all such columns, or those that contain known fields."""
    rows = source.good
    for column in dict.fromkeys(name for _, row in rows for name in row):
        if known is not None and not any(name.startswith((f"{column}.", f"{column}[")) for name in known):
            continue
        cells = [row.get(column) for _, row in rows]
        notation = notations.get(column) if known is not None else None
        layers = len([name for name in known or () if name.startswith(f"{column}[")])
        found = _digits(column, cells, notation, layers) or _literals(cells) or _split(cells, notation)
        if found is None:
            continue
        parsed, kind = found
        if all(data is None or invertible(data) for data in parsed):
            source.literals[column] = kind
        for (_, row), data in zip(rows, parsed, strict=True):
            row.pop(column, None)
            if data is not None:
                row |= flattened({column: data})


def join_lists(source: Source, columns: Iterable[str]) -> None:
    """Put the texts of columns that list operations back as they were."""
    for column in columns:
        notation = source.literals.pop(column)
        for _, row in source.good:
            inner = {name: row.pop(name) for name in list(row) if name.startswith(f"{column}[")}
            if inner:
                row[column] = joined_text(nested(inner)[column], notation)
    source.names = tuple(dict.fromkeys(name for _, row in source.good for name in row))


def _literals(cells: Iterable[Any]) -> tuple[list[Any], str] | None:
    parsed: list[Any] = []
    kinds: set[str] = set()
    for cell in cells:
        if cell is None or cell == "":
            parsed.append(None)
            continue
        found = parsed_literal(cell) if isinstance(cell, str) else None
        if found is None:
            return None
        parsed.append(found[0])
        kinds.add(found[1])
    return (parsed, min(kinds, key=("python", "json").index)) if kinds else None


def _digits(
    column: str, cells: Sequence[Any], notation: str | None, layers: int
) -> tuple[list[Any], str] | None:
    """Texts or numbers with one digit for each layer, where the space says so or, without one, the column does."""
    if notation == DIGITS:
        return [digits_of(cell, layers) for cell in cells], DIGITS
    parsed = None if notation or layers else digit_lists(column, cells)
    return None if parsed is None else (parsed, DIGITS)


def _split(cells: Sequence[Any], notation: str | None) -> tuple[list[Any], str] | None:
    """Texts that list operations, in a known notation, or in one that all of them have."""
    given = [cell for cell in cells if cell is not None and cell != ""]
    if not given or not all(isinstance(cell, str) for cell in given):
        return None
    notation = notation_of(given) if notation is None else notation
    if notation is None or notation in LITERALS:
        return None
    parsed = [split_text(cell, notation) if isinstance(cell, str) and cell else None for cell in cells]
    return (parsed, notation) if any(data is not None for data in parsed) else None
