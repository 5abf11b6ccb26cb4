"""The plain sum of single changes: what each part does alone, added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasbuild.errors import TableError
from nasbuild.predictor import single_changes
from nasbuild.score.baselines._linear import Linear
from nasbuild.score.baselines._one_hot import Columns
from nasbuild.space import Architecture, Space
from nasbuild.table import ReferenceChanges

_ASSUMED_ERROR = 0.5  # of the summed effects, where no joint row tests them


def around_reference(space: Space, architectures: Sequence[Architecture]) -> Space:
    """The space with the reference of a table of single changes.

    Raises
    ------
    TableError
        If the rows are no such table.
    """
    found = single_changes(space, architectures)
    if found is None:
        raise TableError(
            "is no table of a reference and single changes, which recipe singles adds up",
            where="table",
            todo="use another recipe, or declare the reference in the space",
        )
    return replace(space, reference=found.reference)


def fit_single_sum(space: Space, architectures: Sequence[Architecture], labels: np.ndarray) -> Linear:
    """The sum of the effects of single changes, which a space with a reference has.

    Only rows with at most one changed part are learnt from. Joint rows give the error: the root mean square of what sums
    miss there, relative to the sums. Of all weights that give each single change its effect, these have the smallest
    squares; so a change that no row has alone counts little.
    """
    columns = Columns(space, one_hot=True)
    changes = ReferenceChanges.of(space, architectures)
    assert changes is not None
    single = changes.counts <= 1
    at_reference = columns.of_architectures([changes.reference])[0]
    apart = columns.of_architectures(architectures) - at_reference
    level = float(labels[changes.row]) if changes.row is not None else float(np.median(labels[single]))
    used = apart[single].any(axis=0)
    weights = np.zeros(apart.shape[1])
    weights[used] = np.linalg.lstsq(apart[single][:, used], labels[single] - level, rcond=None)[0]
    sums, excess = apart[~single] @ weights, labels[~single] - level
    size = float(sums @ sums)
    error = float(np.sqrt(((excess - sums) ** 2).sum() / size)) if size > 0 else _ASSUMED_ERROR
    return Linear(columns, weights, at_reference, level, error)
