"""Folds small constants of ONNX graphs: shapes, axes, scales, and arithmetic on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from nasbuild.ir._draft_graph import UNIFORM, Const, Shape

MOST_VALUES = 1024
"""Constants with more elements are not evaluated."""
COUNTERS = {
    onnx.TensorProto.INT64,
    onnx.TensorProto.INT32,
    onnx.TensorProto.BOOL,
    onnx.TensorProto.STRING,
    onnx.TensorProto.UNDEFINED,
}
"""Types of counts and choices, which are not learnt."""

_FEW_BITS = {
    value
    for kind, value in onnx.TensorProto.DataType.items()
    if kind in ("INT8", "UINT8") or kind.startswith(("INT4", "UINT4", "INT2", "UINT2", "FLOAT8", "FLOAT4"))
}


def constant(tensor: onnx.TensorProto, name: str) -> Const:
    """A stored tensor; its numbers are read only if they are few and in the file itself.

    Raises
    ------
    ValueError
        If it contradicts itself.
    """
    shape = tuple(tensor.dims)
    if any(size < 0 for size in shape):
        raise ValueError("a size below 0")
    size = prod(shape)
    value = None
    inside = tensor.data_location != onnx.TensorProto.EXTERNAL
    if (
        inside
        and size <= MOST_VALUES
        and tensor.data_type != onnx.TensorProto.STRING
        and _has_numbers(tensor)
    ):
        value = np.asarray(numpy_helper.to_array(tensor))
        if value.shape != shape:
            raise ValueError("as many numbers as its shape does not say")
    # The numbers of a long vector are not kept: it is a bias or a scale.
    uniform = len(shape) < 2 and (value is None or bool(size and (value == value.reshape(-1)[0]).all()))
    name = UNIFORM + name if uniform else name
    learnt = {name: size} if size > 1 and tensor.data_type not in COUNTERS else {}
    return Const(shape, learnt, value, name, tensor.data_type in _FEW_BITS)


def _has_numbers(tensor: onnx.TensorProto) -> bool:
    held = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    return bool(tensor.raw_data) or any(held) or 0 in tensor.dims


def evaluate(
    op: str, attributes: Mapping[str, Any], operands: Sequence[np.ndarray | None]
) -> np.ndarray | None:
    """The value of an operation on small constants; None if it is not evaluated."""
    rule = _RULES.get(op)
    if rule is None or (operands and operands[0] is None):
        return None
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(rule(attributes, *operands))
    except (ValueError, IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError, MemoryError):
        return None
    first = operands[0] if operands else None
    if op in _KEEP and first is not None:
        found = found.astype(first.dtype, copy=False)
    return found if found.size <= MOST_VALUES else None


def shape_value(shape: Shape | None, attributes: Mapping[str, Any]) -> np.ndarray | None:
    """The result of ``Shape``; None if a size is unknown."""
    if shape is None:
        return None
    part = shape[attributes.get("start", 0) : attributes.get("end")]
    return np.array(part, np.int64) if all(part) else None


def _axes(attributes: Mapping[str, Any], given: np.ndarray | None) -> tuple[int, ...] | None:
    axes = attributes.get("axes") if given is None else given.reshape(-1).tolist()
    return None if axes is None else tuple(int(axis) for axis in axes)


def _squeeze(a: Mapping[str, Any], x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.squeeze(x, _axes(a, axes))


def _unsqueeze(a: Mapping[str, Any], x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.expand_dims(x, _axes(a, axes) or ())


def _slice(
    a: Mapping[str, Any],
    x: np.ndarray,
    starts: np.ndarray | None = None,
    ends: np.ndarray | None = None,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    first = a["starts"] if starts is None else starts.tolist()
    last = a["ends"] if ends is None else ends.tolist()
    where = _axes(a, axes) or range(len(first))
    step = [1] * len(first) if steps is None else steps.tolist()
    index: list[Any] = [slice(None)] * x.ndim
    for axis, begin, end, by in zip(where, first, last, step, strict=True):
        # As an index from the end, "before the first" has no number.
        stop = None if by < 0 and end < -x.shape[axis] else end
        index[axis] = slice(begin, stop, by)
    return x[tuple(index)]


def _reshape(a: Mapping[str, Any], x: np.ndarray, shape: np.ndarray | None = None) -> np.ndarray:
    wanted = a["shape"] if shape is None else shape.tolist()
    if not a.get("allowzero"):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return x.reshape(wanted)


def _concat(a: Mapping[str, Any], *parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts, axis=a.get("axis", 1))


def _cast(a: Mapping[str, Any], x: np.ndarray) -> np.ndarray:
    return x.astype(onnx.helper.tensor_dtype_to_np_dtype(a["to"]))


def _div(_: Mapping[str, Any], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.trunc(np.true_divide(x, y)) if np.issubdtype(x.dtype, np.integer) else np.true_divide(x, y)


def _filled(a: Mapping[str, Any], shape: np.ndarray) -> np.ndarray:
    if prod(int(size) for size in shape) > MOST_VALUES:
        raise ValueError
    value = numpy_helper.to_array(a["value"]).reshape(-1)[0] if "value" in a else np.float32(0)
    return np.full([int(size) for size in shape], value)


def _range(_: Mapping[str, Any], start: np.ndarray, limit: np.ndarray, step: np.ndarray) -> np.ndarray:
    if abs((limit - start) / step) > MOST_VALUES:
        raise ValueError
    return np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


def _expand(_: Mapping[str, Any], x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    wanted = np.broadcast_shapes(x.shape, tuple(int(size) for size in shape))
    if prod(wanted) > MOST_VALUES:
        raise ValueError
    return np.broadcast_to(x, wanted).copy()


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    def rule(a: Mapping[str, Any], x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
        return function(x, axis=_axes(a, axes), keepdims=bool(a.get("keepdims", 1)))

    return rule


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _, *operands: function(*operands)


_RULES: dict[str, Callable[..., Any]] = {
    "Identity": _plain(lambda x: x),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Reshape": _reshape,
    "Concat": _concat,
    "Cast": _cast,
    "Div": _div,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Expand": _expand,
    "Gather": lambda a, x, index: np.take(x, index.astype(np.int64), axis=a.get("axis", 0)),
    "Transpose": lambda a, x: np.transpose(x, a.get("perm")),
    "Where": _plain(np.where),
    "NonZero": _plain(lambda x: np.array(np.nonzero(x), np.int64)),
    "Size": _plain(lambda x: np.int64(x.size)),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "Not": _plain(np.logical_not),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Equal": _plain(np.equal),
    "Less": _plain(np.less),
    "Greater": _plain(np.greater),
    "LessOrEqual": _plain(np.less_equal),
    "GreaterOrEqual": _plain(np.greater_equal),
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Mod": lambda a, x, y: np.fmod(x, y) if a.get("fmod") else np.mod(x, y),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Min": lambda _, *x: np.minimum.reduce(np.broadcast_arrays(*x)),
    "Max": lambda _, *x: np.maximum.reduce(np.broadcast_arrays(*x)),
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Sqrt": _plain(np.sqrt),
    "Pow": _plain(np.power),
    "Reciprocal": _plain(np.reciprocal),
}
_KEEP = {
    "Div",
    "Add",
    "Sub",
    "Mul",
    "Mod",
    "Neg",
    "Abs",
    "Min",
    "Max",
    "Sqrt",
    "Pow",
    "ReduceProd",
    "ReduceSum",
}
