"""Operator graphs: networks as arrays of primitive operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.errors import NasbuildError

MAX_RANK = 8
"""Maximum number of dimensions of a shape."""
SPATIAL = 3
"""Maximum number of spatial dimensions of a kernel."""
MOST_SIZE = 2**31 - 1
MOST_NODES = 100_000
"""Maximum number of nodes of a network."""
INPUT = "Input"

NODE_COLUMNS: dict[str, tuple[type[np.generic], int]] = {
    "op": (np.int32, 0),
    "input_shape": (np.int32, MAX_RANK),
    "output_shape": (np.int32, MAX_RANK),
    "kernel": (np.int32, SPATIAL),
    "stride": (np.int32, SPATIAL),
    "dilation": (np.int32, SPATIAL),
    "groups": (np.int32, 0),
    "heads": (np.int32, 0),
    "bias": (np.bool_, 0),
    "parameters": (np.int64, 0),
    "macs": (np.float64, 0),
}
"""Type and width of each column of nodes; width 0 means one number a node."""


@dataclass(frozen=True, eq=False, repr=False)
class OperatorGraph:
    """One network. Nodes are in topological order: every edge goes from a lower to a higher index.

    Attributes
    ----------
    name
        Of the network.
    vocabulary
        Sorted names of operations: those of ONNX where it has one, ``domain::op`` for others.
    op
        (nodes,) int32, index into ``vocabulary``.
    input_shape, output_shape
        (nodes, 8) int32, shapes of the first operand that is not constant and of the first result. A size
        is -1 beyond the rank and 0 if unknown; all are -1 if nothing is known. The batch has size 1.
    kernel, stride, dilation
        (nodes, 3) int32: depth, height and width, 0 where the operation has none. One-dimensional
        operations have a width only.
    groups
        (nodes,) int32, of convolutions and normalisations; 0 elsewhere.
    heads
        (nodes,) int32, of attention; 0 elsewhere.
    bias
        (nodes,) bool, whether a learnt vector is added.
    parameters
        (nodes,) int64, learnt numbers that the node reads; shared ones count at each reader.
    macs
        (nodes,) float64, multiply-accumulates (MACs) for a batch of 1. They are counted for convolutions,
        matrix products, contractions, attention and recurrent layers. 0 elsewhere, NaN where unknown.
    edges
        (2, edges) int32, source and target, ordered by target and then by operand.
    outputs
        (outputs,) int32, nodes whose results are those of the network.
    labels
        (nodes,) object, the name of each node in its source; may be empty.
    total_parameters
        Learnt numbers of the network; shared ones count once.
    notes
        Remarks on sizes and costs; not compared.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch
    >>> graph = from_torch(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), zeros(1, 3, 8, 8))
    >>> graph.ops, graph.edges.tolist(), graph.output_shape[1, :4].tolist()
    (['Input', 'Conv', 'Relu'], [[0, 1], [1, 2]], [1, 8, 6, 6])
    >>> graph.total_parameters, graph.total_macs  # 3 · 3 · 3 · 8 weights and 8 biases; 216 · 6 · 6
    (224, 7776)
    """

    name: str
    vocabulary: tuple[str, ...]
    op: np.ndarray
    input_shape: np.ndarray
    output_shape: np.ndarray
    kernel: np.ndarray
    stride: np.ndarray
    dilation: np.ndarray
    groups: np.ndarray
    heads: np.ndarray
    bias: np.ndarray
    parameters: np.ndarray
    macs: np.ndarray
    edges: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray
    total_parameters: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<OperatorGraph {self.name!r}: {len(self.op):,} operations, {self.total_parameters:,} parameters>"

    def __len__(self) -> int:
        return len(self.op)

    @property
    def ops(self) -> list[str]:
        """The name of each node's operation."""
        return [self.vocabulary[code] for code in self.op]

    @property
    def grouping(self) -> np.ndarray:
        """(nodes,) int8: 0 no convolution, 1 dense, 2 grouped, 3 depthwise; see `grouping_of`."""
        return grouping_of(self.groups, self.kernel, self.input_shape)

    @property
    def total_macs(self) -> int | None:
        """MACs of the network for a batch of 1; None if those of some operation are unknown."""
        return None if np.isnan(self.macs).any() else int(self.macs.sum())

    @property
    def uncounted(self) -> dict[str, int]:
        """Operations whose MACs are unknown, with their number of nodes."""
        return dict(Counter(self.vocabulary[code] for code in self.op[np.isnan(self.macs)].tolist()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OperatorGraph):
            return NotImplemented
        named = ("name", "vocabulary", "total_parameters")
        same = all(getattr(self, one) == getattr(other, one) for one in named)
        arrays = (*NODE_COLUMNS, "edges", "outputs", "labels")
        return same and all(
            np.array_equal(getattr(self, a), getattr(other, a), equal_nan=a == "macs") for a in arrays
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def grouping_of(groups: np.ndarray, kernel: np.ndarray, input_shape: np.ndarray) -> np.ndarray:
    """How convolutions share channels: 0 not a convolution, 1 dense, 2 grouped, 3 depthwise.

    Depthwise means one group for each channel.

    Parameters
    ----------
    groups, kernel, input_shape
        Columns of an `OperatorGraph`: (nodes,), (nodes, 3) and (nodes, 8).

    Returns
    -------
    np.ndarray
        (nodes,) int8.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.ir import grouping_of
    >>> shape = np.array([[1, 16, 8, 8]] * 3)
    >>> grouping_of(np.array([1, 4, 16]), np.array([[0, 3, 3]] * 3), shape).tolist()
    [1, 2, 3]
    """
    convolution = (groups > 0) & (kernel.max(axis=-1, initial=0) > 0)
    kinds = np.where(groups == 1, 1, np.where(groups == input_shape[:, 1], 3, 2))
    return np.where(convolution, kinds, 0).astype(np.int8)


def shape_row(shape: Sequence[int] | None) -> list[int]:
    """A shape as a row of `MAX_RANK` numbers: -1 beyond the rank, and everywhere if the shape is unknown.

    >>> shape_row((1, 3, 224, 224))
    [1, 3, 224, 224, -1, -1, -1, -1]
    """
    row = list(shape or ())
    if len(row) > MAX_RANK:
        raise NasbuildError(f"a tensor has {len(row)} dimensions", allowed=f"up to {MAX_RANK}")
    if any(size > MOST_SIZE for size in row):
        raise NasbuildError(f"a tensor has the size {max(row)}", allowed=f"up to {MOST_SIZE}")
    return row + [-1] * (MAX_RANK - len(row))


def spatial_row(sizes: Sequence[int]) -> list[int]:
    """A kernel, stride or dilation as a row, aligned right: width, height and width, or all three."""
    if len(sizes) > SPATIAL:
        raise NasbuildError(f"a kernel has {len(sizes)} dimensions", allowed=f"up to {SPATIAL}")
    return [0] * (SPATIAL - len(sizes)) + [min(int(size), MOST_SIZE) for size in sizes]
