"""The names visible in a graph of an ONNX model, and the bodies of function calls."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

import onnx
from onnx import AttributeProto

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Const
from nasbuild.ir.onnx._constants import Value, stored
from nasbuild.ir.onnx._topological_order import check_text
from nasbuild.ir.onnx._type_inference import STANDARD, Type, tensor_type

MOST_VERSION = 10_000
MOST_CALLS = 32
"""Maximum nesting of functions and branches."""


@dataclass(frozen=True)
class Scope:
    """Visible names, and declarations about them.

    Attributes
    ----------
    declared
        Types that the file declares, by name.
    prefix
        Makes names of tensors inside a function or branch unique.
    """

    values: dict[str, Value]
    opsets: Mapping[str, int]
    declared: dict[str, Type]
    calls: tuple[str, ...]
    prefix: str = ""

    def deeper(self, key: str) -> tuple[str, ...]:
        """The calls that lead into a function or branch of this name."""
        if len(self.calls) >= MOST_CALLS:
            raise NasbuildError("nests functions or branches too deeply", allowed=f"up to {MOST_CALLS} deep")
        return (*self.calls, key)


def graph_scope(
    graph: onnx.GraphProto,
    outer: Mapping[str, Value],
    opsets: Mapping[str, int],
    calls: tuple[str, ...],
    prefix: str = "",
) -> Scope:
    """The scope of a graph inside ``outer``: with its stored tensors and declared types."""
    values = dict(outer)
    for tensor in graph.initializer:
        check_text(tensor.name)
        values[tensor.name] = stored(tensor, prefix + tensor.name)
    for sparse in graph.sparse_initializer:
        check_text(sparse.values.name)
        size = len(sparse.values.dims) and sparse.values.dims[0]
        shape = tuple(sparse.dims)
        learnt = Const(shape, {prefix + sparse.values.name: int(size)})
        values[sparse.values.name] = Value(learnt, tensor_type(shape, sparse.values.data_type))
    declared = {info.name: info.type for info in (*graph.value_info, *graph.output)}
    return Scope(values, opsets, declared, calls, prefix)


def opsets_of(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Version of the operations of each domain."""
    for one in imports:
        check_text(one.domain)
        if not 0 < one.version <= MOST_VERSION:
            raise NasbuildError(f"operations of domain {one.domain[:80]!r} have version {one.version}")
    return {("" if one.domain in STANDARD else one.domain): one.version for one in imports}


def body_of(function: onnx.FunctionProto, call: onnx.NodeProto, given: Container[str]) -> onnx.FunctionProto:
    """The body of a call: a copy of the function with the attributes of the call.

    Parameters
    ----------
    given
        Names of the function's inputs that the call provides; omitted ones are omitted inside as well.
    """
    attributes = {a.name: a for a in (*function.attribute_proto, *call.attribute)}
    body = onnx.FunctionProto()
    body.CopyFrom(function)
    for inner in body.node:
        _settle(inner, attributes)
        for position, name in enumerate(inner.input):
            if name in function.input and name not in given:
                inner.input[position] = ""
    return body


def _settle(node: onnx.NodeProto, given: Mapping[str, AttributeProto]) -> None:
    """Replace references to attributes of a call by their values; drop those without a value."""
    kept = []
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            value = given.get(attribute.ref_attr_name)
            if value is None:
                continue
            settled = AttributeProto()
            settled.CopyFrom(value)
            settled.name = attribute.name
            kept.append(settled)
        else:
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                for inner in graph.node:
                    _settle(inner, given)
            kept.append(attribute)
    copies = [AttributeProto.FromString(a.SerializeToString()) for a in kept]
    del node.attribute[:]
    node.attribute.extend(copies)
