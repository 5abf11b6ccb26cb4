"""Evaluators and goals of the search tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.search import Goal, parse_goal
from nasbuild.space import Architecture, Metric, Space
from nasbuild.table import Table, load_builtin

METRICS = {"worth": Metric("worth", "maximize"), "cost": Metric("cost", "minimize")}


def told_by_digits(table: Table):
    """Metrics of architectures of digits-macro, by its shipped table, and every architecture it was asked for."""
    asked: list[Architecture] = []

    def evaluate(architectures: Sequence[Architecture]):
        asked.extend(architectures)
        return [{m: float(v[table.row_of[a]]) for m, v in table.columns.items()} for a in architectures]

    return evaluate, asked


def by_hash(architectures: Sequence[Architecture]):
    """Metrics that mean nothing but are the same every time."""
    found = []
    for architecture in architectures:
        seed = [ord(c) for c in repr(architecture.modules)]
        worth, cost = np.random.default_rng(seed).random(2)
        found.append({"worth": float(worth), "cost": float(cost)})
    return found


def goal_of(space: Space, *bounds: str) -> Goal:
    return parse_goal(space, ["worth", "cost"], bounds, METRICS)


def digits() -> Table:
    return load_builtin("digits-macro")
