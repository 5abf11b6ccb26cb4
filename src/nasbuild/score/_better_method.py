"""Whether to recommend another method: only where its lead is significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from nasbuild.score._held_out import Agreement

BETTER = 0.01
"""Minimum lead, in Spearman rank correlation (SRCC), of a recommended method."""
_SURE = 0.99  # two-sided


@dataclass(frozen=True)
class Baseline:
    """Another method, measured on the same folds of the table.

    Attributes
    ----------
    name
        Its recipe.
    prediction, modules
        Agreement of its prediction, and of its summed module scores.
    pairs
        Share of pairs of held-out rows that its prediction orders as their labels do; None if unknown.

    Examples
    --------
    >>> from nasbuild.score import Agreement, Baseline, better_method
    >>> ridge = Baseline("ridge", Agreement.of([0.9, 0.92, 0.91]), Agreement.of([0.9, 0.92, 0.91]))
    >>> better_method(Agreement.of([0.7, 0.71, 0.7]), [ridge], level="fair")
    'ridge'
    """

    name: str
    prediction: Agreement
    modules: Agreement
    pairs: float | None = None


def better_method(modules: Agreement, baselines: Sequence[Baseline], level: str) -> str | None:
    """Recipe of the best baseline, if it ranks held-out rows significantly better; None otherwise.

    Its mean lead must be at least `BETTER`, and significant at 99 % by a paired t-test on the folds, which both methods
    share. At trust level ``"none"`` no lead is believed.

    Examples
    --------
    >>> from nasbuild.score import Agreement, Baseline, better_method
    >>> ahead = Agreement.of([0.90, 0.92, 0.91])
    >>> better_method(Agreement.of([0.70, 0.71, 0.70]), [Baseline("ridge", ahead, ahead)], "fair")
    'ridge'
    >>> better_method(Agreement.of([0.89, 0.93, 0.91]), [Baseline("ridge", ahead, ahead)], "fair")
    """
    best = max(baselines, key=lambda r: r.modules.mean, default=None)
    if best is None or level == "none":
        return None
    return best.name if leads(best.modules, modules) else None


def leads(method: Agreement, other: Agreement) -> bool:
    """Whether one method is significantly ahead of another: paired on shared folds, else unpaired."""
    lead = method.mean - other.mean
    if lead < BETTER:
        return False
    a, b = np.array(method.values), np.array(other.values)
    if min(len(a), len(b)) < 2:
        return False
    if len(a) == len(b):
        error = float((a - b).std(ddof=1)) / np.sqrt(len(a))
    else:
        # Fits of an ensemble share rows, so the smaller number of both counts.
        error = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / min(len(a), len(b)))
    # Of Student's t. `scipy.stats` has it too, and takes a second to import.
    quantile = float(stdtrit(min(len(a), len(b)) - 1, (1 + _SURE) / 2))
    return lead > quantile * error
