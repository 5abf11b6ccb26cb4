"""Reads architectures to be predicted: all rows in order, with or without metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nasbuild.errors import TableError
from nasbuild.space import Architecture, Space
from nasbuild.table._read_table import raw_rows, source_name
from nasbuild.table._rows import checked_row


def read_architectures(source: Any, space: Space) -> list[tuple[str, Architecture]]:
    """Id and architecture of every row of a file or frame, in order, repeats included.

    Raises
    ------
    TableError
        For the first bad row, or if there is no row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import read_architectures
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "archs.jsonl")
    ...     _ = path.write_text('{"id": "mine", "arch": {"stages": [[{"kernel": 5}]]}}')
    ...     read_architectures(path, space)
    [('mine', Architecture(modules=(((5,),),)))]
    """
    found = []
    # Metrics are not used, so a bad value there is not an error.
    for raw in raw_rows(source, space)[1]:
        if isinstance(raw, TableError):
            raise raw
        row = checked_row(space, replace(raw, metrics={}))
        found.append((row.name, row.architecture))
    if not found:
        raise TableError("has no architecture", where=source_name(source))
    return found
