"""Architectures to be predicted: every row kept in its place, with or without metrics."""

from __future__ import annotations

import os
from dataclasses import replace

from nasbuild.errors import TableError
from nasbuild.space import Architecture, Space
from nasbuild.table._read_table import raw_rows
from nasbuild.table._rows import checked_row


def read_architectures(source: str | os.PathLike[str], space: Space) -> list[tuple[str, Architecture]]:
    """Id and architecture of every row of a file, in order; repeats stay.

    Raises
    ------
    TableError
        For the first bad row, and if there is none.
    """
    found = []
    # Their metrics play no part: what is not a number there is nobody's mistake.
    for raw in raw_rows(source, space)[1]:
        if isinstance(raw, TableError):
            raise raw
        row = checked_row(space, replace(raw, metrics={}))
        found.append((row.name, row.architecture))
    if not found:
        raise TableError("has no architecture", where=str(source))
    return found
