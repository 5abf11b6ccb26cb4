"""A table to fill in: architectures to evaluate, with empty columns for their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.space import (
    Architecture,
    Space,
    architecture_id,
    balanced_sample,
    changed_sample,
    to_dict,
)
from nasbuild.table._dataframe import to_arrow
from nasbuild.table._own_table import as_in_own_table

if TYPE_CHECKING:
    import polars as pl

CHANGES = (2, 12)


def template(
    space: Space,
    n: int,
    *,
    seed: int = 0,
    near: Architecture | None = None,
    changes: tuple[int, int] = CHANGES,
) -> pl.DataFrame:
    """A frame of ``n`` architectures to evaluate, whose columns of metrics are empty.

    Every choice and every depth occurs as evenly as possible, and so do their pairs. If the space names the columns
    of the user's own table, the frame has these. Filled in, `read_table` reads it.

    Parameters
    ----------
    near
        A reference: all rows are changes of it. The default draws from the whole space.
    changes
        With ``near``, the smallest and the largest number of changes.

    Raises
    ------
    SpaceError
        If the space has too few architectures.

    Examples
    --------
    >>> from nasbuild.space import load_space
    >>> from nasbuild.table import template
    >>> frame = template(load_space("digits-macro"), 12)
    >>> frame.height, frame["acc"].null_count()
    (12, 12)
    >>> sorted(frame["stage1.0.op"].value_counts()["count"].to_list())
    [4, 4, 4]
    """
    import polars as pl

    found = template_architectures(space, n, seed=seed, near=near, changes=changes)
    empty = {name: np.full(n, np.nan) for name in _metrics(space)}
    ids = [architecture_id(space, architecture) for architecture in found]
    table = to_arrow(space, ids, found, empty, own=True)
    if space.columns is not None:
        table = as_in_own_table(space, space.columns, table)
    return pl.DataFrame(pl.from_arrow(table))


def template_architectures(
    space: Space,
    n: int,
    *,
    seed: int = 0,
    near: Architecture | None = None,
    changes: tuple[int, int] = CHANGES,
) -> list[Architecture]:
    """The architectures of `template`.

    Examples
    --------
    >>> from nasbuild.space import load_space
    >>> from nasbuild.table import template_architectures
    >>> len(set(template_architectures(load_space("digits-macro"), 12)))
    12
    """
    if near is None:
        return balanced_sample(space, n, seed)
    return changed_sample(space, near, n, seed, changes=changes)


def template_rows(space: Space, architectures: Sequence[Architecture]) -> list[dict[str, Any]]:
    """Rows for `write_architectures`, with empty metrics.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import template_rows
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> template_rows(space, [Architecture((((3,),),))])
    [{'id': 'k3', 'arch': {'stages': [[{'kernel': 3}]]}, 'metrics': {}}]
    """
    empty = dict.fromkeys(_metrics(space))
    return [
        {"id": architecture_id(space, a), "arch": to_dict(space, a), "metrics": dict(empty)}
        for a in architectures
    ]


def _metrics(space: Space) -> list[str]:
    """The metrics that are declared, or have a column in the user's own table."""
    own = () if space.columns is None else space.columns.metrics
    return list(dict.fromkeys((*space.metrics, *own)))
