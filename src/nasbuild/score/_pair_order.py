"""How often a prediction picks the better of two held-out architectures: the measure that needs no statistics to read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.score._held_out import HeldOut

_FEWEST = 30  # pairs, of which a share means something
_ROWS = 2_000  # rows of a fit whose pairs are compared; two million pairs are enough


def pair_order(parts: Sequence[HeldOut], labels: np.ndarray) -> float | None:
    """Share of pairs of held-out rows that y' orders as their labels do; None where fewer than 30 pairs differ.

    Only rows that one fit held out together make a pair, since predictions of different fits are not on one scale to the
    last digit. Pairs with equal labels are left out; equal predictions count one half. The share is (1 + D) / 2 with
    Somers' D of the prediction given the label (Somers, 1962): 0.5 is a coin, 1 is a perfect order.

    Parameters
    ----------
    parts
        Predictions of each fit for the rows that it held out.
    labels
        All labels, in the unit of the predictions.
    """
    right, pairs = 0.0, 0
    for part in parts:
        values, predicted = labels[part.test][:_ROWS], part.prediction[:_ROWS]
        for n in range(len(values) - 1):
            order = np.sign(values[n + 1 :] - values[n])
            agrees = order * np.sign(predicted[n + 1 :] - predicted[n])
            differ = order != 0
            right += float(((1 + agrees[differ]) / 2).sum())
            pairs += int(differ.sum())
    return right / pairs if pairs >= _FEWEST else None


def times_in_100(share: float) -> str:
    """A share as a count in a hundred; never 100, which a sample cannot show.

    >>> times_in_100(0.944), times_in_100(0.998)
    ('94 times in 100', 'more than 99 times in 100')
    """
    return "more than 99 times in 100" if share > 0.99 else f"{100 * share:.0f} times in 100"
