"""Tables of single changes in which some networks are ruined: what scale effects are on, and which rows teach how."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.space import Architecture, Space, choice_key
from nasbuild.table import Part, ReferenceChanges

RUINED = 30.0
"""Multiple of the reference's label beyond which a network is ruined."""
_MOST = 0.25  # of the rows; of more, these labels are the range of the metric


def ruined_rows(labels: np.ndarray, row: int) -> np.ndarray:
    """Which rows are ruined, (rows,) bool: labels many times that of the reference, as perplexities can be.

    How much worse than ruined a network is says nothing about others, but such labels would decide all variances. None
    is ruined where labels have both signs, or where many rows are that large.
    """
    found = np.abs(labels) > RUINED * np.abs(labels[row])
    one_sign = labels.min() > 0 or labels.max() < 0
    return found if one_sign and found.mean() <= _MOST else np.zeros(len(labels), dtype=bool)


def rows_with_ruinous_change(
    space: Space, architectures: Sequence[Architecture], changes: ReferenceChanges, ruined: np.ndarray
) -> np.ndarray:
    """Which rows have a change that ruins the network alone, (rows,) bool.

    Where such a row is not ruined as well, one of the two measurements is wrong, and effects can't add up.
    """

    def held(row: int) -> set[tuple[Part, Hashable]]:
        return {(part, _choice(space, architectures[row], part)) for part in changes.parts[row]}

    ruinous = {one for i in np.flatnonzero(ruined & (changes.counts == 1)) for one in held(int(i))}
    if not ruinous:
        return np.zeros(len(ruined), dtype=bool)
    return np.array([not ruinous.isdisjoint(held(i)) for i in range(len(ruined))])


def _choice(space: Space, architecture: Architecture, part: Part) -> Hashable:
    """What an architecture has at a part: its choice, or its number of layers."""
    module = architecture.modules[part.stage]
    if part.layer is None or part.feature is None:
        return len(module)
    names = [feature.name for feature in space.stages[part.stage].features]
    return choice_key(module[part.layer][names.index(part.feature)])


def own_scale(labels: np.ndarray, row: int, single: np.ndarray, ruined: np.ndarray) -> Warp:
    """The scale that is assumed until joint rows show another: that of the labels, or their logarithm if rows are ruined.

    Parameters
    ----------
    row
        The reference.
    single, ruined
        Which rows are single changes, and which are ruined, (rows,) each.
    """
    known = np.flatnonzero(single & ~ruined)
    if not ruined.any():
        return anchored_warp(1.0, 1.0, labels, row, known)
    reference = float(labels[row])
    return anchored_warp(0.0 if reference > 0 else 2.0, abs(reference), labels, row, known)


def anchored_warp(power: float, bend: float, labels: np.ndarray, row: int, known: np.ndarray) -> Warp:
    """A scale that is 0 at the reference and straight there, and bends where the excess passes ``bend``.

    Standardised so that single changes, at positions ``known``, have mean square 1.
    """
    raw = Warp(power, float(labels[row]), bend, 0.0, 1.0, float(labels.min()), float(labels.max()))
    square = float(np.mean(raw.forward(labels[known]) ** 2))
    return replace(raw, spread=float(np.sqrt(square)) or 1.0)
