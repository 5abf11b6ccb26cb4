"""Which inputs decide what the graph is, and the error about it."""

from __future__ import annotations

from collections.abc import Sequence

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Node, Operand, size_of
from nasbuild.ir._operator_graph import INPUT
from nasbuild.ir.onnx._constant_folding import MOST_VALUES

_MOST_NAMED = 3
"""Maximum number of deciding inputs that a message names."""


def undecided(what: str, operands: Sequence[Operand]) -> NasbuildError:
    """The error if contents of inputs decide what the graph is."""
    names = deciding_inputs(operands)
    if not names or len(names) > _MOST_NAMED:
        return NasbuildError(
            f"{what} that the network's inputs decide, so it is not a single graph",
            todo="export the network with fixed sizes and without branches and loops",
        )
    options = " ".join(f"--input {name}=VALUE" for name in names)
    values = ", ".join(f"{name!r}: VALUE" for name in names)
    subject = "values of inputs " if len(names) > 1 else "the value of input "
    return NasbuildError(
        f"{what} that {subject}{', '.join(map(repr, names))} {'decide' if len(names) > 1 else 'decides'}, so it is not a single graph",
        todo=f"give the value: {options}, or inputs={{{values}}}",
    )


def deciding_inputs(operands: Sequence[Operand]) -> list[str]:
    """Inputs that operands depend on, if these are small enough to be given."""
    found: dict[str, None] = {}
    seen: set[Node] = set()
    stack = [o for o in operands if isinstance(o, Node)]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack += node.data
        if node.op == INPUT:
            if node.shape is None or size_of(node.shape) > MOST_VALUES:
                return []
            found[node.label] = None
    return sorted(found)
