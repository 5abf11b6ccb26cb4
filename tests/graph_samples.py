"""Random operator graphs whose labels follow from their operations."""

from __future__ import annotations

import numpy as np

from nasbuild.ir import OperatorGraph
from nasbuild.space import Metric
from nasbuild.table import GraphTable

OPS = ("Add", "Conv", "HardSwish", "Relu")


def random_network(rng: np.random.Generator, name: str, *, swish: float = 0.5) -> OperatorGraph:
    """A chain of convolutions and activations with shortcuts; ``swish``: share of activations that are HardSwish."""
    op, kernel, groups, edges = [], [], [], []
    width = 16
    for _ in range(int(rng.integers(4, 9))):
        start = len(op)
        size = int(rng.choice([3, 5]))
        depthwise = rng.random() < 0.5
        op.append(1)
        kernel.append(size)
        groups.append(width if depthwise else 1)
        if start:
            edges.append((start - 1, start))
        op.append(2 if rng.random() < swish else 3)
        kernel.append(0)
        groups.append(0)
        edges.append((start, start + 1))
        if start and rng.random() < 0.4:
            op.append(0)
            kernel.append(0)
            groups.append(0)
            edges += [(start - 1, start + 2), (start + 1, start + 2)]
    n = len(op)
    shape = np.full((n, 8), -1, np.int32)
    shape[:, :4] = [1, width, 8, 8]
    spatial = np.zeros((n, 3), np.int32)
    spatial[:, 1:] = np.array(kernel)[:, None]
    ones = (spatial > 0).astype(np.int32)
    macs = np.where(np.array(op) == 1, np.array(kernel) ** 2 * width * 64, 0)
    return OperatorGraph(
        name=name,
        vocabulary=OPS,
        op=np.array(op, np.int32),
        input_shape=shape,
        output_shape=shape.copy(),
        kernel=spatial,
        stride=ones,
        dilation=ones,
        groups=np.array(groups, np.int32),
        heads=np.zeros(n, np.int32),
        bias=np.zeros(n, bool),
        parameters=macs // 64,
        macs=macs.astype(np.int64),
        edges=np.array(edges, np.int32).reshape(-1, 2).T.copy(),
        outputs=np.array([n - 1], np.int32),
        labels=np.array([f"n{i}" for i in range(n)], object),
        total_parameters=int(macs.sum()) // 64,
    )


def share(graph: OperatorGraph, op: str) -> float:
    return float(np.mean([o == op for o in graph.ops]))


def planted_table(n: int = 120, seed: int = 0, *, noise: float = 0.01) -> GraphTable:
    """``acc`` rises with the share of HardSwish and falls with that of Add."""
    rng = np.random.default_rng(seed)
    graphs = tuple(random_network(rng, f"net{i}") for i in range(n))
    acc = np.array([share(g, "HardSwish") - 0.5 * share(g, "Add") for g in graphs])
    acc += noise * rng.normal(size=n)
    return GraphTable(graphs, {"acc": acc}, {"acc": Metric("acc", "maximize")})
