"""Graphs and networks for the tests of what is learnt."""

from __future__ import annotations

import numpy as np
import torch

from nasbuild.predictor import GraphBatch, Network, Shape
from nasbuild.space import Graphs, GraphSchema, NodeFeature

SCHEMA = GraphSchema(
    (
        NodeFeature("op", ("conv", "pool", "skip")),
        NodeFeature("width", (16, 32, 64, 128)),
        NodeFeature("log flops"),
        NodeFeature("log params"),
    )
)


def random_graphs(
    rng: np.random.Generator, count: int, schema: GraphSchema = SCHEMA, *, most: int = 6, edges: float = 0.4
) -> Graphs:
    """Directed acyclic graphs of 1 to ``most`` nodes: branches, joins, isolated nodes, absent features."""
    sizes = rng.integers(1, most + 1, count)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    found = [
        (start + i, start + j)
        for start, size in zip(offsets[:-1], sizes, strict=True)
        for j in range(size)
        for i in range(j)
        if rng.random() < edges
    ]
    choices = [rng.integers(0, len(f.choices or ()) + 1, offsets[-1]) for f in schema.categorical]
    return Graphs(
        np.stack(choices, 1),
        rng.normal(size=(offsets[-1], len(schema.numeric))).astype(np.float32),
        np.array(found, dtype=np.int64).reshape(-1, 2).T,
        offsets,
    )


def network(shape: Shape, seed: int = 0, schema: GraphSchema = SCHEMA, *, used: bool = True) -> Network:
    """A network in eval mode, whose batch norms have seen some graphs unless it is not ``used``."""
    torch.manual_seed(seed)
    made = Network(schema, shape)
    if used:
        with torch.no_grad():
            for number in range(3):
                made(GraphBatch.of(random_graphs(np.random.default_rng([seed, number]), 8, schema)))
    return made.eval().requires_grad_(False)


def equal_members(a, b) -> bool:
    """Whether two members are equal to the bit."""
    if (a.label_mean, a.label_std, set(a.weights)) != (b.label_mean, b.label_std, set(b.weights)):
        return False
    names = ("train", "test", "srcc", "norm_mean", "norm_std")
    pairs = [(getattr(a, n), getattr(b, n)) for n in names] + [
        (a.weights[n], b.weights[n]) for n in a.weights
    ]
    return all(x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in pairs)
