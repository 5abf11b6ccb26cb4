"""Scalar operations and reductions of torch that ONNX expresses differently."""

from __future__ import annotations

from torch import Tensor

from nasbuild.ir._draft_graph import Node, Operand
from nasbuild.ir.rewrite._match import scalar
from nasbuild.ir.torch._call import Call
from nasbuild.ir.torch._op_names import REDUCED, SAME


def onnx_operands(call: Call) -> list[Operand]:
    """Operands in the order of ONNX, without settings that are not operands there."""
    named = SAME[call.op]
    if call.op == "embedding":
        return [call.value(call.args[0]), call.value(call.args[1])]
    if named in (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
        "Min",
        "Mod",
        "Equal",
        "Less",
        "Greater",
        "And",
        "Or",
    ):
        return [call.value(a) for a in call.args[:2]]
    if named == "Where" and call.op == "masked_fill":
        return [call.value(call.args[1]), call.value(call.args[2]), call.value(call.args[0])]
    return call.tensors()


def reduced(call: Call) -> Node:
    rank = len(call.source())
    dims = call.arg(2 if call.op == "linalg_vector_norm" else 1, "dim")
    if dims is None or isinstance(dims, Tensor) or (isinstance(dims, list | tuple) and not dims):
        dims = range(rank)
    named = tuple(sorted({int(d) % max(rank, 1) for d in ([dims] if isinstance(dims, int) else dims)}))
    op = REDUCED[call.op]
    if call.op == "linalg_vector_norm" and call.arg(1, "ord", 2) == 1:
        op = "ReduceL1"
    if call.op in ("max", "min") and isinstance(call.arg(1), Tensor):
        return call.node("Max" if call.op == "max" else "Min", [call.value(a) for a in call.args[:2]])
    return call.node(op, [call.value(call.args[0])], more={"axes": named})


def clip(call: Call) -> list[Node]:
    low, high = call.arg(1, "min"), call.arg(2, "max")
    if call.op == "clamp_max":
        low, high = None, low
    if call.op == "hardtanh":
        low, high = -1 if low is None else low, 1 if high is None else high
    bounds = tuple(scalar(call.value(b)) for b in (low, high))
    if bounds == (0, None):
        return [call.node("Relu", [call.value(call.args[0])])]
    return [call.node("Clip", [call.value(call.args[0])], more={"bounds": bounds})]


def rsub(call: Call) -> list[Node]:
    return [call.node("Sub", [call.value(call.args[1]), call.value(call.args[0])])]


def rsqrt(call: Call) -> list[Node]:
    root = call.node("Sqrt", [call.value(call.args[0])])
    return [root, call.node("Reciprocal", [root])]


def unequal(call: Call) -> list[Node]:
    equal = call.node("Equal", [call.value(a) for a in call.args[:2]])
    return [equal, call.node("Not", [equal])]


def gated(call: Call) -> list[Node]:
    x = call.value(call.args[0])
    one, two = (call.node("Slice", [x]) for _ in range(2))
    gate = call.node("Sigmoid", [two])
    return [one, two, gate, call.node("Mul", [one, gate])]
