"""Result types of onnxruntime's own operations, for which ONNX has no rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from nasbuild.ir._draft_graph import Shape
from nasbuild.ir.onnx._attention import UNKNOWN_SIZE_ERRORS, attention_shape, part
from nasbuild.ir.onnx._macs import MICROSOFT, transposed

Operands = Sequence[Shape | None]
Attributes = Mapping[str, Any]
Standard = Callable[[onnx.NodeProto, Operands], Shape | None]
"""Maps an ONNX node and its operand shapes to the shape of its first result, by the rules of ONNX."""
_Rule = Callable[[Attributes, Operands], Shape | None]


def contrib_shape(
    node: onnx.NodeProto, attributes: Attributes, operands: Operands, standard: Standard
) -> Shape | None:
    """Shape of the first result of an operation of ``com.microsoft``; None if unknown."""
    op = node.op_type
    rule = _RULES.get(op)
    try:
        if op in _WINDOWS:
            return _window(node, attributes, operands, standard)
        if rule is not None:
            return rule(attributes, operands)
    except UNKNOWN_SIZE_ERRORS:
        return None
    return attention_shape(MICROSOFT, op, attributes, operands)


def more_shape(op: str, position: int, first: Shape | None) -> Shape | None:
    """Shape of a further result that follows from the first; else None."""
    if op == "DynamicQuantizeLSTM" and first is not None:
        return first[1:]
    return first if _SAME_SHAPE_RESULTS.get(op) == position else None


def contrib_kind(op: str, kinds: Sequence[int]) -> int:
    """Element type of the first result, as ONNX codes it; 0 if unknown."""
    position = _KINDS.get(op, 0)
    kind = kinds[position] if position < len(kinds) else 0
    if op == "QGemm":
        return kind or TensorProto.FLOAT
    return kind or (TensorProto.UINT8 if op == "QuantizeLinear" else 0)


def _window(node: onnx.NodeProto, a: Attributes, operands: Operands, standard: Standard) -> Shape | None:
    """Convolutions and pools by the rules of ONNX; some have channels last."""
    op, weights, last = _WINDOWS[node.op_type]
    last = last or bool(a.get("channels_last"))
    x = part(operands, 0)
    if x is None:
        return None
    used = [(x[0], x[-1], *x[1:-1]) if last else x, *(part(operands, i) for i in weights)]
    plain = helper.make_node(op, [f"x{i}" for i in range(len(used))], ["y"])
    plain.attribute.extend(attribute for attribute in node.attribute if attribute.name in _SETTINGS)
    found = standard(plain, used)
    return (found[0], *found[2:], found[1]) if last and found is not None else found


def _first(_: Attributes, operands: Operands) -> Shape | None:
    return part(operands, 0)


def _product(a: Attributes, operands: Operands, at: int = 1) -> Shape | None:
    left, right = part(operands, 0), part(operands, at)
    if not left or not right:
        return None
    left, right = transposed(a, left, "A"), transposed(a, right, "B")
    if len(left) == 1 or len(right) == 1:
        return (*left[:-1], *right[:-2], *right[-1:]) if len(right) > 1 else left[:-1]
    leading = _broadcast(left[:-2], right[:-2])
    return None if leading is None else (*leading, left[-2], right[-1])


def _broadcast(*shapes: Shape | None) -> Shape | None:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    try:
        return tuple(np.broadcast_shapes(*known)) if all(map(all, known)) else None
    except ValueError:
        return None


def _broadcasting(*positions: int) -> _Rule:
    return lambda _, operands: _broadcast(*(part(operands, i) for i in positions))


def _with_width(name: str) -> _Rule:
    """The input shape with the last dimension from an attribute."""

    def rule(a: Attributes, operands: Operands) -> Shape | None:
        x = part(operands, 0)
        return (*x[:-1], int(a[name])) if x and name in a else None

    return rule


def _joined(a: Attributes, operands: Operands) -> Shape | None:
    parts = operands[2::3]
    first = parts[0] if parts else None
    if first is None or any(p is None or len(p) != len(first) for p in parts):
        return None
    axis = int(a.get("axis", 0)) % max(len(first), 1)
    sizes = [p[axis] for p in parts if p is not None]
    return (*first[:axis], sum(sizes) if all(sizes) else 0, *first[axis + 1 :])


def _over_picture(a: Attributes, operands: Operands) -> Shape | None:
    x = part(operands, 0)
    if x is None or len(x) < 3:
        return None
    ones = (1,) * (len(x) - 2)
    return (x[0], *ones, x[-1]) if a.get("channels_last") else (*x[:2], *ones)


def _mean(a: Attributes, operands: Operands) -> Shape | None:
    x = part(operands, 0)
    if x is None:
        return None
    axes = {int(axis) % max(len(x), 1) for axis in a.get("axes", ())} or set(range(len(x)))
    if a.get("keepdims", 1):
        return tuple(1 if axis in axes else size for axis, size in enumerate(x))
    return tuple(size for axis, size in enumerate(x) if axis not in axes)


def _half(_: Attributes, operands: Operands) -> Shape | None:
    x = part(operands, 0)
    return (*x[:-1], x[-1] // 2) if x else None


def _looked_up(_: Attributes, operands: Operands) -> Shape | None:
    ids, table = part(operands, 0), part(operands, 2)
    return (*ids, table[-1]) if ids and table else None


def unpacked(a: Attributes, data: Shape, scales: Shape | None) -> Shape:
    """The shape of a table in blocks, with two 4-bit numbers a byte unpacked in the last dimension."""
    axis, block = int(a.get("quantize_axis", 1)), int(a.get("block_size", 128))
    if (
        int(a.get("bits", 4)) != 4
        or not scales
        or len(scales) != len(data)
        or not -len(data) <= axis < len(data)
    ):
        return data
    whole = -(-data[axis] // max(block, 1)) == scales[axis]
    return data if whole else (*data[:-1], 2 * data[-1])


def _gathered(a: Attributes, operands: Operands) -> Shape | None:
    data, ids = part(operands, 0), part(operands, 1)
    axis = int(a.get("gather_axis", 0))
    if not data or ids is None or not 0 <= axis < len(data):
        return None
    data = unpacked(a, data, part(operands, 2))
    return (*data[:axis], *ids, *data[axis + 1 :])


def _steps(_: Attributes, operands: Operands) -> Shape | None:
    x, weights = part(operands, 0), part(operands, 2)
    return (x[0], weights[0], x[1], weights[1]) if x and weights and len(x) == len(weights) == 3 else None


_SETTINGS = {
    *("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "ceil_mode", "count_include_pad"),
    *("output_padding", "output_shape"),
}
_WINDOWS: dict[str, tuple[str, tuple[int, ...], bool]] = {
    "FusedConv": ("Conv", (1,), False),
    "NhwcConv": ("Conv", (1,), True),
    "NhwcFusedConv": ("Conv", (1,), True),
    "QLinearConv": ("Conv", (3,), False),
    "QLinearAveragePool": ("AveragePool", (), False),
    "NhwcMaxPool": ("MaxPool", (), True),
}
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(
        (
            *("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "FusedGemm", "GemmFloat8"),
            *("GemmFastGelu", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulInteger16"),
        ),
        _product,
    ),
    "QGemm": lambda a, operands: _product(a, operands, 3),
    "QOrderedMatMul": lambda a, operands: _product(a, operands, 2),
    **dict.fromkeys(("MatMulNBits", "MatMulBnb4", "MatMulNBitsMlp"), _with_width("N")),
    "MatMulNBitsQkv": _with_width("Nq"),
    **{op: _broadcasting(0, 3) for op in ("QLinearAdd", "QLinearMul")},
    "QLinearWhere": _broadcasting(0, 1, 4),
    "QLinearConcat": _joined,
    "QLinearGlobalAveragePool": _over_picture,
    "QLinearReduceMean": _mean,
    **dict.fromkeys(("BiasSplitGelu", "SwiGLU"), _half),
    **dict.fromkeys(("EmbedLayerNormalization", "QEmbedLayerNormalization"), _looked_up),
    "DynamicQuantizeLSTM": _steps,
    "GatherBlockQuantized": _gathered,
    **dict.fromkeys(
        (
            *("QuantizeLinear", "DequantizeLinear", "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax"),
            *(
                "Gelu",
                "FastGelu",
                "QuickGelu",
                "BiasGelu",
                "BiasAdd",
                "BiasSoftmax",
                "ScaledSiLU",
                "RotaryEmbedding",
            ),
            *(
                "GemmaRotaryEmbedding",
                "SkipLayerNormalization",
                "SkipSimplifiedLayerNormalization",
                "GroupNorm",
            ),
            *(
                "SkipGroupNorm",
                "MoE",
                "QMoE",
                "QOrderedGelu",
                "QOrderedLayerNormalization",
                "BiasDropout",
                "Trilu",
            ),
            *("BitmaskDropout", "BitmaskBiasDropout", "GatedRMSNorm"),
        ),
        _first,
    ),
}
_SAME_SHAPE_RESULTS = {
    "SkipLayerNormalization": 3,
    "SkipSimplifiedLayerNormalization": 3,
    "SkipGroupNorm": 1,
    "EmbedLayerNormalization": 2,
}
"""Position of the further result shaped like the first, by operation: the sum before the norm."""
_KINDS = {
    "QuantizeLinear": 2,
    "DequantizeLinear": 1,
    "QGemm": 8,
    "MatMulIntegerToFloat": 2,
    "QAttention": 3,
    "GatherBlockQuantized": 2,
    "EmbedLayerNormalization": 2,
    "QLinearWhere": 1,
    "QLinearConcat": 1,
}
"""Operand whose type the result has, by operation; the first operand for all others."""
