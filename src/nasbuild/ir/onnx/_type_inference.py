"""Result types of one ONNX node, by the rules of ONNX."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import defs, helper, numpy_helper, shape_inference

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Shape
from nasbuild.ir._operator_graph import MAX_RANK, MOST_SIZE
from nasbuild.ir.onnx._contrib_ops import contrib_kind, contrib_shape, more_shape
from nasbuild.ir.onnx._macs import MICROSOFT
from nasbuild.ir.onnx._substitute_types import StandIns

Type: TypeAlias = onnx.TypeProto
_PLAIN = 17
"""ONNX version whose rules are applied to convolutions and pools of other domains."""
_TRIED = tuple(
    getattr(onnx.TensorProto, name) for name in ("FLOAT", "UINT8", "INT8", "INT32", "INT64", "BOOL")
)
STANDARD = ("", "ai.onnx")
# First versions of operations lack rules; these keep the shape of their operands.
_SHAPE_PRESERVING = {
    *(
        "Relu",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Sigmoid",
        "HardSigmoid",
        "Tanh",
        "Softmax",
        "LogSoftmax",
        "Softplus",
    ),
    *(
        "Softsign",
        "PRelu",
        "Clip",
        "Dropout",
        "BatchNormalization",
        "InstanceNormalization",
        "LRN",
        "Exp",
        "Log",
    ),
    *(
        "Sqrt",
        "Abs",
        "Neg",
        "Ceil",
        "Floor",
        "Reciprocal",
        "Not",
        "Cast",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
    ),
    *("Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "Greater", "Less"),
}


def tensor_type(shape: Shape | None, kind: int = onnx.TensorProto.FLOAT) -> Type:
    """The type of a tensor; sizes of 0 are unknown."""
    return helper.make_tensor_type_proto(kind, None if shape is None else [size or None for size in shape])


def shape_of(type_proto: Type | None) -> Shape | None:
    """The shape of a tensor, 0 for unknown sizes.

    Raises
    ------
    NasbuildError
        If it has more dimensions, or a larger size, than a graph may hold.
    """
    if (
        type_proto is None
        or type_proto.WhichOneof("value") != "tensor_type"
        or not type_proto.tensor_type.HasField("shape")
    ):
        return None
    return _within(tuple(d.dim_value for d in type_proto.tensor_type.shape.dim))


def _within(sizes: Shape) -> Shape:
    if len(sizes) > MAX_RANK or any(not 0 <= size <= MOST_SIZE for size in sizes):
        raise NasbuildError(
            f"a tensor has the shape ({', '.join(map(str, sizes[:12]))})",
            allowed=f"up to {MAX_RANK} dimensions with sizes up to {MOST_SIZE}",
        )
    return sizes


def check_attributes(node: onnx.NodeProto, opsets: Mapping[str, int]) -> None:
    """Refuse attributes of the wrong type.

    The rules of ONNX check them only where operand types are known, and not in loops.
    """
    domain = "" if node.domain in STANDARD else node.domain
    kinds = _attribute_kinds(node.op_type, opsets.get(domain, opsets.get("", 1)), domain)
    for attribute in node.attribute:
        wanted = kinds.get(attribute.name)
        if wanted and attribute.type != wanted and not attribute.ref_attr_name:
            name = onnx.AttributeProto.AttributeType.Name
            known = attribute.type in onnx.AttributeProto.AttributeType.values()
            raise NasbuildError(
                f"attribute {attribute.name!r} has the type {name(attribute.type) if known else attribute.type}",
                allowed=name(wanted),
            )


@lru_cache(4096)
def _attribute_kinds(op: str, version: int, domain: str) -> Mapping[str, Any]:
    try:
        schema = defs.get_schema(op, version, domain)
    except defs.SchemaError:
        return {}
    return {
        name: int(attribute.type.value)  # pyright: ignore[reportAttributeAccessIssue]
        for name, attribute in schema.attributes.items()
    }


def infer(
    node: onnx.NodeProto,
    types: Sequence[Type | None],
    values: Sequence[np.ndarray | None],
    attributes: Mapping[str, Any],
    opsets: Mapping[str, int],
) -> list[Type | None]:
    """Types of the results; None where nothing is known.

    Raises
    ------
    NasbuildError
        If ONNX finds the node invalid.
    """
    domain = "" if node.domain in STANDARD else node.domain
    version = opsets.get(domain, opsets.get("", 1))
    nothing: list[Type | None] = [None] * len(node.output)
    try:
        schema = defs.get_schema(node.op_type, version, domain)
    except defs.SchemaError:
        return _foreign(node, types, attributes) or nothing
    if _first_version(schema, attributes):
        return [_alike(types, attributes), *nothing[1:]]
    stand_ins = StandIns(schema, types)
    names = list(node.input)
    known_types = {n: _closed(t) for n, t in zip(names, stand_ins.types, strict=True) if n}
    data = {
        n: numpy_helper.from_array(v)
        for n, v in zip(names, values, strict=True)
        if n and v is not None and v.dtype.kind in "biuf"
    }
    imports = [helper.make_opsetid(d, v) for d, v in opsets.items()]

    def rules(known_types: Mapping[str, Type]) -> list[Type | None]:
        try:
            found = shape_inference.infer_node_outputs(
                schema, node, dict(known_types), data, opset_imports=imports
            )
        except Exception as error:
            # The binding raises inference, validation, runtime and index errors.
            raise NasbuildError(_sentence(error)) from None
        result = [found.get(name) if name else None for name in node.output]
        return [None if t is not None and t.WhichOneof("value") is None else t for t in result]

    unknown = [name for name, kind in known_types.items() if not _kind(kind)]
    found = _guessed(rules, known_types, unknown) or nothing if unknown else rules(known_types)
    return stand_ins.restore(found)


def _guessed(
    rules: Callable[[Mapping[str, Type]], list[Type | None]],
    known_types: Mapping[str, Type],
    unknown: Sequence[str],
) -> list[Type | None] | None:
    """The common result types over all possible element types of operands of unknown type."""
    found: list[list[Type | None]] = []
    for kind in _TRIED:
        with contextlib.suppress(NasbuildError):
            found.append(
                rules(
                    {**known_types}
                    | {name: tensor_type(shape_of(known_types[name]), kind) for name in unknown}
                )
            )
    return [_common(results) for results in zip(*found, strict=True)] if found else None


def _common(results: Sequence[Type | None]) -> Type | None:
    shapes, kinds = {shape_of(t) for t in results}, {_kind(t) for t in results}
    if len(shapes) > 1 or None in shapes:
        return None
    return tensor_type(shapes.pop(), kinds.pop() if len(kinds) == 1 else 0)


def _kind(type_proto: Type | None) -> int:
    """Element type of a tensor; 0 if unknown, -1 if it is not a tensor."""
    if type_proto is None or type_proto.WhichOneof("value") is None:
        return 0
    return type_proto.tensor_type.elem_type if type_proto.WhichOneof("value") == "tensor_type" else -1


def _foreign(
    node: onnx.NodeProto, types: Sequence[Type | None], attributes: Mapping[str, Any]
) -> list[Type | None] | None:
    """Result types of onnxruntime's operations; None for other domains."""
    if node.domain != MICROSOFT or not node.output:
        return None
    shapes = [None if t is None else shape_of(t) for t in types]

    def standard(plain: onnx.NodeProto, operands: Sequence[Shape | None]) -> Shape | None:
        settings = {a.name: helper.get_attribute_value(a) for a in plain.attribute}
        kinds: list[Type | None] = [tensor_type(shape) for shape in operands]
        return shape_of(infer(plain, kinds, [None] * len(kinds), settings, {"": _PLAIN})[0])

    shape = contrib_shape(node, attributes, shapes, standard)
    shape = None if shape is None else _within(shape)
    kind = contrib_kind(node.op_type, [max(_kind(t), 0) for t in types])
    results: list[Type | None] = [tensor_type(shape, kind) if shape is not None or kind else None]
    for position in range(1, len(node.output)):
        again = more_shape(node.op_type, position, shape)
        results.append(None if again is None else tensor_type(again, kind))
    return results


def _first_version(schema: defs.OpSchema, attributes: Mapping[str, Any]) -> bool:
    return (
        schema.domain == ""
        and schema.name in _SHAPE_PRESERVING
        and (schema.since_version < 6 or bool(attributes.get("broadcast")))
    )


def _alike(types: Sequence[Type | None], attributes: Mapping[str, Any]) -> Type | None:
    if not types or types[0] is None:
        return None
    shapes = [shape_of(t) for t in types]
    if attributes.get("broadcast") or len(shapes) == 1 or shapes[1] is None or shapes[0] is None:
        return types[0]
    return types[0] if len(shapes[0]) >= len(shapes[1]) else types[1]


def _closed(type_proto: Type | None) -> Type:
    # The rules need a type even if none is known.
    return tensor_type(None, 0) if type_proto is None else type_proto


def _sentence(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")
