"""Labels that all other rows speak against: measurements that are worth a second look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score._held_out import HeldOut
from nasbuild.score._scorer import Scorer

FAR = 6.0
"""Deviations of what held-out predictions miss by, beyond which a label is doubtful."""
_MUCH = 0.5  # deviations of the labels themselves: less is no mistake, however well all else is predicted
_NORMAL = 1.482602218505602  # from the median distance of normal values to their deviation


@dataclass(frozen=True)
class Doubtful:
    """A label far from what was predicted for its row without it.

    Attributes
    ----------
    row
        Position among the labels.
    label, expected
        The label, and its held-out y', in the label's unit.
    deviations
        How far they are apart, in deviations of what all rows are missed by, on the scale on which
        scores add up. Few rows that are wrong don't change that deviation: it is that of the median.
    """

    row: int
    label: float
    expected: float
    deviations: float


def doubtful_labels(scorer: Scorer, parts: Sequence[HeldOut], labels: np.ndarray) -> tuple[Doubtful, ...]:
    """Those further than `FAR` from their held-out prediction, furthest first.

    For scorers whose scale is fitted to the labels: elsewhere the tail of skewed labels would be doubted.
    """
    if not scorer.scaled or not parts:
        return ()
    rows = np.concatenate([part.test for part in parts])
    expected = np.concatenate([part.prediction for part in parts])
    at = np.array([scorer.sum_at(v) for v in labels])
    missed = at[rows] - np.array([scorer.sum_at(v) for v in expected])
    missed -= np.median(missed)
    deviation = _NORMAL * np.median(np.abs(missed))
    far = (np.abs(missed) > FAR * deviation) & (np.abs(missed) > _MUCH * at.std())
    found = [
        Doubtful(int(rows[i]), float(labels[rows[i]]), float(expected[i]), float(abs(missed[i]) / deviation))
        for i in np.flatnonzero(far)
        if deviation > 0
    ]
    return tuple(sorted(found, key=lambda one: -one.deviations))
