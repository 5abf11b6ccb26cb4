"""Small spaces, tables and ensembles for the tests of what matters. Nothing here is fitted for long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import assume

from nasbuild.predictor import Ensemble, Member, Network, Shape, recipe
from nasbuild.score import GNNScorer
from nasbuild.space import (
    Architecture,
    Feature,
    Metric,
    Space,
    Stage,
    count_architectures,
    graph_schema,
    sample,
    space_from_yaml,
)
from nasbuild.table import Table

#: Fits in a moment; what it learns is worth nothing.
HASTY = recipe("paper", epochs=2, width=4, hops=2, batch=8, folds=2, repeats=1)

SPACE = space_from_yaml(
    """
    name: example
    metrics:
      acc: {direction: maximize, unit: "%"}
      latency: {direction: minimize, unit: ms}
    globals: {resolution: [192, 224]}
    stages:
      - {name: one, depth: [1, 2], features: {kernel: [3, 5], op: [conv, skip]}}
      - {name: two, depth: [1, 3], features: {kernel: [3, 7], se: [true, false]}, shared: [se]}
    """
)


def scorer_of(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    *,
    members: int = 2,
    seed: int = 0,
    shape: Shape | None = None,
) -> GNNScorer:
    """A scorer with members whose weights and statistics are random: a formula must hold for any."""
    schema = graph_schema(space)
    shape = shape or Shape("gatv2", max(2, space.max_depth - 1), 6)
    made = []
    for k in range(members):
        rng = np.random.default_rng([seed, k])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1000 * seed + k)
            weights = {n: v.numpy().copy() for n, v in Network(schema, shape).state_dict().items()}
        for name in weights:
            if "running" in name or (name.startswith("norms") and name.endswith("bias")):
                weights[name] = rng.uniform(0.2, 1, weights[name].shape).astype(np.float32)
        order = rng.permutation(len(labels))
        held = max(len(labels) // 4, 1)
        made.append(
            Member(
                weights,
                float(rng.normal()),
                float(rng.uniform(1, 2)),
                np.sort(order[held:]),
                np.sort(order[:held]),
                rng.uniform(0.1, 1, shape.hops + 2),
                rng.uniform(1, 2, shape.hops + 1),
                rng.uniform(0.5, 2, shape.hops + 1),
            )
        )
    return GNNScorer(space, Ensemble(schema, shape, tuple(made)), tuple(architectures), np.asarray(labels))


def random_scorer(space: Space, seed: int = 0, *, rows: int = 24, members: int = 2, **options) -> GNNScorer:
    """A scorer of a space with random architectures and labels."""
    rng = np.random.default_rng(seed)
    architectures = sample(space, rows, rng, distinct=False)
    return scorer_of(space, architectures, rng.normal(size=rows), members=members, seed=seed, **options)


def table_of(space: Space, rows: int, seed: int = 0, **columns) -> Table:
    """A table of different random architectures."""
    architectures = sample(space, rows, np.random.default_rng(seed))
    ids = tuple(f"row {n}" for n in range(rows))
    return Table(
        space, ids, tuple(architectures), {n: np.asarray(v, dtype=float) for n, v in columns.items()}
    )


def example_table(rows: int = 30, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    return table_of(SPACE, rows, seed, acc=70 + rng.normal(size=rows), latency=rng.uniform(1, 9, rows))


def with_metrics(space: Space) -> Space:
    """The space with the two metrics of `SPACE`."""
    metrics = {"acc": Metric("acc", "maximize", "%"), "latency": Metric("latency", "minimize")}
    return Space(space.name, space.stages, metrics)


def wide_stage(features: int, choices: int, depths: tuple[int, ...]) -> Stage:
    """A stage whose layers can be put in in very many ways."""
    kinds = tuple(Feature(f"f{n}", tuple(range(choices))) for n in range(features))
    return Stage("wide", depths, kinds)


def coarse_table(space: Space, seed: int) -> Table:
    """Up to nine rows of any space with at least five, few of their labels different.

    So there are folds with equal labels, ties, and depths that only one row has.
    """
    assume(count_architectures(space) >= 5)
    rows = min(count_architectures(space), 9)
    labels = np.random.default_rng(seed).integers(0, 3, rows).astype(float)
    labels[:2] = 0, 1
    return table_of(with_metrics(space), rows, seed, acc=labels)
