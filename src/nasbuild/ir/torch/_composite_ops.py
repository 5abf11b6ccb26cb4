"""Functions of torch that the dispatcher splits into parts, while ONNX keeps them whole."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from nasbuild._macs.torch_operations import recurrent_weights, sequence_and_batch, whole_macs
from nasbuild.ir._draft_graph import EXTRA_RESULT, Node, Operand
from nasbuild.ir._mac_free_ops import UNKNOWN


def lower_whole(
    op: str, args: Sequence[Any], operands: Sequence[Operand], results: Sequence[Tensor], label: str
) -> list[Node]:
    """Nodes of a recurrent layer or an einsum; the last ones are the results."""
    shapes = [tuple(r.shape) for r in results]
    if op == "einsum":
        macs = whole_macs(op, args, results)
        return [Node("Einsum", list(operands), shapes[0], label, macs=UNKNOWN if macs is None else macs)]
    named = {"lstm": "LSTM", "gru": "GRU"}.get(op, "RNN")
    weights = recurrent_weights(args)
    layers = int(next(a for a in args if isinstance(a, int) and not isinstance(a, bool)))
    per_layer = len(weights) // max(layers, 1)
    given = _tensors(args)
    learnt = [o for t, o in zip(given, operands, strict=True) if any(t is w for w in weights)]
    # Initial states are zeros, unless they depend on an input.
    states = [o for t, o in zip(given[1:], operands[1:], strict=True) if t.dim() > 2 and isinstance(o, Node)]
    made: list[Node] = []
    x = operands[0]
    for layer in range(layers):
        own = slice(layer * per_layer, (layer + 1) * per_layer)
        node = Node(
            named, [x, *learnt[own], *states], shapes[0], label, bias=any(w.dim() == 1 for w in weights[own])
        )
        node.macs = prod(shapes[0][:-1]) * sum(w.numel() for w in weights[own] if w.dim() > 1)
        node.more["steps"] = sequence_and_batch(args)
        made.append(node)
        x = node
    last = [Node(EXTRA_RESULT, [made[-1]], shape, label) for shape in shapes[1:]]
    # Results come last; the first of them is the sequence of the last layer.
    return [*made, *last]


def _tensors(args: Sequence[Any]) -> list[Tensor]:
    return [t for a in args for t in (a if isinstance(a, list | tuple) else [a]) if isinstance(t, Tensor)]
