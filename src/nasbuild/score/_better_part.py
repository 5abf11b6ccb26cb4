"""Agreement among the best rows of a table, on which building and search depend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import srcc
from nasbuild.score._held_out import HeldOut, correlation_interval

PARTS = (1 / 2, 1 / 3)
"""Shares of best labels within which agreement is measured."""
LEAST = 12
"""Minimum held-out rows of a part; with fewer, the 95 % interval would be wider than 1."""


@dataclass(frozen=True)
class PartOrder:
    """Agreement among the held-out rows with the best labels.

    Attributes
    ----------
    share
        Share of all labels that are in the part.
    rows
        Distinct held-out rows in it.
    modules, prediction
        SRCC of summed module scores, and of y', within the part; None where it has too few rows.
    low, high
        The 95 % interval of ``modules`` (Fisher's z).

    Examples
    --------
    >>> half, third = acc.trust.better_part
    >>> half.share, half.rows
    (0.5, 21)
    >>> half.low <= half.modules <= half.high
    True
    """

    share: float
    rows: int
    modules: float | None = None
    prediction: float | None = None
    low: float | None = None
    high: float | None = None


def better_parts(parts: Sequence[HeldOut], labels: np.ndarray, sign: int) -> tuple[PartOrder, ...]:
    """Agreement within each of `PARTS`, over the held-out rows of all fits together.

    A single fold has only a handful of such rows. Predictions are in the label's unit, so those of different fits can be
    pooled. A row that several fits held out counts once, with the mean of their predictions.

    Parameters
    ----------
    sign
        1 where higher labels are better, -1 where lower ones are.

    Examples
    --------
    >>> from nasbuild.score import better_parts
    >>> half, third = better_parts(held_out, labels, sign=1)
    >>> half.rows, third.rows, half.low < half.modules < half.high
    (21, 15, True)
    """
    rows = np.concatenate([part.test for part in parts])
    tested, place, times = np.unique(rows, return_inverse=True, return_counts=True)

    def mean(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.bincount(place, np.concatenate(values)) / times

    sums, prediction = mean([part.sums for part in parts]), mean([part.prediction for part in parts])
    values, found = sign * labels[tested], []
    for share in PARTS:
        top = values >= np.quantile(values, 1 - share)
        count = int(top.sum())
        if count < LEAST or np.ptp(values[top]) == 0:
            found.append(PartOrder(share, count))
            continue
        modules = srcc(sign * sums[top], values[top])
        # A perfect order of few rows proves little: its lower end is that of 1 - 2 / n, as in `trust_level`.
        least, most = -1 + 2 / count, 1 - 2 / count
        low, high = correlation_interval(float(np.clip(modules, least, most)), count)
        if not least <= modules <= most:
            low, high = min(low, float(modules)), max(high, float(modules))
        predictions = srcc(sign * prediction[top], values[top])
        found.append(PartOrder(share, count, float(modules), float(predictions), low, high))
    return tuple(found)
