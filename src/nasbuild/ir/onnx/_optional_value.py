"""Operations on optional values of an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Const
from nasbuild.ir.onnx._constants import Value
from nasbuild.ir.onnx._type_inference import tensor_type


def optional_value(node: onnx.NodeProto, operands: Sequence[Value | None]) -> list[Value | None]:
    """An optional value is its content; an omitted one has none."""
    value = operands[0] if operands else None
    absent = value is None or (value.type is not None and value.type.WhichOneof("value") == "optional_type")
    if node.op_type == "OptionalHasElement":
        kind = tensor_type((), onnx.TensorProto.BOOL)
        return [Value(Const((), {}, np.array(not absent)), kind)]
    if node.op_type == "Optional":
        return [
            Value(Const(None), onnx.TypeProto(optional_type=onnx.TypeProto.Optional())) if absent else value
        ]
    if absent:
        raise NasbuildError(f"takes what input {node.input[0]!r} holds, which is left out")
    return [value]
