"""One door for every form of a table."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

from nasbuild._io import writing
from nasbuild.errors import TableError
from nasbuild.space import Space, load_space
from nasbuild.table._frame import rows_of_csv, rows_of_frame, rows_of_parquet, to_frame
from nasbuild.table._jsonl import rows_of_jsonl, write_jsonl
from nasbuild.table._model import Table
from nasbuild.table._optuna import is_study, rows_of_study
from nasbuild.table._rows import table_of_rows

FORMS = (".jsonl", ".jsonl.gz", ".parquet", ".csv", ".csv.gz")


def builtin_tables() -> list[str]:
    """Names of the tables that come with the package."""
    folder = resources.files("nasbuild.table") / "builtin"
    return sorted(entry.name for entry in folder.iterdir() if (entry / "archs.jsonl.gz").is_file())


def load_builtin(name: str) -> Table:
    """A table that comes with the package, with its space."""
    if name not in builtin_tables():
        raise TableError(f"there is no built-in table {name!r}", allowed=builtin_tables())
    return read_table(name, load_space(name))


def read_table(
    source: Any, space: Space, *, skip_bad: bool = False, metrics: list[str] | None = None
) -> Table:
    """Read evaluated architectures.

    Parameters
    ----------
    source
        A path to JSON Lines (own form or once-for-all configurations), CSV or Parquet; the name of
        a built-in table; a polars or pandas frame with flat columns; or an Optuna study.
    space
        The space that every row must belong to.
    skip_bad
        Leave bad rows out and note them, instead of refusing the table at the first one.
    metrics
        Names for the objectives of an Optuna study that has none.

    Raises
    ------
    TableError
        Naming file, line, field and the allowed choices.
    """
    if is_study(source):
        space, rows, notes = rows_of_study(space, source, metrics)
        return table_of_rows(space, rows, source="study", skip_bad=skip_bad, notes=notes)
    if not isinstance(source, str | os.PathLike):
        rows, notes = rows_of_frame(space, source, "frame")
        return table_of_rows(space, rows, source="frame", skip_bad=skip_bad, notes=notes)
    if str(source) in builtin_tables():
        with resources.as_file(resources.files("nasbuild.table") / "builtin" / str(source) / "archs.jsonl.gz") as path:
            return table_of_rows(space, rows_of_jsonl(space, path), source=str(source), skip_bad=skip_bad)
    path = Path(source)
    form = _form(path)
    if form.startswith(".jsonl"):
        return table_of_rows(space, rows_of_jsonl(space, path), source=str(path), skip_bad=skip_bad)
    rows, notes = (rows_of_parquet if form == ".parquet" else rows_of_csv)(space, path)
    return table_of_rows(space, rows, source=str(path), skip_bad=skip_bad, notes=notes)


def write_table(table: Table, path: str | os.PathLike[str]) -> None:
    """Write a table in the form that the name's ending tells; `read_table` gives an equal table."""
    place = Path(path)
    form = _form(place)
    if form.startswith(".jsonl"):
        write_jsonl(table, place)
        return
    with writing(place) as temporary:
        if form == ".parquet":
            to_frame(table).write_parquet(temporary)
        else:
            to_frame(table).write_csv(temporary, compression="gzip" if form.endswith(".gz") else "uncompressed", check_extension=False)


def _form(path: Path) -> str:
    for form in FORMS:
        if path.name.endswith(form):
            return form
    raise TableError(f"the ending of {path.name!r} tells no form of a table", where=str(path), allowed=FORMS)
