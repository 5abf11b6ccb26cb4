"""Tables in a space with two neighbouring stages merged."""

from __future__ import annotations

from dataclasses import replace

from nasbuild.space import merge_architecture, merge_stages
from nasbuild.table._table import Table


def merge_table(table: Table, first: int | str) -> Table:
    """The same architectures in the space where stage ``first`` and the next one are a single stage.

    Raises
    ------
    SpaceError
        If the two stages can't be merged without changing what can be built.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import load_space, sample
    >>> from nasbuild.table import merge_table, table_from_evaluations
    >>> space = load_space("nas-bench-macro")
    >>> architecture = sample(space, 1, np.random.default_rng(0))[0]
    >>> table = table_from_evaluations(space, {architecture: {"acc": 93.1}})
    >>> [len(module) for module in merge_table(table, "stage1").architectures[0]]
    [5, 3]
    """
    space = merge_stages(table.space, first)
    u = table.space.stage_index(first)
    architectures = tuple(merge_architecture(a, u) for a in table.architectures)
    return replace(table, space=space, architectures=architectures)
