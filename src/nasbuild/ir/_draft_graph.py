"""Draft graphs: mutable nodes that refer to each other, which both readers fill and simplify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np

from nasbuild._macs.batch_dimension import FIRST, divided, undivided
from nasbuild.errors import NasbuildError
from nasbuild.ir._mac_free_ops import UNKNOWN, macs_of
from nasbuild.ir._operator_graph import INPUT, MOST_NODES, NODE_COLUMNS, OperatorGraph, shape_row, spatial_row

Shape: TypeAlias = tuple[int, ...]
"""Sizes of a tensor; 0 if a size is unknown."""
NOTHING = "Identity"
"""Returns its first operand unchanged; removed while simplifying."""
UNIFORM = "="
"""Prefix of the name of a vector with equal numbers. New biases are zeros and new scales are ones, and exporters store
equal tensors once, so several layers may each own a copy."""
EXTRA_RESULT = "Part"
"""Stands for a second or later result of a node; removed at the end."""


@dataclass(eq=False, slots=True)
class Const:
    """A value that does not depend on an input of the network.

    Attributes
    ----------
    weights
        Number of learnt numbers of each tensor that it was made of.
    value
        Its value, if small and known.
    tensor
        Name of the tensor in the file, if it is one.
    quantised
        Whether it holds numbers of 8 bits or fewer that are not scaled yet.
    filled
        As ``weights``, for tensors that operations filled with one number. They are learnt if a layer
        takes them as its weights, and a mask or an empty state elsewhere.
    """

    shape: Shape | None
    weights: Mapping[str, int] = field(default_factory=dict)
    value: np.ndarray | None = None
    tensor: str = ""
    quantised: bool = False
    filled: Mapping[str, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Node:
    """One operation.

    Attributes
    ----------
    macs
        Multiply-accumulates (MACs) of the whole batch. None if the operation's name decides: see `macs_of`.
    more
        What later steps need: axes, permutation, and so on. ``steps`` are the steps of a recurrent layer
        and its number of sequences.
    """

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
        """The operands that are not constants."""
        return [operand for operand in self.inputs if isinstance(operand, Node)]

    @property
    def constants(self) -> list[Const]:
        return [operand for operand in self.inputs if isinstance(operand, Const)]

    def all_weights(self) -> dict[str, int]:
        """Sizes of the learnt tensors that the node reads, by name."""
        merged = dict(self.weights)
        for constant in self.constants:
            merged.update(constant.weights)
        return merged


Operand: TypeAlias = Node | Const | None


@dataclass(eq=False)
class Draft:
    """Nodes in topological order.

    Attributes
    ----------
    batch
        Sizes and costs are divided by it.
    dimension
        Dimension of inputs that is the batch; None if they have none.
    notes
        Remarks for the reader of the graph.
    """

    nodes: list[Node]
    outputs: list[Node]
    batch: int = 1
    dimension: int | None = FIRST
    notes: list[str] = field(default_factory=list)

    def add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def users(self) -> dict[Node, list[Node]]:
        """The readers of each node, once for each operand; outputs of the network do not count."""
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.data:
                found[source].append(node)
        return found

    def replace(self, replaced: Mapping[Node, Node]) -> None:
        """Make readers of a key read its value instead, and remove the keys."""
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
        """Remove nodes that no output needs, and sort the rest in an order that depends on the network alone."""
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
        """The finished graph.

        Raises
        ------
        NasbuildError
            If only inputs are left, or a size exceeds the limits.
        """
        self.prune()
        kept = [node for node in self.nodes if node.op != EXTRA_RESULT]
        if all(node.op == INPUT for node in kept):
            raise NasbuildError("has no operation between inputs and outputs")
        if len(kept) > MOST_NODES:
            raise NasbuildError(f"has {len(kept):,} nodes", allowed=f"up to {MOST_NODES:,}")
        carried = self._settle_batch()
        index = {node: i for i, node in enumerate(kept)}
        vocabulary = tuple(sorted({node.op for node in kept}))
        code = {op: i for i, op in enumerate(vocabulary)}
        # Sizes that exceed the type of an array are clipped, not wrapped.
        rows = [self._row(node, code, carried) for node in kept]
        columns = {
            column: _array([row[i] for row in rows], dtype, width)
            for i, (column, (dtype, width)) in enumerate(NODE_COLUMNS.items())
        }
        edges = [(index[_whole(source)], i) for i, node in enumerate(kept) for source in node.data]
        return OperatorGraph(
            name=name,
            vocabulary=vocabulary,
            edges=np.array(edges, np.int32).reshape(-1, 2).T.copy(),
            outputs=np.array(list(dict.fromkeys(index[_whole(n)] for n in self.outputs)), np.int32),
            labels=np.array([node.label for node in kept], object),
            total_parameters=min(_total(node.all_weights() for node in kept), 2**62),
            notes=tuple(self.notes),
            **columns,
        )

    def _settle_batch(self) -> set[Node]:
        """The nodes that depend on the batch; sets the batch to 1 if an operation shows that it is none."""
        carried = self.carried()
        if self.batch > 1:
            note = undivided if self._contradicts(carried) else divided
            self.notes.append(note(self.batch, self.dimension))
            if note is undivided:
                self.batch = 1
        return carried

    def carried(self) -> set[Node]:
        """Nodes that depend on an input with the batch."""
        found: set[Node] = set()
        for node in self.nodes:
            if node.op == INPUT:
                shape, at = node.shape or (), self.dimension or 0
                own = len(shape) > at and shape[at] == self.batch
            else:
                own = any(source in found for source in node.data)
            if own:
                found.add(node)
        return found

    def _contradicts(self, carried: set[Node]) -> bool:
        """Whether an operation treats the assumed batch as a sequence: steps along it, or products across it."""
        for node in self.nodes:
            if node not in carried:
                continue
            steps, sequences = node.more.get("steps") or (0, 0)
            if steps == self.batch and sequences % self.batch:
                return True
            across = node.op == "Attention" or node.more.get("attends")
            across = across or (node.op == "MatMul" and all(source in carried for source in node.data))
            if across and node.shape and all(node.shape) and prod(node.shape[:-2]) % self.batch:
                return True
            if node.macs is not None and node.macs > 0 and node.macs % self.batch:
                return True
        return False

    def _row(self, node: Node, code: Mapping[str, int], carried: set[Node]) -> tuple[Any, ...]:
        first = node.data[0] if node.data else None
        macs = macs_of(node.op, node.macs)
        if node in carried and macs != UNKNOWN:
            macs //= self.batch
        cost = np.nan if macs == UNKNOWN else min(macs, 2**62)
        return (
            code[node.op],
            shape_row(
                None if first is None else self.normal(first.shape) if first in carried else first.shape
            ),
            shape_row(self.normal(node.shape) if node in carried else node.shape),
            spatial_row(node.kernel),
            spatial_row(node.stride),
            spatial_row(node.dilation),
            node.groups,
            node.heads,
            node.bias,
            min(sum(node.all_weights().values()), 2**62),
            cost,
        )

    def normal(self, shape: Shape | None) -> Shape | None:
        """A shape for a batch of one. If other dimensions are joined with the batch, they are the first one."""
        at = self.dimension or 0
        if not shape or self.batch == 1:
            return shape
        if len(shape) <= at or shape[at] != self.batch:
            at = 0
        if shape[at] % self.batch:
            return shape
        return (*shape[:at], shape[at] // self.batch, *shape[at + 1 :])


def size_of(shape: Shape | None) -> int:
    """Number of elements of a tensor; 0 if unknown."""
    return 0 if shape is None else prod(shape)


def _total(weights: Iterable[Mapping[str, int]]) -> int:
    """Learnt numbers of several nodes; a tensor read several times counts once.

    A uniform vector counts once for each other tensor read with it, or else once for each reader.
    """
    merged: dict[Any, int] = {}
    for reader, one in enumerate(weights):
        own = tuple(sorted(name for name in one if not name.startswith(UNIFORM)))
        for name, size in one.items():
            merged[(name, own or reader) if name.startswith(UNIFORM) else name] = size
    return sum(merged.values())


def _whole(node: Node) -> Node:
    while node.op == EXTRA_RESULT:
        node = node.data[0]
    return node


def _array(rows: list[Any], dtype: type[np.generic], width: int) -> np.ndarray:
    try:
        array = np.array(rows, dtype=dtype)
    except OverflowError:
        # Absurd groups or strides, which no network has.
        most = np.iinfo(np.int64).max
        raise NasbuildError("has an attribute that is too large", allowed=f"up to {most:,}") from None
    return array.reshape(-1, width) if width else array
