"""What ``--space``, ``--data``, ``--graphs`` and the like tell together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.space import Space
    from nasbuild.table import Table


def given(space: str | None) -> str:
    """A space that has to be there."""
    if space is None:
        raise NasbuildError("there is no space", todo="give --space, or --graphs for networks without one")
    return space


def instead(graphs: Path, space: str | None, merge: str | None) -> Path:
    """Graphs that stand alone."""
    if space is not None or merge is not None:
        raise NasbuildError("--graphs stands instead of a space", todo="leave --space and --merge out")
    return graphs


def read(space: str, data: str, merge: str | None, skip_bad: bool, costs: str | None = None) -> Table:
    """The table that ``--space``, ``--costs``, ``--data``, ``--merge`` and ``--skip-bad`` tell.

    Either may be a fit folder, for the space and the rows that it was fitted on.
    """
    from nasbuild.table import merge_table, read_table

    if is_fit(data):
        table = _of_fit(data, space_with(space, costs))
    else:
        table = read_table(data, space_with(space, costs), skip_bad=skip_bad)
    return merge_table(table, merge) if merge else table


def space_with(space: str, costs: str | None) -> Space:
    """The space that ``--space`` and ``--costs`` tell."""
    from nasbuild.space import load_space
    from nasbuild.table import add_costs

    if is_fit(space):
        from nasbuild.score import load_fit

        found = load_fit(space, "space").space
    else:
        found = load_space(space)
    return add_costs(found, costs) if costs else found


def is_fit(path: str) -> bool:
    """Whether a place is a fit folder."""
    from nasbuild._atomic_write import FIT_FILE

    try:
        return (Path(path) / FIT_FILE).is_file()
    except (OSError, ValueError):
        return False


def _of_fit(folder: str, space: Space) -> Table:
    """The rows that a fit was made of, in the space that is given.

    Raises
    ------
    NasbuildError
        If that is a space of other architectures.
    """
    from nasbuild.score import load_fit

    table = load_fit(folder, "space").table
    if table.space.stages != space.stages:
        raise NasbuildError(
            f"is a fit in another space than {space.name}",
            where=folder,
            todo=f"give --space {folder} as well",
        )
    return replace(table, space=replace(space, metrics={**table.space.metrics, **space.metrics}))
