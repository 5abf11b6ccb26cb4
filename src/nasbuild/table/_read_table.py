"""Reads every form of a table."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from nasbuild._file_formats import FLAT, TABLES, file_format
from nasbuild.errors import TableError
from nasbuild.space import Space, load_space
from nasbuild.table._csv import rows_of_csv
from nasbuild.table._dataframe import rows_of_frame, rows_of_parquet
from nasbuild.table._excel import read_excel
from nasbuild.table._json_rows import rows_of_objects
from nasbuild.table._optuna import is_study, rows_of_study
from nasbuild.table._optuna_storage import is_storage, load_study
from nasbuild.table._own_table import rows_of_own_table
from nasbuild.table._rows import RawRow, table_of_rows
from nasbuild.table._table import Note, Table
from nasbuild.table.infer._infer_space import Guess, guess_space
from nasbuild.table.quantizers._read_assigned import read_assigned

_SPACES = {"sd-unet-mini": "sd-unet"}
"""Built-in tables whose space has another name, as only one size of it was measured."""


def builtin_tables() -> list[str]:
    """Names of the tables that come with the package.

    Examples
    --------
    >>> from nasbuild.table import builtin_tables
    >>> "digits-macro" in builtin_tables()
    True
    """
    folder = resources.files("nasbuild.table") / "builtin"
    return sorted(entry.name for entry in folder.iterdir() if (entry / "archs.jsonl.gz").is_file())


def load_builtin(name: str) -> Table:
    """A table that comes with the package, with its space.

    Raises
    ------
    TableError
        If there is no such table.

    Examples
    --------
    >>> from nasbuild.table import load_builtin
    >>> len(load_builtin("sd-unet-mini"))
    68
    """
    if name not in builtin_tables():
        raise TableError(f"there is no built-in table {name!r}", allowed=builtin_tables())
    table = _builtin(name)
    # Columns of its own, which the caller may change.
    return replace(table, columns={metric: values.copy() for metric, values in table.columns.items()})


@cache
def _builtin(name: str) -> Table:
    return read_table(name, load_space(_SPACES.get(name, name)))


def read_table(
    source: Any, space: Space | None = None, *, skip_bad: bool = False, metrics: list[str] | None = None
) -> Table:
    """Read evaluated architectures.

    Parameters
    ----------
    source
        One of the following. A path to JSON Lines, JSON or YAML (our own form or once-for-all
        configurations), CSV, Parquet or Excel, by its ending; or to a file of a quantiser, or a folder of these
        (docs/quantisers.md). ``-`` for JSON Lines on standard input. The name of
        a built-in table. A polars or pandas frame or an Arrow table with flat columns. An Optuna study, or the URL
        or file of its storage.
    space
        The space that every row must belong to. If it names the columns of the user's own table, these are read.
        If None, it is inferred (`infer_space`), and notes say how.
    skip_bad
        Skip bad rows and note them, instead of refusing the table at the first one.
    metrics
        Names for the objectives of an Optuna study that has none. Without a space, columns that are metrics.

    Raises
    ------
    TableError
        Naming file, line, field and the allowed choices.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import read_table
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> frame = pl.DataFrame(
    ...     {"id": ["a"], "stage1.depth": [1], "stage1.0.kernel": [3], "stage1.1.kernel": [None], "acc": [71.2]}
    ... )
    >>> read_table(frame, space).columns["acc"].tolist()
    [71.2]
    """
    guessed: list[Note] = []
    if space is None:
        if isinstance(source, str | os.PathLike) and str(source) in builtin_tables():
            return load_builtin(str(source))
        guess = guess_space(source, metrics=metrics or ())
        space, metrics, guessed = guess.space, None, _notes_on(guess)
    space, rows, notes = raw_rows(source, space, metrics)
    notes = [*guessed, *notes]
    return table_of_rows(space, rows, source=source_name(source), skip_bad=skip_bad, notes=notes)


def source_name(source: Any) -> str:
    """What messages call a source of `read_table`."""
    if isinstance(source, str | os.PathLike):
        return str(source)
    if isinstance(source, Table):
        return "table"
    return "study" if is_study(source) else "frame"


def _notes_on(guess: Guess) -> list[Note]:
    said = [f"the space was inferred from the table: {', '.join(stage.name for stage in guess.space.stages)}"]
    said += guess.notes
    said += [question.sentence for question in guess.open]
    return [Note("inferred", text) for text in said]


def raw_rows(
    source: Any, space: Space, metrics: list[str] | None = None
) -> tuple[Space, Iterable[RawRow | TableError], list[Note]]:
    """The unchecked rows of a source of `read_table`; also the space with a study's metrics, and notes.

    Raises
    ------
    TableError
        If the source as a whole can't be read.
    """
    inside_package = isinstance(source, str | os.PathLike) and str(source) in builtin_tables()
    if space.columns is not None and not inside_package:
        return space, *rows_of_own_table(space, source)
    if is_storage(source):
        return rows_of_study(space, load_study(str(source)), metrics)
    if is_study(source):
        return rows_of_study(space, cast(Any, source), metrics)
    if not isinstance(source, str | os.PathLike):
        return space, *rows_of_frame(space, source, "frame")
    if inside_package:
        inside = resources.files("nasbuild.table") / "builtin" / str(source) / "archs.jsonl.gz"
        with resources.as_file(inside) as path:
            # Read at once, as the path may be temporary.
            return space, list(rows_of_objects(space, path, ".jsonl.gz")), []
    path = Path(source)
    if read_assigned(path) is not None:
        raise TableError(
            "is a file of a quantiser, whose layers the space does not know (it has no columns)",
            where=str(path),
            todo=f"make the space from it: nasbuild init {path}",
        )
    form = file_format(path, TABLES, "a table", TableError)
    if form == ".parquet":
        return space, *rows_of_parquet(space, path)
    if form == ".xlsx":
        return space, *rows_of_frame(space, read_excel(path), str(path))
    if form in FLAT:
        return space, *rows_of_csv(space, path, form)
    return space, rows_of_objects(space, path, form), []
