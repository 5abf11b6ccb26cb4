"""Decides which operands are learnt, and which are scales, zero points, masks or states."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from nasbuild.ir._draft_graph import EXTRA_RESULT, Const, Node, Operand
from nasbuild.ir.onnx._attention import UNKNOWN_SIZE_ERRORS
from nasbuild.ir.onnx._contrib_ops import unpacked
from nasbuild.ir.onnx._macs import MICROSOFT

_RESULTS = ("DynamicQuantizeLinear",)
_SCALES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "QuantizeBFP", "DequantizeBFP"), (1, 2)),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul"), (1, 2, 4, 5, 6, 7)),
    **dict.fromkeys(
        ("ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "GatherBlockQuantized"), (2, 3)
    ),
    **dict.fromkeys(
        ("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QLinearAveragePool"), (1, 2, 3, 4)
    ),
    **dict.fromkeys(("QLinearGlobalAveragePool", "QLinearReduceMean"), (1, 2, 3, 4)),
    "QLinearWhere": (2, 3, 5, 6, 7, 8),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "QAttention": (3, 4, 6, 7),
    "MatMulNBits": (2, 3, 4),
    "MatMulBnb4": (2,),
    "MatMulNBitsQkv": (4, 7, 10),
    "MatMulNBitsMlp": (4, 7),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "QEmbedLayerNormalization": tuple(range(8, 18)),
    "QMoE": (3, 6, 9, 11, 12, 13, *range(15, 21)),
    "QOrderedMatMul": (1, 3, 4, 7),
    "QOrderedAttention": (1, 2, 3, 4, 8, 9, 10, 14, 15, 16),
    "QOrderedGelu": (1, 2),
    "QOrderedLayerNormalization": (1, 4),
    "GemmFloat8": (3, 4, 5),
}
_WHOLE_NUMBERS = {"DequantizeLinear": 0, "QLinearConv": 8, "QGemm": 6}
"""Operand that is learnt even if it is a tensor of 32-bit integers."""
_PACKED = {"MatMulNBits": 1, "MatMulBnb4": 1, "MatMulFpQ4": 1}
"""Operand that packs several numbers into a byte; N times K are learnt."""
_WEIGHTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "FusedConv", "NhwcConv", "NhwcFusedConv", "Attention"), (1, 2)),
    **dict.fromkeys(("DeformConv",), (1, 3)),
    **dict.fromkeys(("MatMul", "MatMulInteger", "FusedMatMul", "TransposeMatMul"), (0, 1)),
    **dict.fromkeys(("Gemm", "FusedGemm", "Einsum"), (0, 1, 2)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3, 7)),
    **dict.fromkeys(
        ("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"), (1, 2)
    ),
    **dict.fromkeys(("RMSNormalization", "SimplifiedLayerNormalization", "PRelu", "ConvInteger"), (1,)),
    "Gather": (0,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (0, 3),
    "QGemm": (0, 3, 6),
}
"""Operands that are learnt even if an operation fills them with one number."""
_SUBSTITUTES = ("Mul", "Div", "Sub", "Add")


def learnt_operands(
    op: str, domain: str, operands: Sequence[Operand], attributes: Mapping[str, Any]
) -> list[Operand]:
    """Operands with their learnt numbers; scales and zero points have none."""
    if domain not in ("", "ai.onnx", MICROSOFT, "com.ms.internal.nhwc"):
        return list(operands)
    positions: Sequence[int] = _SCALES.get(op, ())
    if op == "QLinearConcat":
        positions = [i for i in range(len(operands)) if i < 2 or (i - 2) % 3]
    if op in _SUBSTITUTES and any(_is_scale(o) for o in operands):
        positions = range(len(operands))
    made = [_without(o) if i in positions else o for i, o in enumerate(operands)]
    for i in _WEIGHTS.get(op, ()):
        if i < len(made) and isinstance(one := made[i], Const) and one.filled:
            made[i] = replace(one, weights={**one.weights, **one.filled}, filled={})
    whole = _WHOLE_NUMBERS.get(op)
    if whole is not None and whole < len(made) and isinstance(one := made[whole], Const):
        made[whole] = _claimed(one)
    if op == "GatherBlockQuantized" and isinstance(one := made[0], Const) and one.shape and one.weights:
        scales = made[2] if len(made) > 2 else None
        with contextlib.suppress(*UNKNOWN_SIZE_ERRORS):
            numbers = prod(unpacked(attributes, one.shape, None if scales is None else scales.shape))
            made[0] = replace(one, weights=dict.fromkeys(one.weights, numbers))
    packed = _PACKED.get(op)
    if packed is not None and packed < len(made) and isinstance(one := made[packed], Const):
        with contextlib.suppress(*UNKNOWN_SIZE_ERRORS):
            size = int(attributes.get("N", 0)) * int(attributes.get("K", 0))
            if size > 0 and one.weights:
                made[packed] = replace(one, weights=dict.fromkeys(one.weights, size))
    return made


def dequantised(op: str, operands: Sequence[Const]) -> list[Const]:
    """Operands of arithmetic on constants; scales and shifts of a quantised tensor are not learnt."""
    if op not in _SUBSTITUTES or sum(o.quantised for o in operands) != 1:
        return list(operands)
    return [o if o.quantised else _without(o) for o in operands]


def _is_scale(operand: Operand) -> bool:
    """Whether an operand is a scale computed at run time, or derived from one."""
    while isinstance(operand, Node):
        if operand.op == EXTRA_RESULT and operand.data[0].op in _RESULTS:
            return True
        if operand.op not in ("Mul", "Div", "Cast", "Identity", "Reshape") or len(operand.data) != 1:
            return False
        operand = operand.data[0]
    return False


def _without(operand: Operand) -> Any:
    return replace(operand, weights={}, filled={}) if isinstance(operand, Const) else operand


def _claimed(constant: Const) -> Const:
    if constant.weights or not constant.tensor or constant.shape is None:
        return constant
    size = prod(constant.shape)
    return replace(constant, weights={constant.tensor: size}) if size > 1 else constant
