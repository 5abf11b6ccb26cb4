"""Unrolls loops with a known number of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Const, Node, Operand, Shape
from nasbuild.ir.onnx._constant_folding import MOST_VALUES
from nasbuild.ir.onnx._constants import Value
from nasbuild.ir.onnx._type_inference import tensor_type

MOST_STEPS = 1000
_ENDLESS = 2**31
"""From so many steps on, only the condition ends the loop."""
Step = Callable[[onnx.GraphProto, Mapping[str, Value]], Sequence[Value | None]]
"""Inlines a graph with values for its inputs, and returns those of its outputs."""
Add = Callable[[Node], Node]
"""Adds a node to the draft."""


def unroll_loop(
    node: onnx.NodeProto,
    operands: Sequence[Value | None],
    attributes: Mapping[str, Any],
    step: Step,
    add: Add,
) -> list[Value | None] | None:
    """Results of a ``Loop`` or ``Scan``; None if inputs of the network determine the number of steps.

    Raises
    ------
    NasbuildError
        If there are more steps than the limit, or no graph.
    """
    body = next((a.g for a in node.attribute if a.name == "body"), None)
    if body is None:
        raise NasbuildError("has no body")
    return (_loop if node.op_type == "Loop" else _scan)(body, operands, attributes, step, add)


def _loop(
    body: onnx.GraphProto, operands: Sequence[Value | None], _: Mapping[str, Any], step: Step, add: Add
) -> list[Value | None] | None:
    most, going = (_number(operands[i]) if i < len(operands) else True for i in range(2))
    if most is None or going is None:
        return None
    # Without a number of steps, only the condition ends it.
    steps = np.inf if len(operands) < 1 or operands[0] is None else most
    carried = list(operands[2:])
    names = [info.name for info in body.input]
    if len(names) != len(carried) + 2 or len(body.output) < len(carried) + 1:
        raise NasbuildError("passes its body the wrong number of operands")
    parts: list[list[Value | None]] = [[] for _ in body.output[len(carried) + 1 :]]
    if steps < _ENDLESS:
        _check(steps)
    done = 0
    while going and done < steps:
        _check(done + 1)
        given = [_constant(np.int64(done)), _constant(np.bool_(True)), *carried]
        found = step(body, {n: v for n, v in zip(names, given, strict=True) if v is not None})
        going = _number(found[0])
        if going is None:
            return None
        carried = list(found[1 : len(carried) + 1])
        for part, value in zip(parts, found[len(carried) + 1 :], strict=True):
            part.append(value)
        done += 1
    return [*carried, *(_stacked(part, 0, add) for part in parts)]


def _scan(
    body: onnx.GraphProto, operands: Sequence[Value | None], a: Mapping[str, Any], step: Step, add: Add
) -> list[Value | None] | None:
    scanned = int(a.get("num_scan_inputs", 0))
    if not 0 < scanned <= len(operands) == len(body.input):
        raise NasbuildError("passes its body the wrong number of operands")
    carried, sequences = list(operands[:-scanned]), operands[-scanned:]
    axes = list(a.get("scan_input_axes", [0] * scanned))
    back = list(a.get("scan_input_directions", [0] * scanned))
    shapes = [None if v is None else v.operand.shape for v in sequences]
    if len(axes) != scanned or len(back) != scanned or not all(shapes):
        return None
    sizes = {
        shape[axis] if -len(shape) <= axis < len(shape) else 0
        for shape, axis in zip(shapes, axes, strict=True)
        if shape
    }
    if len(sizes) != 1 or 0 in sizes:
        return None
    steps = sizes.pop()
    _check(steps)
    several = len(body.output) - len(carried)
    ends = list(a.get("scan_output_axes", [0] * several))
    turned = list(a.get("scan_output_directions", [0] * several))
    parts: list[list[Value | None]] = [[] for _ in range(several)]
    names = [info.name for info in body.input]
    for at in range(steps):
        places = [steps - 1 - at if b else at for b in back]
        picked = [
            _picked(v, axis, place, add) for v, axis, place in zip(sequences, axes, places, strict=True)
        ]
        given = zip(names, [*carried, *picked], strict=True)
        found = step(body, {name: value for name, value in given if value is not None})
        carried = list(found[: len(carried)])
        for part, value, backwards in zip(parts, found[len(carried) :], turned, strict=True):
            part.insert(0 if backwards else len(part), value)
    return [*carried, *(_stacked(part, axis, add) for part, axis in zip(parts, ends, strict=True))]


def _check(steps: float) -> None:
    if steps > MOST_STEPS:
        raise NasbuildError("repeats a graph too often", allowed=f"up to {MOST_STEPS:,} times")


def _number(value: Value | None) -> Any:
    """A known number; True if there is no operand, None if it is unknown."""
    if value is None:
        return True
    numbers = value.operand.value if isinstance(value.operand, Const) else None
    return None if numbers is None or numbers.size != 1 else numbers.reshape(-1)[0].item()


def _constant(value: np.generic) -> Value:
    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return Value(Const((), {}, np.array(value)), tensor_type((), kind))


def _picked(value: Value | None, axis: int, at: int, add: Add) -> Value | None:
    """The element of a sequence at one step."""
    if value is None or value.operand.shape is None:
        return value
    axis %= len(value.operand.shape)
    shape = tuple(size for i, size in enumerate(value.operand.shape) if i != axis)
    operand: Node | Const
    if isinstance(value.operand, Const):
        numbers = value.operand.value
        operand = Const(shape, value.operand.weights, None if numbers is None else np.take(numbers, at, axis))
    else:
        operand = add(Node("Gather", [value.operand], shape, value.operand.label))
    return Value(operand, tensor_type(shape, _kind(value)))


def _stacked(values: Sequence[Value | None], axis: int, add: Add) -> Value | None:
    """The results of all steps as one tensor."""
    given = [v for v in values if v is not None]
    shapes = {v.operand.shape for v in given}
    if len(given) != len(values) or len(shapes) != 1 or None in shapes:
        # No steps, or growing shapes: only the parts of the result are known.
        return Value(_joined([v.operand for v in given], None, add), None)
    shape = shapes.pop() or ()
    at = axis % (len(shape) + 1)
    single, whole = ((*shape[:at], size, *shape[at:]) for size in (1, len(given)))
    numbers = [v.operand.value if isinstance(v.operand, Const) else None for v in given]
    known = [n for n in numbers if n is not None]
    if len(known) == len(given) and prod(whole) <= MOST_VALUES:
        return Value(Const(whole, {}, np.stack(known, at)), tensor_type(whole, _kind(given[0])))
    parts: list[Node | Const] = []
    for value in given:
        operand = value.operand
        parts.append(
            add(Node("Reshape", [operand], single, operand.label)) if isinstance(operand, Node) else operand
        )
    return Value(_joined(parts, whole, add), tensor_type(whole, _kind(given[0])))


def _joined(parts: Sequence[Node | Const], shape: Shape | None, add: Add) -> Node | Const:
    if not any(isinstance(part, Node) for part in parts):
        weights = {
            name: size for part in parts if isinstance(part, Const) for name, size in part.weights.items()
        }
        return Const(shape, weights)
    operands: list[Operand] = list(parts)
    return add(Node("Concat", operands, shape))


def _kind(value: Value) -> int:
    type_proto = value.type
    return (
        type_proto.tensor_type.elem_type
        if type_proto is not None and type_proto.WhichOneof("value") == "tensor_type"
        else 0
    )
