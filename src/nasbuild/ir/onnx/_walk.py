"""Walks an ONNX model in topological order and fills a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto

from nasbuild._macs.batch_dimension import FIRST, batch_of
from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Const, Draft, Node, Operand
from nasbuild.ir._operator_graph import INPUT, MOST_NODES
from nasbuild.ir.onnx._constant_folding import shape_value
from nasbuild.ir.onnx._constants import Value, attributes_of, fold_constants, merged_type
from nasbuild.ir.onnx._inputs import Inputs
from nasbuild.ir.onnx._lower_node import lower
from nasbuild.ir.onnx._optional_value import optional_value
from nasbuild.ir.onnx._scope import MOST_CALLS, Scope, body_of, graph_scope, opsets_of
from nasbuild.ir.onnx._size_lower_bound import size_lower_bound
from nasbuild.ir.onnx._topological_order import check_text, in_order
from nasbuild.ir.onnx._type_inference import STANDARD, Type, check_attributes, infer, shape_of, tensor_type
from nasbuild.ir.onnx._undecided import undecided
from nasbuild.ir.onnx._unroll_loop import unroll_loop

MOST_COPIED = 256 * 2**20
"""Maximum number of bytes of inlined functions."""


class Walk:
    """One model; limits apply to all of its functions and branches together.

    Parameters
    ----------
    sizes
        Sizes of free dimensions.
    batch
        The batch dimension of inputs; None if there is none.
    given
        Values of inputs.

    Attributes
    ----------
    values
        All names of the outermost graph, once the draft is made.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        sizes: Mapping[str, int],
        batch: int | None = FIRST,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._model = model
        self._sizes = sizes
        self._given = given or {}
        self._batch = batch
        self._draft = Draft([], [], dimension=batch)
        self._left = MOST_NODES
        self._to_copy = MOST_COPIED
        self.values: dict[str, Value] = {}
        self._functions = {(f.domain, f.name, f.overload): f for f in model.functions}

    def draft(self) -> Draft:
        """Inputs, then operations in order, without constants.

        Raises
        ------
        NasbuildError
            See `read_onnx`.
        """
        graph = self._model.graph
        operations, copied = size_lower_bound(graph.node, self._functions, MOST_CALLS)
        if operations > MOST_NODES:
            raise _too_many()
        if copied > MOST_COPIED:
            raise _too_often()
        opsets = {"": 1} | opsets_of(self._model.opset_import)
        scope = graph_scope(graph, {}, opsets, ())
        self.values = scope.values
        inputs = self._inputs(scope)
        self._draft.batch = batch_of(inputs.batched(), self._batch)
        found = self._walk(graph, scope)
        self._draft.outputs = [v.operand for v in found if v is not None and isinstance(v.operand, Node)]
        return self._draft

    def _inputs(self, scope: Scope) -> Inputs:
        """Add the given values of inputs to the scope, and nodes for the other inputs."""
        declared = inputs_of(self._model)
        for name in self._given:
            if name not in declared:
                raise NasbuildError(f"has no input {name!r}", allowed=sorted(declared))
        infos = [info for name, info in declared.items() if name not in scope.values or name in self._given]
        inputs = Inputs(infos, self._sizes, self._given, self._batch)
        inputs.check()
        for info in infos:
            shape, kind = inputs.shapes[info.name], info.type
            if kind.WhichOneof("value") == "optional_type":
                kind = kind.optional_type.elem_type
            if shape is not None:
                kind = tensor_type(shape, kind.tensor_type.elem_type)
            if info.name not in inputs.values:
                value: Value | None = Value(self._draft.add(Node(INPUT, [], shape_of(kind), info.name)), kind)
            elif (number := inputs.values[info.name]) is None:
                value = Value(Const(None), info.type)
            else:
                value = Value(Const(number.shape, {}, number), kind)
            scope.values[info.name] = value
        # Named sizes in declared types of other tensors are those of the inputs.
        scope.declared.update({name: inputs.settled(kind) for name, kind in scope.declared.items()})
        return inputs

    def _walk(self, graph: onnx.GraphProto | onnx.FunctionProto, scope: Scope) -> list[Value | None]:
        """Fill the draft; returns the values of the outputs, None for omitted ones."""
        for node in in_order(graph.node, scope.values):
            self._left -= 1
            if self._left < 0:
                raise _too_many()
            try:
                results = self._node(node, scope)
            except NasbuildError as error:
                raise error if error.where else error.at(_place(node)) from None
            for name, value in zip(node.output, results, strict=False):
                if name and value is not None:
                    scope.values[name] = value
        found: list[Value | None] = []
        for output in graph.output:
            name = output if isinstance(output, str) else output.name
            if name not in scope.values:
                raise NasbuildError(f"no operation produces its output {name!r}")
            found.append(scope.values[name])
        return found

    def _node(self, node: onnx.NodeProto, scope: Scope) -> Sequence[Value | None]:
        function = self._functions.get((node.domain, node.op_type, node.overload))
        operands = [scope.values[name] if name else None for name in node.input]
        if function is not None:
            return self._call(function, node, operands, scope)
        if node.domain in STANDARD and node.op_type == "If":
            return self._branch(node, operands, scope)
        if node.domain in STANDARD and node.op_type == "SequenceMap":
            raise NasbuildError("repeats a graph for each tensor of a sequence, which is not followed")
        check_attributes(node, scope.opsets)
        attributes = attributes_of(node)
        if node.domain in STANDARD and node.op_type in ("Loop", "Scan"):
            return self._repeated(node, operands, attributes, scope)
        if node.domain in STANDARD and node.op_type.startswith("Optional"):
            return optional_value(node, operands)
        types = self._types(node, operands, attributes, scope)
        if any(value is not None and isinstance(value.operand, Node) for value in operands):
            return self._operation(node, operands, attributes, types)
        return fold_constants(node, operands, attributes, types, scope.prefix)

    def _types(
        self,
        node: onnx.NodeProto,
        operands: Sequence[Value | None],
        attributes: Mapping[str, Any],
        scope: Scope,
    ) -> list[Type | None]:
        if node.domain in STANDARD and node.op_type == "Constant":
            return [None] * len(node.output)
        values = [v.operand.value if v and isinstance(v.operand, Const) else None for v in operands]
        types = [v.type if v else None for v in operands]
        found = infer(node, types, values, attributes, scope.opsets)
        return [
            merged_type(one, scope.declared.get(name)) for one, name in zip(found, node.output, strict=True)
        ]

    def _operation(
        self,
        node: onnx.NodeProto,
        operands: Sequence[Value | None],
        attributes: Mapping[str, Any],
        types: Sequence[Type | None],
    ) -> list[Value | None]:
        bare_operands: list[Operand] = [None if v is None else v.operand for v in operands]
        shapes = [shape_of(t) for t in types]
        if node.domain in STANDARD and node.op_type in ("Shape", "Size") and bare_operands:
            source = bare_operands[0].shape if bare_operands[0] is not None else None
            value = shape_value(source, attributes)
            if node.op_type == "Size" and value is not None:
                value = np.array(value.prod())
            return [Value(Const(shapes[0], {}, value), types[0])]
        while bare_operands and bare_operands[-1] is None:
            bare_operands.pop()
        label = node.name or next((name for name in node.output if name), "")
        made = lower(node.op_type, node.domain, bare_operands, attributes, shapes or [None], label)
        for lowered in made:
            self._draft.add(lowered)
        return [Value(lowered, t) for lowered, t in zip(made[-max(len(types), 1) :], types, strict=False)]

    def _call(
        self,
        function: onnx.FunctionProto,
        node: onnx.NodeProto,
        operands: Sequence[Value | None],
        scope: Scope,
    ) -> list[Value | None]:
        key = f"{function.domain}::{function.name}"
        calls = scope.deeper(key)
        if key in scope.calls:
            raise NasbuildError(f"function {key} calls itself")
        if len(node.input) > len(function.input):
            raise NasbuildError(
                f"gives {len(node.input)} operands to function {key}, which has {len(function.input)}"
            )
        self._to_copy -= function.ByteSize()
        if self._to_copy < 0:
            raise _too_often()
        values = {n: v for n, v in zip(function.input, operands, strict=False) if v is not None}
        opsets = {"": scope.opsets[""]} | opsets_of(function.opset_import)
        # Calls of a function share its tensors, except for those that a call provides.
        given = any(a.type in (AttributeProto.TENSOR, AttributeProto.TENSORS) for a in node.attribute)
        prefix = f"{scope.prefix}{node.output[0]}/{key}/" if given and node.output else f"{key}/"
        return self._walk(body_of(function, node, values), Scope(values, opsets, {}, calls, prefix))

    def _branch(
        self, node: onnx.NodeProto, operands: Sequence[Value | None], scope: Scope
    ) -> list[Value | None]:
        condition = operands[0].operand if operands and operands[0] is not None else None
        value = condition.value if isinstance(condition, Const) else None
        if value is None or value.size != 1:
            raise undecided("is a branch", [condition])
        wanted = "then_branch" if bool(value.reshape(-1)[0]) else "else_branch"
        branch = next((a.g for a in node.attribute if a.name == wanted), None)
        if branch is None:
            raise NasbuildError(f"has no {wanted}")
        prefix = f"{scope.prefix}{next(iter(node.output), wanted)}/"
        inner = graph_scope(branch, scope.values, scope.opsets, scope.deeper("If"), prefix)
        return self._walk(branch, inner)

    def _repeated(
        self,
        node: onnx.NodeProto,
        operands: Sequence[Value | None],
        attributes: Mapping[str, Any],
        scope: Scope,
    ) -> list[Value | None]:
        calls = scope.deeper(node.op_type)
        prefix = f"{scope.prefix}{next(iter(node.output), node.op_type)}/"

        def step(body: onnx.GraphProto, given: Mapping[str, Value]) -> Sequence[Value | None]:
            # Visible names are copied for each step.
            self._left -= 1 + len(scope.values) // 1000
            if self._left < 0:
                raise _too_many()
            return self._walk(body, graph_scope(body, {**scope.values, **given}, scope.opsets, calls, prefix))

        found = unroll_loop(node, operands, attributes, step, self._draft.add)
        if found is None:
            deciding = operands[:2] if node.op_type == "Loop" else operands
            raise undecided("repeats a graph", [v.operand for v in deciding if v is not None])
        return found


def inputs_of(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Inputs of a model by name."""
    for info in model.graph.input:
        check_text(info.name)
    return {info.name: info for info in model.graph.input}


def _too_many() -> NasbuildError:
    return NasbuildError("has too many operations", allowed=f"up to {MOST_NODES:,}")


def _too_often() -> NasbuildError:
    return NasbuildError(
        "its functions are called too often", allowed=f"{MOST_COPIED // 2**20} MB of inlined functions"
    )


def _place(node: onnx.NodeProto) -> str:
    name = node.name or next(iter(node.output), "")
    return f"operation {name[:80]!r} ({node.op_type[:40]})"
