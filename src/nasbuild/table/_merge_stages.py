"""A table whose space has two neighbouring stages joined."""

from __future__ import annotations

from dataclasses import replace

from nasbuild.space import merge_architecture, merge_stages
from nasbuild.table._table import Table


def merge_table(table: Table, first: int | str) -> Table:
    """The same architectures in the space where stage ``first`` and the one after it are one.

    Raises
    ------
    SpaceError
        If the two stages can't be joined without changing what can be built.
    """
    space = merge_stages(table.space, first)
    u = table.space.stage_index(first)
    architectures = tuple(merge_architecture(a, u) for a in table.architectures)
    return replace(table, space=space, architectures=architectures)
