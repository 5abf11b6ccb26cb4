"""The rows that a fit was fitted on, as a table to read beside others."""

from __future__ import annotations

import os
from dataclasses import replace

from nasbuild.errors import NasbuildError
from nasbuild.score._fit import Fit
from nasbuild.score._fit_folder import load_fit
from nasbuild.space import Space
from nasbuild.table import Table


def fit_rows(fit: Fit | str | os.PathLike[str], space: Space | None = None) -> Table:
    """The table of a fit or of a fit folder, with the metrics of a given space as well.

    Raises
    ------
    NasbuildError
        If the given space has other architectures.
    FitError
        If the folder can't be read, or is a fit on graphs.

    Examples
    --------
    >>> from nasbuild.score import fit_rows
    >>> len(fit_rows(fit))
    41
    """
    table = (fit if isinstance(fit, Fit) else load_fit(fit, "space")).table
    if space is None:
        return table
    if table.space.stages != space.stages:
        where = "fit" if isinstance(fit, Fit) else str(fit)
        todo = "leave space= out" if isinstance(fit, Fit) else f"give --space {fit} as well"
        raise NasbuildError(f"was fitted in another space than {space.name}", where=where, todo=todo)
    return replace(table, space=replace(space, metrics={**table.space.metrics, **space.metrics}))
