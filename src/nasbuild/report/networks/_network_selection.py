"""Selects the networks of a fit to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

MAX_NODES = 2_000
"""Networks with more nodes are not drawn."""
MAX_TOTAL_NODES = 12_000
"""Limit on the nodes of all networks of a card, which keeps the page small."""


def select_networks(
    fit: GraphFit, target_fit: GraphTargetFit, predictions: np.ndarray, most: int
) -> list[tuple[int, list[str]]]:
    """Selects at most ``most`` networks; returns (index of the label, roles), best label first.

    Selects the best, median and worst by label and by prediction, and others evenly spaced by label, among the
    networks that are small enough to draw.
    """
    labels, sign = target_fit.labels.values, target_fit.target.sign
    sizes = np.array([len(fit.table.graphs[row]) for row in target_fit.labels.rows])
    drawable = np.flatnonzero(sizes <= MAX_NODES)
    if not len(drawable):
        return []
    by_label = drawable[np.argsort(-sign * labels[drawable], kind="stable")]
    roles: dict[int, list[str]] = {}
    for name, values in (("label", labels), ("prediction", predictions)):
        order = drawable[np.argsort(-sign * values[drawable], kind="stable")]
        for what, place in (("best", 0), ("median", len(order) // 2), ("worst", -1)):
            roles.setdefault(int(order[place]), []).append(f"{what} by {name}")
    for place in np.linspace(0, len(by_label) - 1, most).astype(int):
        if len(roles) < most:
            roles.setdefault(int(by_label[place]), [])
    kept, nodes = [], 0
    for position, names in roles.items():
        nodes += int(sizes[position])
        if not kept or nodes <= MAX_TOTAL_NODES:
            kept.append((position, names))
    return sorted(kept, key=lambda one: -sign * labels[one[0]])
