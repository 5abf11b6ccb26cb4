"""Substitutes element types that an operation's version does not know, such as bfloat16 for old convolutions.

The rules of ONNX refuse these types, although shapes do not depend on them and runtimes accept them.
For inference only, another floating-point or integer type replaces them; results get their own type
back.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, defs

_FLOATS = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16")
_SIGNED, _UNSIGNED = ("INT8", "INT32", "INT64"), ("UINT8", "INT32", "INT64")


def _stand_ins() -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for name, number in TensorProto.DataType.items():
        if name in _FLOATS:
            found[number] = _FLOATS
        elif name.startswith("FLOAT"):
            # Types of 8 bits and fewer are quantised as well.
            found[number] = (*_FLOATS, "INT8")
        elif name in ("INT2", "INT4", "INT8", "INT16"):
            found[number] = _SIGNED
        elif name in ("UINT2", "UINT4", "UINT8", "UINT16"):
            found[number] = _UNSIGNED
    return found


_OF = _stand_ins()


class StandIns:
    """Substitute types for the operands of one node, where its schema does not allow theirs."""

    def __init__(self, schema: defs.OpSchema, types: Sequence[onnx.TypeProto | None]) -> None:
        self._schema = schema
        # The type of the operands and its substitute, by type parameter of the schema.
        self._replaced: dict[str, tuple[int, int]] = {}
        allowed = {
            constraint.type_param_str: set(constraint.allowed_type_strs)
            for constraint in schema.type_constraints
        }
        for parameter, type_proto in self._pairs(types):
            kind = _kind(type_proto)
            able = allowed.get(parameter, {parameter})
            if kind in _OF and _text(kind) not in able:
                names = (n for n in _OF[kind] if _text(TensorProto.DataType.Value(n)) in able)
                if (name := next(names, None)) is not None:
                    self._replaced[parameter] = kind, TensorProto.DataType.Value(name)
        self.types = [
            self._with(type_proto, self._replaced.get(parameter))
            for parameter, type_proto in self._pairs(types)
        ]

    def restore(self, results: Sequence[onnx.TypeProto | None]) -> list[onnx.TypeProto | None]:
        """Types of results with the original types restored."""
        outputs = list(self._schema.outputs)
        found: list[onnx.TypeProto | None] = []
        for position, type_proto in enumerate(results):
            formal = outputs[min(position, len(outputs) - 1)].type_str if outputs else ""
            kind, other = self._replaced.get(formal, (0, 0))
            found.append(
                self._with(type_proto, (other, kind)) if kind and _kind(type_proto) == other else type_proto
            )
        return found

    def _pairs(self, types: Sequence[onnx.TypeProto | None]) -> list[tuple[str, onnx.TypeProto | None]]:
        formal = [parameter.type_str for parameter in self._schema.inputs]
        # The last parameter may repeat.
        return [
            (formal[min(i, len(formal) - 1)] if formal else "", type_proto)
            for i, type_proto in enumerate(types)
        ]

    def _with(self, type_proto: onnx.TypeProto | None, pair: tuple[int, int] | None) -> onnx.TypeProto | None:
        if type_proto is None or pair is None or _kind(type_proto) != pair[0]:
            return type_proto
        changed = onnx.TypeProto()
        changed.CopyFrom(type_proto)
        changed.tensor_type.elem_type = pair[1]
        return changed


def _kind(type_proto: onnx.TypeProto | None) -> int:
    return (
        type_proto.tensor_type.elem_type
        if type_proto is not None and type_proto.WhichOneof("value") == "tensor_type"
        else 0
    )


def _text(kind: int) -> str:
    return f"tensor({TensorProto.DataType.Name(kind).lower()})"
