"""The best sums of single effects within a budget, by dynamic programming."""

from __future__ import annotations

from typing import Any

import numpy as np

from nasbuild.space import Architecture


def best_sums(job: Any, effects: dict[Architecture, float], budget: float, count: int) -> list[Architecture]:
    """The ``count`` least sums of effects within a budget.

    Costs are put on a grid of 20,000 steps, rounded up, so that what is found is within the budget. Choices whose effect was
    not measured are not taken.
    """
    base = job.cost(job.reference)
    options: dict[tuple[int, int], list[tuple[Any, float, float]]] = {}
    for one, effect in effects.items():
        [(place, choice)] = [
            (place, one.modules[place[0]][0][place[1]])
            for place in job.places
            if one.modules[place[0]][0][place[1]] != job.reference.modules[place[0]][0][place[1]]
        ]
        options.setdefault(place, []).append((choice, effect, base - job.cost(one)))
    need = base - budget
    step = max(need, 1.0) / 20_000
    at: dict[int, list[tuple[float, tuple[tuple[tuple[int, int], Any], ...]]]] = {0: [(0.0, ())]}
    goal = int(np.ceil(need / step - 1e-9))
    for place, own in options.items():
        longer = {saved: list(rows) for saved, rows in at.items()}
        for saved, rows in at.items():
            for choice, effect, less in own:
                total = min(saved + int(np.floor(less / step + 1e-9)), goal)
                longer.setdefault(total, []).extend((s + effect, (*c, (place, choice))) for s, c in rows)
        at = _thinned({saved: sorted(rows, key=lambda row: row[0])[:count] for saved, rows in longer.items()})
    return [job.changed(job.reference, dict(choices)) for _, choices in at.get(goal, [])]


def _thinned(at: dict[int, list[Any]]) -> dict[int, list[Any]]:
    """Without savings that others exceed with ``count`` sums as low; keeps the tables small."""
    kept: dict[int, list[Any]] = {}
    worst = np.inf
    for saved in sorted(at, reverse=True):
        rows = [row for row in at[saved] if row[0] < worst]
        if rows:
            kept[saved] = rows
        count = sorted(row[0] for own in kept.values() for row in own)
        size = max(len(own) for own in at.values())
        worst = count[size - 1] if len(count) >= size else np.inf
    return kept
