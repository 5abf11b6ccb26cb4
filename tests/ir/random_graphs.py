"""Random operator graphs."""

from __future__ import annotations

import numpy as np

from nasbuild.ir import NODE_COLUMNS, OperatorGraph

OPS = ("Add", "Conv", "Relu", "Sub")


def drawn(seed, nodes=25, name="g", vocabulary=OPS):
    """A random graph with few kinds of nodes, so that much recurs."""
    rng = np.random.default_rng(seed)
    columns = {
        c: np.zeros((nodes, width) if width else nodes, dtype) for c, (dtype, width) in NODE_COLUMNS.items()
    }
    columns["op"] = rng.integers(len(vocabulary), size=nodes).astype(np.int32)
    columns["kernel"][:, 2] = rng.choice([0, 3], size=nodes)
    columns["output_shape"][:, 0] = rng.integers(2, size=nodes)
    edges = []
    for target in range(1, nodes):
        degree = int(rng.integers(0, 3))
        edges += [(int(source), target) for source in rng.integers(target, size=degree)]
    return OperatorGraph(
        name=name,
        vocabulary=vocabulary,
        edges=np.array(edges, np.int32).reshape(-1, 2).T,
        outputs=np.array([nodes - 1], np.int32),
        labels=np.array([""] * nodes, object),
        total_parameters=0,
        **columns,
    )
