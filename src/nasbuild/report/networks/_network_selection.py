"""Which networks of a run are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

MOST_NODES = 2_000
"""Nodes of a network beyond which it is not drawn."""
MOST_IN_ALL = 12_000
"""Nodes of all networks of a card, which keep the page small."""


def chosen_networks(
    fit: GraphFit, target_fit: GraphTargetFit, predictions: np.ndarray, most: int
) -> list[tuple[int, list[str]]]:
    """Positions among the labels, each with what it was chosen for; at most ``most``, best label first.

    The best, the median and the worst by label and by prediction, and between them others evenly spaced by label,
    of the networks that are small enough to be drawn.
    """
    labels, sign = target_fit.labels.values, target_fit.target.sign
    sizes = np.array([len(fit.table.graphs[row]) for row in target_fit.labels.rows])
    drawn = np.flatnonzero(sizes <= MOST_NODES)
    if not len(drawn):
        return []
    by_label = drawn[np.argsort(-sign * labels[drawn], kind="stable")]
    roles: dict[int, list[str]] = {}
    for name, values in (("label", labels), ("prediction", predictions)):
        order = drawn[np.argsort(-sign * values[drawn], kind="stable")]
        for what, place in (("best", 0), ("median", len(order) // 2), ("worst", -1)):
            roles.setdefault(int(order[place]), []).append(f"{what} by {name}")
    for place in np.linspace(0, len(by_label) - 1, most).astype(int):
        if len(roles) < most:
            roles.setdefault(int(by_label[place]), [])
    kept, nodes = [], 0
    for position, names in roles.items():
        nodes += int(sizes[position])
        if not kept or nodes <= MOST_IN_ALL:
            kept.append((position, names))
    return sorted(kept, key=lambda one: -sign * labels[one[0]])
