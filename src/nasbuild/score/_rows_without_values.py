"""Rows without a value, taken as failed evaluations where failing depends on choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasbuild.score._failures import fit_failures
from nasbuild.score._fit import Fit


def rows_without_values(fit: Fit, targets: Sequence[str]) -> np.ndarray:
    """Rows that lack a metric of one of the targets, (rows,) bool.

    Raises
    ------
    FitError
        If the fit has no such target.

    Examples
    --------
    >>> from nasbuild.score import rows_without_values
    >>> int(rows_without_values(fit, ["acc"]).sum())
    0
    """
    names = {name for target in targets for name in fit.of(target).target.equation.names}
    missing = [np.isnan(fit.table.columns[name]) for name in sorted(names & set(fit.table.columns))]
    return np.any([np.zeros(len(fit.table), dtype=bool), *missing], axis=0)


def with_failures(fit: Fit, targets: Sequence[str]) -> Fit:
    """The fit with a model of failures (`fit_failures`), learnt from the rows that lack a metric of the targets.

    Examples
    --------
    >>> from nasbuild.score import with_failures
    >>> from dataclasses import replace
    >>> missing = {"acc": np.where(failed, np.nan, labels)}
    >>> partial = replace(fit, table=replace(table, columns=missing))
    >>> with_failures(partial, ["acc"]).failures.failed, fit.failures
    (30, None)
    """
    return replace(
        fit, failures=fit_failures(fit.space, fit.table.architectures, rows_without_values(fit, targets))
    )
