"""A network while it is read: nodes that refer to each other, which both routes fill and simplify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.ir._graph import COLUMNS, INPUT, MOST_NODES, OperatorGraph, shape_row, spatial_row
from nasbuild.ir._macs import macs_of

Shape: TypeAlias = tuple[int, ...]
"""Sizes; 0 is an unknown one."""
NOTHING = "Identity"
"""What does nothing to its first operand; vanishes."""
PART = "Part"
"""What stands for a second or later result of a node; vanishes at the end."""


@dataclass(eq=False, slots=True)
class Const:
    """A value that no input of the network reaches.

    Attributes
    ----------
    weights
        Tensor that it was made of -> how many learnt numbers that has.
    value
        What it is, where that is small and known.
    """

    shape: Shape | None
    weights: Mapping[str, int] = field(default_factory=dict)
    value: np.ndarray | None = None


@dataclass(eq=False, slots=True)
class Node:
    """One operation; ``more`` holds what the simplifications need to know (axes, permutation, ...)."""

    op: str
    inputs: list[Operand]
    shape: Shape | None
    label: str = ""
    kernel: Shape = ()
    stride: Shape = ()
    dilation: Shape = ()
    groups: int = 0
    heads: int = 0
    bias: bool = False
    macs: int | None = None
    weights: dict[str, int] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> list[Node]:
        """The operands that are no constants."""
        return [operand for operand in self.inputs if isinstance(operand, Node)]

    @property
    def constants(self) -> list[Const]:
        return [operand for operand in self.inputs if isinstance(operand, Const)]

    def all_weights(self) -> dict[str, int]:
        """Learnt tensors that the node reads, with their sizes."""
        merged = dict(self.weights)
        for constant in self.constants:
            merged.update(constant.weights)
        return merged


Operand: TypeAlias = Node | Const | None


@dataclass(eq=False)
class Draft:
    """Nodes in topological order."""

    nodes: list[Node]
    outputs: list[Node]
    batch: int = 1

    def add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def users(self) -> dict[Node, list[Node]]:
        """Node -> those that read it, once for each operand; the network's outputs are not among them."""
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.data:
                found[source].append(node)
        return found

    def replace(self, replaced: Mapping[Node, Node]) -> None:
        """Let readers of a key read its value instead, and forget the keys."""
        if not replaced:
            return

        def last(node: Node) -> Node:
            while node in replaced:
                node = replaced[node]
            return node

        self.nodes = [node for node in self.nodes if node not in replaced]
        for node in self.nodes:
            node.inputs = [last(o) if isinstance(o, Node) else o for o in node.inputs]
        self.outputs = [last(node) for node in self.outputs]

    def prune(self) -> None:
        """Forget nodes that no output needs, and bring the rest into an order that depends on the network alone."""
        order: list[Node] = []
        state: dict[Node, int] = {}
        for root in self.outputs:
            stack = [root]
            while stack:
                node = stack[-1]
                if state.get(node) == 2:
                    stack.pop()
                elif state.get(node) == 1:
                    state[node] = 2
                    order.append(stack.pop())
                else:
                    state[node] = 1
                    stack.extend(o for o in reversed(node.data) if o not in state)
        self.nodes = order

    def finish(self, name: str) -> OperatorGraph:
        """The arrays.

        Raises
        ------
        NasbuildError
            If nothing but inputs is left, or a size is beyond the limits.
        """
        self.prune()
        kept = [node for node in self.nodes if node.op != PART]
        if all(node.op == INPUT for node in kept):
            raise NasbuildError("has no operation between inputs and outputs")
        if len(kept) > MOST_NODES:
            raise NasbuildError(f"has {len(kept):,} nodes", allowed=f"up to {MOST_NODES:,}")
        index = {node: i for i, node in enumerate(kept)}
        vocabulary = tuple(sorted({node.op for node in kept}))
        code = {op: i for i, op in enumerate(vocabulary)}
        # On one's own, some sizes overflow what an array holds: they are clipped, not wrapped.
        rows = [self._row(node, code) for node in kept]
        columns = {
            column: _array([row[i] for row in rows], dtype, width)
            for i, (column, (dtype, width)) in enumerate(COLUMNS.items())
        }
        edges = [(index[_whole(source)], i) for i, node in enumerate(kept) for source in node.data]
        return OperatorGraph(
            name=name,
            vocabulary=vocabulary,
            edges=np.array(edges, np.int32).reshape(-1, 2).T.copy(),
            outputs=np.array(list(dict.fromkeys(index[_whole(n)] for n in self.outputs)), np.int32),
            labels=np.array([node.label for node in kept], object),
            **columns,
        )

    def _row(self, node: Node, code: Mapping[str, int]) -> tuple[Any, ...]:
        data = node.data
        shapes = [self.normal(source.shape) for source in data]
        output = self.normal(node.shape)
        if node.macs is not None:
            macs = node.macs // self.batch
        else:
            macs = macs_of(node.op, node.kernel, node.groups, shapes, output)
        return (
            code[node.op],
            shape_row(shapes[0] if shapes else None),
            shape_row(output),
            spatial_row(node.kernel),
            spatial_row(node.stride),
            spatial_row(node.dilation),
            node.groups,
            node.heads,
            node.bias,
            min(sum(node.all_weights().values()), 2**62),
            min(macs, 2**62),
        )

    def normal(self, shape: Shape | None) -> Shape | None:
        """A shape for a batch of one."""
        if not shape or self.batch == 1 or shape[0] % self.batch:
            return shape
        return (shape[0] // self.batch, *shape[1:])


def size_of(shape: Shape | None) -> int:
    """Numbers in a tensor; 0 if that is not known."""
    return 0 if shape is None else prod(shape)


def batch_of(shapes: Iterable[Sequence[int] | None]) -> int:
    """The batch of inputs: what those of two or more dimensions begin with, 1 if they differ."""
    first = Counter(shape[0] for shape in shapes if shape is not None and len(shape) > 1)
    return max(next(iter(first)), 1) if len(first) == 1 else 1


def _whole(node: Node) -> Node:
    while node.op == PART:
        node = node.data[0]
    return node


def _array(rows: list[Any], dtype: type[np.generic], width: int) -> np.ndarray:
    try:
        array = np.array(rows, dtype=dtype)
    except OverflowError:
        # Groups, strides and the like that no network has.
        most = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else np.finfo(dtype).max
        raise NasbuildError("has an attribute that is too large", allowed=f"up to {most:,}") from None
    return array.reshape(-1, width) if width else array
