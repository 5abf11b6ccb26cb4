"""SuspectLabel labels: those that all other rows speak against, measurements that are worth a second look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score._held_out import HeldOut
from nasbuild.score._scorer import Scorer
from nasbuild.table import rows_without_support

FAR = 5.5
"""Deviations of what held-out predictions miss by, beyond which a label is suspect."""
OWN_FAR = 4.5
"""The same in deviations that were stated for this very row, noise included."""
_MUCH = 0.5  # deviations of the labels themselves: less is no mistake, however well all else is predicted
_NORMAL = 1.482602218505602  # from the median distance of normal values to their deviation


@dataclass(frozen=True)
class SuspectLabel:
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


def suspect_labels(scorer: Scorer, parts: Sequence[HeldOut], labels: np.ndarray) -> tuple[SuspectLabel, ...]:
    """Labels that other rows speak against, furthest first.

    A label must be missed by more than `FAR` deviations of what all rows are missed by, and by more than `OWN_FAR`
    deviations of its own prediction, where these are stated as large as they proved to be. Rows with a choice, a depth or a
    module that hardly any other row has (`rows_without_support`) have none that could speak against them, and are none.

    For scorers whose scale is fitted to the labels: elsewhere the tail of skewed labels would be suspect.
    """
    if (
        not scorer.has_fitted_scale
        or any(part.missed is None or part.deviation is None for part in parts)
        or not parts
    ):
        return ()
    rows = np.concatenate([part.test for part in parts])
    expected = np.concatenate([part.prediction for part in parts])
    missed = np.concatenate([part.missed for part in parts if part.missed is not None])
    stated = np.concatenate([part.deviation for part in parts if part.deviation is not None])
    missed = missed - np.median(missed)
    deviation = _robust(missed)
    own = np.abs(missed) / (stated * max(_robust(missed / stated), 1.0))
    far = (np.abs(missed) > FAR * deviation) & (own > OWN_FAR) & (np.abs(missed) > _MUCH)
    folds = np.zeros(len(labels), dtype=np.int64)
    for k, part in enumerate(parts):
        folds[part.test] = k
    far &= ~rows_without_support(scorer.space, scorer.architectures, folds)[rows]
    found = [
        SuspectLabel(
            int(rows[i]), float(labels[rows[i]]), float(expected[i]), float(abs(missed[i]) / deviation)
        )
        for i in np.flatnonzero(far)
        if deviation > 0
    ]
    return tuple(sorted(found, key=lambda one: -one.deviations))


def _robust(values: np.ndarray) -> float:
    """Deviation by the median distance from 0."""
    return float(_NORMAL * np.median(np.abs(values)))
