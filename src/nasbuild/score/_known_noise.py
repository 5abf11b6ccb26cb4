"""Known noise of labels, from the standard deviation and the number of repeats of each row."""

from __future__ import annotations

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.objective import Labels, signed
from nasbuild.table import Table


def known_noise(labels: Labels, table: Table) -> np.ndarray | None:
    """Variance of each label's noise, std² / n, in its unit squared, (usable,); None where the table does not say.

    A metric ``acc`` that is a mean has columns ``acc_std``, the standard deviation between repeats, and ``acc_n`` or ``n``,
    their number. A row without one of them has 0: only the common noise, which is found from the labels. Equations of
    several metrics have no known noise.

    Raises
    ------
    TargetError
        If a deviation is below 0, or a number of repeats below 1.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nasbuild.score import known_noise
    >>> repeats = {"acc_std": np.full(41, 0.3), "n": np.full(41, 9.0)}
    >>> means = replace(table, columns={"acc": table.columns["acc"], **repeats})
    >>> known_noise(acc.labels, means)[:2].round(3).tolist()
    [0.01, 0.01]
    """
    name = signed(labels.target.name)[1]
    spread = f"{name}_std"
    counts = next((text for text in (f"{name}_n", "n") if text in table.columns), None)
    if name not in table.columns or spread not in table.columns or counts is None:
        return None
    std, count = (table.columns[text][labels.rows] for text in (spread, counts))
    for text, values, least in ((spread, std, 0), (counts, count, 1)):
        wrong = np.flatnonzero(values < least)
        if len(wrong):
            row = int(wrong[0])
            raise TargetError(
                f"{text} is {values[row]:g}",
                where=f"row {table.ids[labels.rows[row]]!r}",
                allowed=f"{least} or more",
                todo=f"correct it, or rename the column, from which the noise of {name} is taken",
            )
    known = np.isfinite(std) & np.isfinite(count)
    if not known.any():
        return None
    return np.where(known, np.nan_to_num(std) ** 2 / np.where(known, count, 1.0), 0.0)
