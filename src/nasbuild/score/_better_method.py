"""Whether another method should be fitted instead: only where its lead is beyond doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from nasbuild.score._held_out import Agreement

BETTER = 0.01
"""SRCC by which another method must lead before it is offered."""
_SURE = 0.99  # two-sided


@dataclass(frozen=True)
class Baseline:
    """Another method on the same table, held out fold by fold.

    Attributes
    ----------
    name
        Its recipe.
    prediction, modules
        Agreement of its free prediction, and of its summed module scores.
    """

    name: str
    prediction: Agreement
    modules: Agreement


def better_method(modules: Agreement, baselines: Sequence[Baseline], level: str) -> str | None:
    """Recipe of the baseline that orders held-out rows best, where it surely leads; None elsewhere.

    Its mean lead must be at least `BETTER`, and beyond what Student's t allows at 99 % for the differences on the folds,
    which both methods share. Where scores are not to be believed at all (level ``"none"``), no lead is either.
    """
    best = max(baselines, key=lambda r: r.modules.mean, default=None)
    if best is None or level == "none":
        return None
    return best.name if leads(best.modules, modules) else None


def leads(one: Agreement, other: Agreement) -> bool:
    """Whether one method is surely ahead of another on the same folds, or, with other fits, on folds of its own."""
    lead = one.mean - other.mean
    if lead < BETTER:
        return False
    a, b = np.array(one.values), np.array(other.values)
    if min(len(a), len(b)) < 2:
        return False
    if len(a) == len(b):
        error = float((a - b).std(ddof=1)) / np.sqrt(len(a))
    else:
        # The fits of an ensemble share their rows, so there is no more to know than the fewer of both tell.
        error = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / min(len(a), len(b)))
    quantile = float(student.ppf((1 + _SURE) / 2, min(len(a), len(b)) - 1))
    return lead > quantile * error
