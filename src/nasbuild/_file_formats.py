"""File formats by the ending of a name, checked before any work is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nasbuild._text_input import STANDARD_INPUT
from nasbuild.errors import NasbuildError, OutputError

ROWS = (".jsonl", ".jsonl.gz", ".json", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".yaml", ".yml")
"""Rows of a table, of architectures, of module scores or of predictions."""
FLAT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
"""Row formats that are texts with separators."""
SQLITE = (".db", ".sqlite", ".sqlite3")
JOURNALS = (".log", ".journal")
TABLES = (*ROWS, ".xlsx", *SQLITE, *JOURNALS)
"""What tables are read from: also Excel, and storages of Optuna."""
SPACES = (".yaml", ".yml", ".yaml.gz", ".yml.gz")
GRAPHS = (".parquet",)
REPORTS = (".html", ".htm", ".pdf")
BENCHMARKS = (".json",)


def file_format(
    path: str | os.PathLike[str],
    forms: Sequence[str],
    what: str,
    error: type[NasbuildError] = OutputError,
) -> str:
    """The ending of a name, in lower case. Standard input has the first of the formats.

    Raises
    ------
    NasbuildError
        Of the given kind, if the ending is not one of ``forms``.
    """
    name = Path(path).name.lower()
    if str(path) == STANDARD_INPUT:
        return forms[0]
    # Longest first, as .jsonl.gz ends in .gz as well.
    for form in sorted(forms, key=len, reverse=True):
        if name.endswith(form):
            return form
    raise error(
        f"the ending of {Path(path).name!r} is not a file format for {what}", where=str(path), allowed=forms
    )


def check_output(path: str | os.PathLike[str], forms: Sequence[str], what: str) -> str:
    """The format of a file to be written, whose folder must exist.

    Raises
    ------
    OutputError
        If the ending is not a known format, or the file can't be written there.
    """
    form = file_format(path, forms, what)
    if str(path) == STANDARD_INPUT:
        raise OutputError(
            f"the ending of '-' is not a file format for {what}", where=str(path), allowed=forms
        )
    place = Path(path)
    try:
        if place.is_dir():
            raise OutputError("can't be written (it is a folder)", where=str(place))
        if not place.parent.is_dir():
            raise OutputError(f"can't be written ({place.parent} is not a folder)", where=str(place))
    except ValueError:
        raise OutputError("has a null character in its name", where=repr(str(place))) from None
    return form


def delimiter(form: str) -> str:
    """The separator between fields of a flat format."""
    return "\t" if form.startswith(".tsv") else ","
