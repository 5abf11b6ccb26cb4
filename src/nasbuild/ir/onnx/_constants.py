"""Values of ONNX names, and constants that do not depend on an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, helper

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import UNIFORM, Const, Node, Shape
from nasbuild.ir.onnx._constant_folding import COUNTERS, MOST_VALUES, constant, evaluate, shape_value
from nasbuild.ir.onnx._quantised_ops import dequantised, learnt_operands
from nasbuild.ir.onnx._type_inference import STANDARD, Type, shape_of, tensor_type

_FILL = ("ConstantOfShape", "Expand", "EyeLike")


@dataclass(frozen=True, slots=True)
class Value:
    """The operand of a name, and its type."""

    operand: Node | Const
    type: Type | None


def fold_constants(
    node: onnx.NodeProto,
    operands: Sequence[Value | None],
    attributes: Mapping[str, Any],
    types: Sequence[Type | None],
    prefix: str = "",
) -> list[Value | None]:
    """The results of an operation on constants, with their values if small.

    Parameters
    ----------
    prefix
        Makes names inside a function or branch unique.
    """
    if node.op_type == "Constant":
        return [_literal(node, attributes, prefix)]
    bare_operands = [None if v is None else v.operand for v in operands]
    learnt = learnt_operands(node.op_type, node.domain, bare_operands, attributes)
    constants = dequantised(node.op_type, [o for o in learnt if isinstance(o, Const)])
    scaled = node.op_type in ("Mul", "Div", "DequantizeLinear")
    quantised = not scaled and any(o.quantised for o in constants)
    weights: dict[str, int] = {}
    filled: dict[str, int] = {}
    if node.op_type not in ("Shape", "Size", "ConstantOfShape"):
        for one in constants:
            weights.update(one.weights)
            filled.update(one.filled)
    found: list[Value | None] = []
    for kind in types:
        shape = shape_of(kind)
        value = None
        small = shape is None or prod(shape) <= MOST_VALUES
        if node.op_type == "Shape" and constants:
            value = shape_value(constants[0].shape, attributes)
        elif len(types) == 1 and small and all(o.value is not None for o in constants):
            values = [v.operand.value if v and isinstance(v.operand, Const) else None for v in operands]
            value = evaluate(node.op_type, attributes, values) if node.domain in STANDARD else None
        if value is not None:
            shape = value.shape
            kind = tensor_type(shape, helper.np_dtype_to_tensor_dtype(value.dtype))
        own = filled or ({} if weights else _filled(node, shape, kind, prefix))
        found.append(Value(Const(shape, weights, value, quantised=quantised, filled=own), kind))
    return found


def _filled(node: onnx.NodeProto, shape: Shape | None, kind: Type | None, prefix: str) -> dict[str, int]:
    """A tensor that an operation fills with one number, as in files whose weights were stripped."""
    if node.op_type not in _FILL or node.domain not in STANDARD or shape is None or prod(shape) < 2:
        return {}
    if kind is None or kind.tensor_type.elem_type in COUNTERS:
        return {}
    name = prefix + (node.output[0] if node.output else node.name)
    return {UNIFORM + name if len(shape) < 2 else name: prod(shape)}


def _literal(node: onnx.NodeProto, attributes: Mapping[str, Any], prefix: str) -> Value:
    tensor = attributes.get("value")
    if isinstance(tensor, onnx.TensorProto):
        return stored(tensor, prefix + (node.output[0] if node.output else node.name))
    for name, dtype in (
        ("value_int", np.int64),
        ("value_ints", np.int64),
        ("value_float", np.float32),
        ("value_floats", np.float32),
    ):
        if name in attributes:
            value = np.array(attributes[name], dtype)
            if value.size > MOST_VALUES:
                return Value(Const(value.shape), tensor_type(value.shape))
            return Value(
                Const(value.shape, {}, value),
                tensor_type(value.shape, helper.np_dtype_to_tensor_dtype(value.dtype)),
            )
    return Value(Const(None), None)


def stored(tensor: onnx.TensorProto, name: str) -> Value:
    """A tensor of the file.

    Raises
    ------
    NasbuildError
        If it contradicts itself or exceeds the limits.
    """
    try:
        const = constant(tensor, name)
        kind = tensor_type(const.shape, tensor.data_type)
        # In a stored tensor, a size of 0 is meant.
        for dimension in kind.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = 0
        shape_of(kind)
    except NasbuildError as error:
        raise error.at(f"tensor {name!r}") from None
    except Exception as error:
        # numpy and ml_dtypes raise various errors if types and sizes contradict the bytes.
        raise NasbuildError(
            f"tensor {name!r} contradicts itself ({' '.join(str(error).split())[:120]})"
        ) from None
    return Value(const, kind)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of an operation, without graphs."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) or attribute.ref_attr_name:
            continue
        try:
            found[attribute.name] = helper.get_attribute_value(attribute)
        except ValueError:
            raise NasbuildError(f"attribute {attribute.name!r} has a type that is not known") from None
    return found


def merged_type(inferred: Type | None, declared: Type | None) -> Type | None:
    """The inferred type; the declared one where inference gives nothing."""
    if inferred is not None and (shape_of(inferred) is not None or declared is None):
        kind = declared.tensor_type.elem_type if declared is not None else 0
        if kind and inferred.WhichOneof("value") == "tensor_type" and not inferred.tensor_type.elem_type:
            return tensor_type(shape_of(inferred), kind)
        return inferred
    if (
        declared is None
        or declared.WhichOneof("value") != "tensor_type"
        or not declared.tensor_type.HasField("shape")
    ):
        return inferred
    sizes = tuple(max(d.dim_value, 0) for d in declared.tensor_type.shape.dim)
    return tensor_type(sizes, declared.tensor_type.elem_type)
