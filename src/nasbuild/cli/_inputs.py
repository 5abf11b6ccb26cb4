"""Reads the space and table given by ``--space``, ``--data``, ``--graphs`` and related options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasbuild._atomic_write import is_fit_folder
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.space import Space
    from nasbuild.table import Table


def metric_fields(space: Space, names: Sequence[str], file: Path) -> list[str]:
    """What a file of architectures calls metrics: in the flat formats as the user's own table does."""
    from nasbuild._file_formats import FLAT, ROWS, file_format

    own = {} if space.columns is None else space.columns.metrics
    flat = file_format(file, ROWS, "architectures") in (*FLAT, ".parquet")
    return [own.get(name, name) if flat else name for name in names]


def only_graphs(graphs: Path, space: str | None, merge: str | None) -> Path:
    """Returns the graphs, which exclude a space."""
    if space is not None or merge is not None:
        raise NasbuildError("--graphs replaces a space", todo="leave --space and --merge out")
    return graphs


def only_one(data: Sequence[str]) -> str:
    """Returns the one table that networks can have."""
    if len(data) > 1:
        raise NasbuildError("networks take one table", where="--data", todo="join the tables by id first")
    return data[0]


def read(
    space: str | None,
    data: Sequence[str],
    merge: str | None,
    skip_bad: bool,
    costs: str | None = None,
    targets: Sequence[str] = (),
) -> Table:
    """Returns the table of ``--space``, ``--costs``, ``--data``, ``--merge`` and ``--skip-bad``.

    Several tables are joined. Space and data may each be a fit folder, which stands for the space and the rows of
    that fit. Without a space it is that of the first fit, or inferred from the tables.
    """
    from nasbuild.table import add_costs, merge_table, read_tables

    if space is None:
        space = next(filter(is_fit_folder, data), None)
    found = None if space is None else space_with(space, costs)
    sources = [_rows(one, found) if found is not None and is_fit_folder(one) else one for one in data]
    metrics = list(targets) if found is None else None
    table = read_tables(sources, found, skip_bad=skip_bad, metrics=metrics, names=data)
    if found is None and costs:
        table = replace(table, space=add_costs(table.space, costs))
    return merge_table(table, merge) if merge else table


def _rows(folder: str, space: Space) -> Table:
    from nasbuild.score import fit_rows

    return fit_rows(folder, space)


def space_with(space: str, costs: str | None) -> Space:
    """Returns the space of ``--space`` and ``--costs``."""
    from nasbuild.space import load_space
    from nasbuild.table import add_costs

    if is_fit_folder(space):
        from nasbuild.score import load_fit

        found = load_fit(space, "space").space
    else:
        found = load_space(space)
    return add_costs(found, costs) if costs else found
