"""Suspect labels: those that all other rows contradict, to be measured again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score._held_out import HeldOut
from nasbuild.score._scorer import Scorer
from nasbuild.table import rows_without_support

FAR = 5.5
"""Held-out residual, in robust standard deviations of all residuals, beyond which a label is suspect."""
OWN_FAR = 4.5
"""The same in the predicted deviation of this row, noise included."""
_MUCH = 0.5  # in standard deviations of the labels: smaller residuals are never suspect
_NORMAL = 1.482602218505602  # standard deviation of a normal over its median absolute deviation


@dataclass(frozen=True)
class SuspectLabel:
    """A label far from the prediction for its row by a fit without it.

    Attributes
    ----------
    row
        Position among the labels.
    label, expected
        The label, and its held-out y', in the label's unit.
    deviations
        Size of the residual on the scale on which scores add up, in standard deviations of all residuals. That deviation
        is estimated from the median, so a few wrong labels do not change it.

    Examples
    --------
    >>> from nasbuild.score import SuspectLabel
    >>> suspect = SuspectLabel(row=3, label=71.2, expected=91.0, deviations=9.5)
    >>> table.ids[suspect.row] == table.ids[3]  # the row to measure again
    True
    """

    row: int
    label: float
    expected: float
    deviations: float


def suspect_labels(scorer: Scorer, parts: Sequence[HeldOut], labels: np.ndarray) -> tuple[SuspectLabel, ...]:
    """Labels that other rows contradict, largest residual first.

    The residual must exceed `FAR` robust standard deviations of all residuals, and `OWN_FAR` calibrated deviations of the
    row's own prediction. Rows with a choice, depth or module that hardly any other row has (`rows_without_support`) are
    never suspect, as no other row can contradict them.

    Empty for scorers without a fitted scale: there, the tail of skewed labels would be suspect.

    Parameters
    ----------
    parts
        Fits with the rows that each held out.
    labels
        (labels,), in the target's unit.

    Examples
    --------
    >>> from nasbuild.score import suspect_labels
    >>> wrong = labels.copy()
    >>> wrong[3] -= 20.0
    >>> scorer, parts = score.fit_additive(space, table.architectures, wrong, recipe("default", folds=3, interaction=False))
    >>> [suspect.row for suspect in suspect_labels(scorer, parts, wrong)]
    [3]
    """
    if (
        not scorer.has_fitted_scale
        or any(part.residual is None or part.deviation is None for part in parts)
        or not parts
    ):
        return ()
    rows = np.concatenate([part.test for part in parts])
    expected = np.concatenate([part.prediction for part in parts])
    residuals = np.concatenate([part.residual for part in parts if part.residual is not None])
    stated = np.concatenate([part.deviation for part in parts if part.deviation is not None])
    residuals = residuals - np.median(residuals)
    deviation = _robust(residuals)
    own = np.abs(residuals) / (stated * max(_robust(residuals / stated), 1.0))
    far = (np.abs(residuals) > FAR * deviation) & (own > OWN_FAR) & (np.abs(residuals) > _MUCH)
    folds = np.zeros(len(labels), dtype=np.int64)
    for k, part in enumerate(parts):
        folds[part.test] = k
    far &= ~rows_without_support(scorer.space, scorer.architectures, folds)[rows]
    found = [
        SuspectLabel(
            int(rows[i]), float(labels[rows[i]]), float(expected[i]), float(abs(residuals[i]) / deviation)
        )
        for i in np.flatnonzero(far)
        if deviation > 0
    ]
    return tuple(sorted(found, key=lambda one: -one.deviations))


def _robust(values: np.ndarray) -> float:
    """Standard deviation by the median distance from 0."""
    return float(_NORMAL * np.median(np.abs(values)))
