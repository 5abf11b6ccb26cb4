"""One call of torch's dispatcher, as the lowering rules see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nasbuild.ir._draft_graph import Node, Operand, Shape


@dataclass(frozen=True)
class Call:
    """One call of an operation; ``value`` maps an argument to its operand."""

    op: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    shapes: Sequence[Shape]
    value: Callable[[Any], Operand]
    label: str

    def arg(self, position: int, name: str = "", default: Any = None) -> Any:
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def node(self, op: str, inputs: Sequence[Operand], shape: Shape | None = None, **more: Any) -> Node:
        return Node(op, list(inputs), self.shapes[0] if shape is None else shape, self.label, **more)

    def source(self) -> Shape:
        return tuple(self.args[0].shape) if self.args and isinstance(self.args[0], Tensor) else ()

    def operands(self) -> list[Operand]:
        """All tensors, also those in lists, and all numbers among the arguments."""
        found: list[Operand] = []
        for argument in (*self.args, *self.kwargs.values()):
            found += [self.value(t) for t in (argument if isinstance(argument, list | tuple) else [argument])]
        return [o for o in found if o is not None]

    def tensors(self) -> list[Operand]:
        flat = [
            t
            for a in (*self.args, *self.kwargs.values())
            for t in (a if isinstance(a, list | tuple) else [a])
        ]
        return [self.value(t) for t in flat if isinstance(t, Tensor)]
