"""Single changes that improve on a reference which nearly all others make worse: what they are believed to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.predictor.additive_gp._ruined_rows import ruined_rows
from nasbuild.predictor.additive_gp._single_changes import single_changes
from nasbuild.predictor.additive_gp._single_parts import size_of
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.space import Architecture, Space
from nasbuild.table import ReferenceChanges

_BELIEVED = 0.5
"""Share of the loss that is expected of such a change, which is taken for its effect. With none, a builder takes all of them
together, as they cost nothing. With the whole loss, what was measured is not believed at all, and joint rows contradict."""
_MOST = 0.1  # of what all others lose together; of a larger gain, the reference is no optimum


def improving_changes(
    labels: np.ndarray, changes: ReferenceChanges, ruined: np.ndarray, sign: int
) -> np.ndarray:
    """Which single changes improve on a reference that is nearly the best, (rows,) bool.

    A trained network is near an optimum of what it was trained for. Changes that improve it on some test set share few
    directions, so their gains do not add up (`believed_labels`). A builder would choose all of them together. None is found where the gains
    together are more than a tenth of the losses: there the reference is no optimum, or the labels are noisy.

    Parameters
    ----------
    changes
        Of the rows; its ``row`` is the measured reference.
    ruined
        Rows that do not count, (rows,) bool.
    sign
        1 if high labels are better, -1 if low ones are; 0 if that is unknown, then none is found.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nasbuild.predictor import improving_changes
    >>> from nasbuild.table import ReferenceChanges
    >>> changes = ReferenceChanges.of(replace(space, reference=architectures[0]), architectures)
    >>> improving_changes(labels, changes, np.zeros(len(labels), dtype=bool), sign=0).any()
    np.False_
    """
    gain = sign * (labels - labels[changes.row])
    single = (changes.counts == 1) & ~ruined
    better, worse = single & (gain > 0), single & (gain < 0)
    return better if gain[better].sum() <= -_MOST * gain[worse].sum() else np.zeros(len(labels), dtype=bool)


def believed_labels(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    changes: ReferenceChanges,
    improving: np.ndarray,
    own: Warp,
    sizes: Sequence[np.ndarray] | None,
    sign: int,
) -> np.ndarray:
    """Labels with those of improving changes replaced by a small loss, (rows,).

    Parameters
    ----------
    improving
        Which rows these are, (rows,) bool.
    own, sizes
        The scale, and expected sizes of all effects on it (`expected_sizes`). Without sizes, the loss of an improving change
        is a share of the median loss of all others.
    """
    assert changes.row is not None
    scaled, found = own.forward(labels), labels.copy()
    reference = float(scaled[changes.row])
    losses = np.abs(scaled - reference)[(changes.counts == 1) & ~improving]
    usual = float(np.median(losses)) if len(losses) else 0.0
    for i in np.flatnonzero(improving).tolist():
        size = usual if sizes is None else size_of(space, sizes, architectures[i], changes.parts[i][0])
        found[i] = own.back(np.array([reference - sign * _BELIEVED * size]))[0]
    return found


def count_improving_changes(
    space: Space, architectures: Sequence[Architecture], labels: np.ndarray, sign: int
) -> int:
    """How many single changes of a table improve on its reference and are not believed; 0 for other tables.

    Examples
    --------
    >>> from nasbuild.predictor import count_improving_changes
    >>> count_improving_changes(space, architectures, labels, 1)  # drawn from the whole space
    0
    """
    changes = single_changes(space, architectures)
    if changes is None or changes.row is None:
        return 0
    ruined = ruined_rows(space, architectures, labels, changes)
    return int(improving_changes(labels, changes, ruined, sign).sum())
