"""Encodes operator graphs as packed graphs with node features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.ir._operator_graph import OperatorGraph
from nasbuild.space import Choice, Graphs, GraphSchema, NodeFeature

OP_FEATURE, KERNEL, STRIDE, GROUPING, HEADS = "op", "kernel", "stride", "grouping", "heads"
NUMBERS = ("inputs", "outputs", "positions", "parameters", "macs")
"""Input channels, output channels, output pixels or tokens, learnt numbers, multiply-accumulates."""
_GROUPINGS = ("dense", "grouped", "depthwise")
_SCALE = 8.0  # of logarithms to base 2: a channel count of 256 becomes 1


def operator_schema(graphs: Sequence[OperatorGraph]) -> GraphSchema:
    """The node features of some graphs, with the choices that occur in them.

    Raises
    ------
    NasbuildError
        If there is no graph.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch, operator_schema
    >>> graph = from_torch(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), zeros(1, 4))
    >>> [feature.name for feature in operator_schema([graph]).features]
    ['op', 'grouping', 'inputs', 'outputs', 'positions', 'parameters', 'macs']
    """
    if not graphs:
        raise NasbuildError("there is no graph")
    ops = sorted({op for graph in graphs for op in graph.vocabulary})
    found = [NodeFeature(OP_FEATURE, tuple(ops))]
    for name, column in ((KERNEL, "kernel"), (STRIDE, "stride")):
        sizes = {text for graph in graphs for text in _sizes(getattr(graph, column)) if text}
        found.append(NodeFeature(name, tuple(sorted(sizes, key=_numbers))))
    found.append(NodeFeature(GROUPING, _GROUPINGS))
    heads = sorted({int(h) for graph in graphs for h in graph.heads if h > 0})
    found.append(NodeFeature(HEADS, tuple(heads)))
    kept = [f for f in found if f.choices]
    return GraphSchema((*kept, *(NodeFeature(name) for name in NUMBERS)))


def encode_graphs(schema: GraphSchema, graphs: Sequence[OperatorGraph]) -> Graphs:
    """Encode operator graphs as packed graphs.

    A choice that the schema lacks counts as absent (0), so that networks with unknown operations can
    still be scored; `unknown_ops` names these.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import encode_graphs, from_torch, operator_schema
    >>> graph = from_torch(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), zeros(1, 4))
    >>> encode_graphs(operator_schema([graph]), [graph]).categories.shape
    (4, 2)
    """
    sizes = np.array([len(graph) for graph in graphs], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    categories = np.zeros((offsets[-1], len(schema.categorical)), dtype=np.int64)
    numbers = np.zeros((offsets[-1], len(schema.numeric)), dtype=np.float32)
    edges = []
    for graph, start in zip(graphs, offsets[:-1], strict=True):
        rows = slice(start, start + len(graph))
        for column, feature in enumerate(schema.categorical):
            assert feature.choices is not None
            place = {choice: 1 + i for i, choice in enumerate(feature.choices)}
            categories[rows, column] = [
                0 if choice is None else place.get(choice, 0) for choice in _choices(graph, feature.name)
            ]
        numbers[rows] = encode_numbers(_node_numbers(graph))
        edges.append(graph.edges.astype(np.int64) + start)
    packed = np.concatenate(edges, axis=1) if edges else np.zeros((2, 0), dtype=np.int64)
    return Graphs(categories, numbers, packed, offsets)


def encode_numbers(values: np.ndarray) -> np.ndarray:
    """Counts, at least 0, on the logarithmic scale of `Graphs.numbers`: log2(1 + count) / 8.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.ir import encode_numbers
    >>> encode_numbers(np.array([0, 255])).tolist()
    [0.0, 1.0]
    """
    return np.log2(1 + values) / _SCALE


def decode_numbers(encoded: np.ndarray | float) -> np.ndarray:
    """The counts that `encode_numbers` encoded.

    Examples
    --------
    >>> from nasbuild.ir import decode_numbers
    >>> decode_numbers(1.0).item()
    255.0
    """
    return np.exp2(_SCALE * np.asarray(encoded, dtype=np.float64)) - 1


def unknown_ops(schema: GraphSchema, graphs: Sequence[OperatorGraph]) -> list[str]:
    """Operations of graphs that a schema lacks, sorted.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch, operator_schema, unknown_ops
    >>> linear = from_torch(nn.Linear(4, 4), zeros(1, 4))
    >>> unknown_ops(operator_schema([linear]), [from_torch(nn.Tanh(), zeros(1, 4))])
    ['Tanh']
    """
    (known,) = (f.choices or () for f in schema.categorical if f.name == OP_FEATURE)
    return sorted({op for graph in graphs for op in graph.vocabulary} - set(known))


def describe_node(graph: OperatorGraph, node: int) -> str:
    """A node in a few words, such as ``"Conv 3x3 depthwise /2"``.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import describe_node, from_torch
    >>> graph = from_torch(nn.Conv2d(3, 3, 3, stride=2, groups=3), zeros(1, 3, 8, 8))
    >>> describe_node(graph, 1)
    'Conv 3x3 depthwise /2'
    """
    parts = [graph.vocabulary[graph.op[node]]]
    kernel, stride = graph.kernel[node : node + 1], graph.stride[node : node + 1]
    parts += [text for text in _sizes(kernel) if text]
    grouping = int(graph.grouping[node])
    if grouping > 1:
        parts.append(_GROUPINGS[grouping - 1])
    if stride.max(initial=0) > 1:
        parts.append(f"/{int(stride.max())}")
    if graph.heads[node] > 0:
        parts.append(f"{int(graph.heads[node])} heads")
    return " ".join(parts)


def _choices(graph: OperatorGraph, feature: str) -> list[Choice | None]:
    if feature == OP_FEATURE:
        return list(graph.ops)
    if feature in (KERNEL, STRIDE):
        return list(_sizes(getattr(graph, feature)))
    if feature == GROUPING:
        return [_GROUPINGS[g - 1] if g else None for g in graph.grouping.tolist()]
    return [h or None for h in graph.heads.tolist()]


def _sizes(rows: np.ndarray) -> list[str]:
    """``3x3`` for each row of sizes; empty where it has none."""
    return ["x".join(str(n) for n in row if n) for row in rows.tolist()]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split("x"))


def _node_numbers(graph: OperatorGraph) -> np.ndarray:
    """(nodes, numbers), at least 0."""
    before, _ = channels_and_positions(graph.input_shape)
    after, positions = channels_and_positions(graph.output_shape)
    # Unknown MACs count as absent, like an operation that the schema lacks.
    columns = [before, after, positions, graph.parameters, np.nan_to_num(graph.macs)]
    return np.maximum(np.stack(columns, axis=1).astype(np.float64), 0)


def channels_and_positions(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Channels, and pixels or tokens, of shapes (nodes, rank), where -1 is beyond the rank; 0 where unknown.

    Channels are the second dimension for ranks of 4 and more (batches of pictures), else the last.
    """
    rank = (shapes >= 0).sum(axis=1)
    rows = np.arange(len(shapes))
    pictures = rank >= 4
    last = shapes[rows, np.maximum(rank - 1, 0)]
    channels = np.where(pictures, shapes[:, 1], last)
    sizes = np.where(shapes >= 0, shapes, 1).astype(np.float64)
    sizes[:, 0] = 1
    sizes[rows, np.where(pictures, 1, np.maximum(rank - 1, 0))] = 1
    positions = np.where(rank >= 3, sizes.prod(axis=1), 1)
    known = rank > 0
    return np.where(known, np.maximum(channels, 0), 0), np.where(known, positions, 0)
