"""The order among the better part of a table, which is the one that building and searching rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import srcc
from nasbuild.score._held_out import HeldOut, correlation_interval

PARTS = (1 / 2, 1 / 3)
"""Shares of the labels, the best of them, within which the order is measured."""
LEAST = 12
"""Held-out rows with fewer of which an order within a part can't be told: its 95 % interval would span more than 1."""


@dataclass(frozen=True)
class PartOrder:
    """How well held-out rows are ordered that are among the best by their labels.

    Attributes
    ----------
    share
        Of all labels, so many are in the part.
    rows
        Different held-out rows in it.
    modules, prediction
        SRCC of summed module scores, and of y', with the labels within the part; None where it can't be told.
    low, high
        The 95 % interval of ``modules`` (Fisher's z).
    """

    share: float
    rows: int
    modules: float | None = None
    prediction: float | None = None
    low: float | None = None
    high: float | None = None


def better_parts(parts: Sequence[HeldOut], labels: np.ndarray, sign: int) -> tuple[PartOrder, ...]:
    """The order within each of `PARTS`, over the held-out rows of all fits together.

    A fold alone has a handful of such rows. What fits say of different rows is in the label's unit, so it can be
    compared; a row that several fits held out counts once, with their mean.

    Parameters
    ----------
    sign
        1 where higher labels are better, -1 where lower ones are.
    """
    rows = np.concatenate([part.test for part in parts])
    tested, place, times = np.unique(rows, return_inverse=True, return_counts=True)

    def mean(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.bincount(place, np.concatenate(values)) / times

    sums, prediction = mean([part.sums for part in parts]), mean([part.prediction for part in parts])
    values, found = sign * labels[tested], []
    for share in PARTS:
        some = values >= np.quantile(values, 1 - share)
        count = int(some.sum())
        if count < LEAST or np.ptp(values[some]) == 0:
            found.append(PartOrder(share, count))
            continue
        modules = srcc(sign * sums[some], values[some])
        low, high = correlation_interval(float(np.clip(modules, -1 + 2 / count, 1 - 2 / count)), count)
        own = srcc(sign * prediction[some], values[some])
        found.append(PartOrder(share, count, float(modules), float(own), low, high))
    return tuple(found)
