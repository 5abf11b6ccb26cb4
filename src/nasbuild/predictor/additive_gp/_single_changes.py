"""Rows that say how effects add up, and those that do not: tables of single changes say nothing of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from nasbuild.predictor.additive_gp._numeric_features import curve
from nasbuild.space import Architecture, Space

_Part = tuple[int, int, int]
"""Stage, place, feature; the number of layers has place -1."""


def rows_informative_of_scale(space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    """Which rows say whether effects add up, and on which scale, (architectures,) bool.

    Rows are looked at from the one nearest to what most rows have to the furthest. A row that holds a choice at a layer
    that none before it has is explained by this choice alone, whatever the scale of the labels; so is one that differs from
    the row that holds what most have in one choice only. What no such row says cannot be read from labels: in a table
    of a reference and its single changes there is none. A choice of a feature with many numbers is nothing new by itself,
    as its neighbours tell of it.
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
    tells = np.zeros(len(parts), dtype=bool)
    single = (changes == 0).any()
    for i in np.argsort(changes, kind="stable"):
        held = {(part, choice) for part, choice in parts[i].items() if (part[0], part[2]) not in smooth}
        tells[i] = held <= known and not (single and changes[i] <= 1)
        known |= held
    return tells


def reference_row(space: Space, architectures: Sequence[Architecture]) -> int | None:
    """The row that holds what most rows have, at every layer; None where there is none."""
    changes = _changes([_parts(space, a) for a in architectures])
    return int(np.argmin(changes)) if not changes.min() else None


def _changes(parts: Sequence[dict[_Part, Hashable]]) -> np.ndarray:
    """How many choices of each row are not what most rows have there, (rows,)."""
    votes: dict[_Part, Counter[Hashable]] = {}
    for row in parts:
        for part, choice in row.items():
            votes.setdefault(part, Counter())[choice] += 1
    usual = {part: max(counts, key=lambda c: (counts[c], repr(c))) for part, counts in votes.items()}
    return np.array([sum(usual[part] != choice for part, choice in row.items()) for row in parts])


def _parts(space: Space, architecture: Architecture) -> dict[_Part, Hashable]:
    """Every choice of an architecture; a feature that layers share counts once."""
    found: dict[_Part, Hashable] = {}
    for u, (stage, module) in enumerate(zip(space.stages, architecture.modules, strict=True)):
        if len(stage.depths) > 1:
            found[u, -1, -1] = len(module)
        for place, layer in enumerate(module):
            for f, feature in enumerate(stage.features):
                if place == 0 or feature.name not in stage.shared:
                    found[u, place, f] = layer[f]
    return found
