"""h-swish and h-sigmoid as in the paper's graphs: additions, ReLU6, products and divisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasbuild.ir import NODE_COLUMNS, OperatorGraph

PARTS = {
    # x * relu6(x + 3) / 6 and relu6(x + 3) / 6; Clip is ONNX's ReLU6.
    "HardSwish": ("Add", "Clip", "Mul", "Div"),
    "HardSigmoid": ("Add", "Clip", "Div"),
}


def taken_apart(graph: OperatorGraph) -> OperatorGraph:
    """The same network with each gate as a chain of primitive operations; a product also reads the gate's input."""
    sizes = np.array([len(PARTS.get(op, (op,))) for op in graph.ops])
    first = np.cumsum(sizes) - sizes
    last = first + sizes - 1
    names = [part for op in graph.ops for part in PARTS.get(op, (op,))]
    vocabulary = tuple(sorted(set(names)))
    columns = {name: np.repeat(getattr(graph, name), sizes, axis=0) for name in NODE_COLUMNS}
    columns["op"] = np.array([vocabulary.index(name) for name in names], np.int32)
    edges = [(last[a], first[b], 0) for a, b in graph.edges.T]
    for node, op in enumerate(graph.ops):
        edges += [(first[node] + k, first[node] + k + 1, 0) for k in range(sizes[node] - 1)]
        if op == "HardSwish":
            edges += [(last[a], first[node] + 2, 1) for a, b in graph.edges.T if b == node]
    order = sorted(range(len(edges)), key=lambda e: (edges[e][1], edges[e][2], e))
    return replace(
        graph,
        vocabulary=vocabulary,
        **columns,
        edges=np.array([edges[e][:2] for e in order], np.int32).reshape(-1, 2).T,
        outputs=last[graph.outputs].astype(np.int32),
        labels=np.repeat(graph.labels, sizes),
    )
