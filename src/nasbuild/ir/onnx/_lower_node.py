"""Lowers one typed ONNX node to nodes of a draft."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nasbuild.ir._draft_graph import EXTRA_RESULT, NOTHING, Const, Node, Operand, Shape
from nasbuild.ir._mac_free_ops import UNKNOWN
from nasbuild.ir.onnx._attention import ATTENTION, UNKNOWN_SIZE_ERRORS, heads_of
from nasbuild.ir.onnx._macs import has_rule, onnx_macs
from nasbuild.ir.onnx._quantised_ops import learnt_operands
from nasbuild.ir.onnx._type_inference import STANDARD
from nasbuild.ir.rewrite._match import scalar

Attributes = Mapping[str, Any]
_RESHAPES = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}
_ALIASES = {"Cast": NOTHING, "CastLike": NOTHING, "Dropout": NOTHING, "Upsample": "Resize"}


def lower(
    op: str,
    domain: str,
    operands: Sequence[Operand],
    attributes: Attributes,
    shapes: Sequence[Shape | None],
    label: str,
) -> list[Node]:
    """Nodes of an operation; the last ones are the results, one for each of ``shapes``."""
    standard = domain in STANDARD
    operands = learnt_operands(op, domain, operands, attributes)
    macs = onnx_macs(
        "" if standard else domain, op, attributes, [None if o is None else o.shape for o in operands], shapes
    )
    if not standard:
        return _with_parts(_foreign(op, domain, operands, attributes, shapes[0], label, macs), shapes)
    if op == "Split":
        return [Node("Slice", _data(operands), shape, label) for shape in shapes]
    node = Node(_ALIASES.get(op, op), list(operands), shapes[0], label)
    if has_rule("", op):
        node.macs = UNKNOWN if macs is None else macs
    if op in _RESHAPES:
        node.op, node.inputs = "Reshape", _data(operands[:1]) or list(operands)
    elif op in ("Gemm", "MatMul"):
        _product(node)
    elif rule := _RULES.get(op):
        rule(node, attributes)
    elif op.startswith("Reduce"):
        _reduction(node, attributes)
    return _with_parts(node, shapes)


def _foreign(
    op: str,
    domain: str,
    operands: Sequence[Operand],
    attributes: Attributes,
    shape: Shape | None,
    label: str,
    macs: int | None,
) -> Node:
    """An operation of another domain, with known settings of convolutions and attention."""
    node = Node(f"{domain}::{op}", list(operands), shape, label, macs=UNKNOWN if macs is None else macs)
    if op.endswith("Conv"):
        quantised = op == "QLinearConv"
        # The settings of other domains are not checked.
        with contextlib.suppress(*UNKNOWN_SIZE_ERRORS):
            _convolution(node, attributes, weight=3 if quantised else 1, bias=8 if quantised else 2)
    elif (domain, op) in ATTENTION:
        node.heads, node.more["attends"] = heads_of(attributes, _source(node)), True
    elif op == "DynamicQuantizeLSTM":
        _recurrent(node, attributes)
    return node


def _with_parts(node: Node, shapes: Sequence[Shape | None]) -> list[Node]:
    return [node, *(Node(EXTRA_RESULT, [node], shape, node.label) for shape in shapes[1:])]


def _data(operands: Sequence[Operand]) -> list[Operand]:
    return [o for o in operands if isinstance(o, Node)]


def _operand(node: Node, position: int) -> Operand:
    return node.inputs[position] if position < len(node.inputs) else None


def _source(node: Node) -> Shape | None:
    return node.data[0].shape if node.data else None


def _has_bias(node: Node, position: int) -> bool:
    return _operand(node, position) is not None


def _convolution(node: Node, a: Attributes, *, weight: int = 1, bias: int = 2) -> None:
    stored = _operand(node, weight)
    kernel = a.get("kernel_shape")
    if kernel is None and isinstance(stored, Node | Const) and stored.shape is not None:
        kernel = stored.shape[2:]
    _window(node, {**a, "kernel_shape": kernel or ()})
    node.groups = max(int(a.get("group", 1)), 1)
    node.bias = _has_bias(node, bias)


def _quantised_convolution(node: Node, a: Attributes) -> None:
    _convolution(node, a, weight=3, bias=8)


def _deformed(node: Node, a: Attributes) -> None:
    _convolution(node, a, bias=3)


def _window(node: Node, a: Attributes) -> None:
    node.kernel = tuple(a.get("kernel_shape", ()))
    ones = (1,) * len(node.kernel)
    node.stride = tuple(a.get("strides", ones))
    node.dilation = tuple(a.get("dilations", ones))


def _product(node: Node) -> None:
    """A product with learnt numbers is a Gemm, one of two tensors a MatMul."""
    node.op = "MatMul"
    if any(isinstance(o, Const) for o in node.inputs[:2]):
        node.op, node.bias = "Gemm", _has_bias(node, 2)


def _norm(node: Node, a: Attributes) -> None:
    node.groups = int(a.get("num_groups", 0))
    node.bias = _has_bias(node, 2)
    # Exporters store ones and zeros if a norm has no scale and shift, or has them after it.
    if node.op == "InstanceNormalization" and _all(_operand(node, 1), 1) and _all(_operand(node, 2), 0):
        node.inputs, node.bias = node.inputs[:1], False


def _all(operand: Operand, value: float) -> bool:
    return isinstance(operand, Const) and operand.value is not None and bool((operand.value == value).all())


def _clip(node: Node, a: Attributes) -> None:
    low = scalar(_operand(node, 1)) if len(node.inputs) > 1 else a.get("min")
    high = scalar(_operand(node, 2)) if len(node.inputs) > 2 else a.get("max")
    node.inputs = _data(node.inputs)
    node.more["bounds"] = (low, high)
    if low == 0 and high is None:
        node.op = "Relu"


def _transpose(node: Node, a: Attributes) -> None:
    rank = len(node.shape or ())
    node.more["perm"] = tuple(a.get("perm", range(rank - 1, -1, -1)))


def _reduction(node: Node, a: Attributes) -> None:
    given = _operand(node, 1)
    axes = a.get("axes")
    if isinstance(given, Const) and given.value is not None:
        axes = given.value.reshape(-1).tolist()
    source = _source(node)
    node.inputs = _data(node.inputs)
    if source is not None:
        rank = len(source)
        named = range(rank) if axes is None or not len(axes) else axes
        node.more["axes"] = tuple(sorted({int(axis) % max(rank, 1) for axis in named}))
        if a.get("noop_with_empty_axes") and not axes:
            node.op = NOTHING


def _slice(node: Node, _: Attributes) -> None:
    steps = _operand(node, 4)
    whole = node.shape is not None and all(node.shape) and node.shape == _source(node)
    if whole and (not isinstance(steps, Const) or (steps.value is not None and (steps.value == 1).all())):
        node.op = NOTHING
    if len(_data(node.inputs)) == 1:
        node.inputs = _data(node.inputs)


def _pad(node: Node, a: Attributes) -> None:
    value = scalar(_operand(node, 2)) if _operand(node, 2) is not None else float(a.get("value", 0))
    node.more["zeros"] = a.get("mode", b"constant") == b"constant" and value == 0
    node.inputs = _data(node.inputs)


def _concat(node: Node, _: Attributes) -> None:
    if len(node.inputs) == 1:
        node.op = NOTHING


def _attention(node: Node, a: Attributes) -> None:
    node.heads = heads_of(a, _source(node))


def _recurrent(node: Node, a: Attributes) -> None:
    source = _source(node)
    node.bias = _has_bias(node, 3)
    # Initial states are zeros that exporters store.
    node.inputs = [*node.inputs[:4], *_data(node.inputs[4:])]
    if source is not None and len(source) == 3:
        node.more["steps"] = (source[1], source[0]) if a.get("layout") else (source[0], source[1])


_RULES: dict[str, Callable[[Node, Attributes], None]] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "ConvInteger": _convolution,
    "DeformConv": _deformed,
    "QLinearConv": _quantised_convolution,
    "MaxPool": _window,
    "AveragePool": _window,
    "LpPool": _window,
    "BatchNormalization": _norm,
    "InstanceNormalization": _norm,
    "LayerNormalization": _norm,
    "GroupNormalization": _norm,
    "Clip": _clip,
    "Transpose": _transpose,
    "Slice": _slice,
    "Concat": _concat,
    "Pad": _pad,
    "Attention": _attention,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
