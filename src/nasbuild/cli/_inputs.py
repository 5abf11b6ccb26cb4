"""Reads the space and table given by ``--space``, ``--data``, ``--graphs`` and related options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.space import Space
    from nasbuild.table import Table


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
    that fit. Without a space it is that of the fit, or inferred from the first table.
    """
    from nasbuild.table import add_costs, merge_table, read_table, read_tables

    space = data[0] if space is None and is_fit(data[0]) else space
    sources: list[str | Table] = list(data)
    if space is None:
        sources[0] = read_table(data[0], skip_bad=skip_bad, metrics=list(targets))
        found = add_costs(sources[0].space, costs) if costs else sources[0].space
        sources[0] = replace(sources[0], space=found)
    else:
        found = space_with(space, costs)
    sources = [_of_fit(one, found) if isinstance(one, str) and is_fit(one) else one for one in sources]
    table = read_tables(sources, found, skip_bad=skip_bad, names=data)
    return merge_table(table, merge) if merge else table


def space_with(space: str, costs: str | None) -> Space:
    """Returns the space of ``--space`` and ``--costs``."""
    from nasbuild.space import load_space
    from nasbuild.table import add_costs

    if is_fit(space):
        from nasbuild.score import load_fit

        found = load_fit(space, "space").space
    else:
        found = load_space(space)
    return add_costs(found, costs) if costs else found


def is_fit(path: str) -> bool:
    """Whether a path is a fit folder."""
    from nasbuild._atomic_write import FIT_FILE

    try:
        return (Path(path) / FIT_FILE).is_file()
    except (OSError, ValueError):
        return False


def _of_fit(folder: str, space: Space) -> Table:
    """Returns the rows of a fit as a table in the given space.

    Raises
    ------
    NasbuildError
        If the given space has other architectures.
    """
    from nasbuild.score import load_fit

    table = load_fit(folder, "space").table
    if table.space.stages != space.stages:
        raise NasbuildError(
            f"was fitted in another space than {space.name}",
            where=folder,
            todo=f"give --space {folder} as well",
        )
    return replace(table, space=replace(space, metrics={**table.space.metrics, **space.metrics}))
