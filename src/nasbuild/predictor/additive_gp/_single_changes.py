"""Which rows are informative of the label scale; in a table of single changes, none is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from nasbuild.predictor.additive_gp._numeric_features import curve
from nasbuild.space import ABSENT, Architecture, Space
from nasbuild.table import ReferenceChanges

LEAST_SINGLES = 5
"""Minimum number of single changes of a table whose single changes are evidence of their own."""
_Part = tuple[int, int, int]
"""Stage, place, feature; the number of layers has place -1."""


def rows_informative_of_scale(space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    """Which rows say on which scale effects add up, (architectures,) bool.

    Rows are visited in order of their distance to the most common choices, nearest first. A row is not informative if it
    has a choice at a layer that no row before it has: this choice alone explains it on any scale. Nor is a row that
    differs from the most common choices in a single choice. A table of a reference and its single changes therefore has
    no informative row. New choices of a feature with many numbers do not count, as neighbouring numbers explain them.
    """
    parts = [_parts(space, a) for a in architectures]
    changes = _changes(parts)
    smooth = {
        (u, f)
        for u, stage in enumerate(space.stages)
        for f, feature in enumerate(stage.features)
        if curve(feature) is not None
    }
    known: set[tuple[_Part, Hashable]] = set()
    informative = np.zeros(len(parts), dtype=bool)
    single = (changes == 0).any()
    for i in np.argsort(changes, kind="stable"):
        held = {(part, choice) for part, choice in parts[i].items() if (part[0], part[2]) not in smooth}
        informative[i] = held <= known and not (single and changes[i] <= 1)
        known |= held
    return informative


def single_changes(space: Space, architectures: Sequence[Architecture]) -> ReferenceChanges | None:
    """The rows as changes of a reference, if they are a table of single changes; None for any other table.

    The reference must be a row, and `LEAST_SINGLES` rows or more must change one part of it. A reference that the space does
    not declare is taken for one only if at least half of the rows are single changes.

    Examples
    --------
    >>> from nasbuild.predictor import single_changes
    >>> single_changes(space, architectures) is None  # drawn from the whole space
    True
    """
    found = ReferenceChanges.of(space, architectures)
    if found is None or found.row is None:
        return None
    single = int((found.counts == 1).sum())
    enough = single >= LEAST_SINGLES and (found.declared or 2 * single >= len(architectures) - 1)
    return found if enough else None


def _changes(parts: Sequence[dict[_Part, Hashable]]) -> np.ndarray:
    """Number of choices of each row that are not the most common ones, (rows,)."""
    votes: dict[_Part, Counter[Hashable]] = {}
    for row in parts:
        for part, choice in row.items():
            votes.setdefault(part, Counter())[choice] += 1
    usual = {part: max(counts, key=lambda c: (counts[c], repr(c))) for part, counts in votes.items()}
    return np.array([sum(usual[part] != choice for part, choice in row.items()) for row in parts])


def _parts(space: Space, architecture: Architecture) -> dict[_Part, Hashable]:
    """All choices of an architecture; a feature that layers share counts once, an absent one not at all."""
    found: dict[_Part, Hashable] = {}
    for u, (stage, module) in enumerate(zip(space.stages, architecture.modules, strict=True)):
        if len(stage.depths) > 1:
            found[u, -1, -1] = len(module)
        for place, layer in enumerate(module):
            for f, feature in enumerate(stage.features):
                if (place == 0 or feature.name not in stage.shared) and layer[f] is not ABSENT:
                    found[u, place, f] = layer[f]
    return found
