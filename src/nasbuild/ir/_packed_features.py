"""Operator graphs as packed graphs: what a node is described by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.ir._operator_graph import OperatorGraph
from nasbuild.space import Choice, Graphs, GraphSchema, NodeFeature

OP_FEATURE, KERNEL, STRIDE, GROUPING, HEADS = "op", "kernel", "stride", "grouping", "heads"
NUMBERS = ("inputs", "outputs", "positions", "parameters", "macs")
"""Channels before and after, pixels or tokens after, learnt numbers, multiply-accumulates."""
_GROUPINGS = ("dense", "grouped", "depthwise")
_SCALE = 8.0  # of logarithms to base 2: a channel count of 256 becomes 1


def operator_schema(graphs: Sequence[OperatorGraph]) -> GraphSchema:
    """The node features of all these graphs: their choices are those that occur.

    Raises
    ------
    NasbuildError
        If there is no graph.
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
    """Pack operator graphs one behind the other.

    A choice that the schema does not have counts as absent (0), so that networks with unknown
    operations can still be scored; `unknown_ops` names them.
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
    """Counts, at least 0, on the logarithmic scale of `Graphs.numbers`."""
    return np.log2(1 + values) / _SCALE


def decode_numbers(encoded: np.ndarray | float) -> np.ndarray:
    """The counts of `encode_numbers`."""
    return np.exp2(_SCALE * np.asarray(encoded, dtype=np.float64)) - 1


def unknown_ops(schema: GraphSchema, graphs: Sequence[OperatorGraph]) -> list[str]:
    """Operations that the schema does not have, sorted."""
    (known,) = (f.choices or () for f in schema.categorical if f.name == OP_FEATURE)
    return sorted({op for graph in graphs for op in graph.vocabulary} - set(known))


def describe_node(graph: OperatorGraph, node: int) -> str:
    """A node in a few words: ``"Conv 3x3 depthwise /2"``."""
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
    """``3x3`` for each row of sizes; empty where there are none."""
    return ["x".join(str(n) for n in row if n) for row in rows.tolist()]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split("x"))


def _node_numbers(graph: OperatorGraph) -> np.ndarray:
    """(nodes, numbers), at least 0."""
    before, _ = channels_and_positions(graph.input_shape)
    after, positions = channels_and_positions(graph.output_shape)
    # What nobody can count is absent, as an operation that the schema does not have.
    columns = [before, after, positions, graph.parameters, np.nan_to_num(graph.macs)]
    return np.maximum(np.stack(columns, axis=1).astype(np.float64), 0)


def channels_and_positions(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Channels, and pixels or tokens, of shapes (nodes, rank) whose unused places are -1; 0 where unknown.

    Channels come second where a batch of pictures has rank 4 or 5, and last elsewhere.
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
