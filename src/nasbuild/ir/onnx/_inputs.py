"""Inputs of ONNX models: their free sizes, and given values."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Shape
from nasbuild.ir.onnx._constant_folding import MOST_VALUES
from nasbuild.ir.onnx._missing_sizes import missing_sizes
from nasbuild.ir.onnx._symbolic_sizes import is_plain_difference, names_in, value_of

ABSENT = None
"""The value of an omitted optional input."""
_BATCH = re.compile(r"batch|^(n|b|bs)$", re.IGNORECASE)


class Inputs:
    """The inputs of one model with their shapes.

    Parameters
    ----------
    infos
        The inputs without a stored value.
    sizes
        Sizes of free dimensions, by name or as ``input.axis``.
    given
        Values of inputs: a number, a list, or None for an omitted optional input.
    batch
        The batch dimension of inputs, which is 1 where it is free; None if there is none.

    Attributes
    ----------
    missing
        Unknown free sizes, each with the places that need it.
    shapes
        Shapes of the inputs by name, None if an input is not a tensor. Valid only if no size is missing.

    Raises
    ------
    NasbuildError
        If sizes contradict each other.
    """

    def __init__(
        self,
        infos: Iterable[onnx.ValueInfoProto],
        sizes: Mapping[str, int],
        given: Mapping[str, Any],
        batch: int | None,
    ) -> None:
        self._batch = batch
        self._types = {info.name: _tensor(info.type) for info in infos}
        self._dims = {name: [_free(d) for d in t.shape.dim] for name, t in self._types.items() if _shaped(t)}
        self._given = {name: value for name, value in given.items() if name in self._types}
        self._named = self._sizes_by_name(sizes)
        self._batches = self._batch_symbols()
        self.missing: dict[str, list[str]] = {}
        self.shapes: dict[str, Shape | None] = {name: self._shape(name) for name in self._types}
        self.values: dict[str, np.ndarray | None] = {}
        fixed = {f"{name}.{axis}" for name, dims in self._dims.items() for axis in range(len(dims))}
        self._unknown = [key for key in sizes if key not in fixed and key not in self.free()]

    def check(self) -> None:
        """Read the given values.

        Raises
        ------
        NasbuildError
            If sizes are missing (all are named) or unknown, or a value does not fit its input.
        """
        if self._unknown:
            raise NasbuildError(
                f"its inputs have no free size {self._unknown[0]!r}", allowed=self.free() or "none are free"
            )
        if self.missing:
            raise missing_sizes(self.missing)
        self.values = {name: self._value(name) for name in self._given}

    def free(self) -> list[str]:
        """Names of the sizes that can be given."""
        found: dict[str, None] = {}
        for name, dims in self._dims.items():
            for axis, dim in enumerate(dims):
                if not isinstance(dim, int):
                    parts = (self._parts(dim) if dim not in self._batches else None) or ()
                    found.update(dict.fromkeys([*parts, *([dim] if dim else []), f"{name}.{axis}"]))
        return list(found)

    def batched(self) -> list[Shape]:
        """Shapes of the inputs with the batch, judged by names."""
        found = []
        for name, shape in self.shapes.items():
            at = self._batch
            if at is None or shape is None or len(shape) <= at:
                continue
            dim = self._dims[name][at]
            if isinstance(dim, int) or not dim or dim in self._batches:
                found.append(shape)
        return found

    def settled(self, declared: onnx.TypeProto) -> onnx.TypeProto:
        """A type with its named sizes filled in where known."""
        if declared.WhichOneof("value") != "tensor_type" or not declared.tensor_type.HasField("shape"):
            return declared
        found = onnx.TypeProto()
        found.CopyFrom(declared)
        for dim in found.tensor_type.shape.dim:
            size = self._known(dim.dim_param) if dim.WhichOneof("value") == "dim_param" else None
            if size is not None:
                dim.dim_value = size
        return found

    def _known(self, dim: str) -> int | None:
        if dim in self._named or self._is_batch(dim):
            return self._named.get(dim, 1)
        known = {part: self._known(part) for part in (self._parts(dim) or ())}
        sizes = {part: size for part, size in known.items() if size is not None}
        if not sizes or len(sizes) < len(known):
            return None
        with contextlib.suppress(NasbuildError):
            return value_of(dim, sizes)
        return None

    def _sizes_by_name(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Sizes by name: given directly, given for a dimension of that name, or from a given value."""
        found: dict[str, int] = {}
        for key, size in sizes.items():
            if size < 1:
                raise NasbuildError(f"the size of {key!r} can't be {size}", allowed="whole numbers from 1")
            found[key] = size
        for name, dims in self._dims.items():
            value = self._given.get(name)
            shape = np.shape(value) if value is not None else ()
            for axis, dim in enumerate(dims):
                key = f"{name}.{axis}"
                if isinstance(dim, int):
                    if sizes.get(key, dim) != dim:
                        raise NasbuildError(f"dimension {axis} of input {name!r} is {dim}, not {sizes[key]}")
                    continue
                size = sizes.get(key)
                if size is None and len(shape) == len(dims):
                    size = shape[axis]
                if size is not None:
                    found[key] = size
                    if dim and found.setdefault(dim, size) != size and key not in sizes:
                        raise NasbuildError(
                            f"the size {dim!r} is {found[dim]}, and {size} in dimension {axis} of input {name!r}"
                        )
        return found

    def _batch_symbols(self) -> set[str]:
        """Names of sizes that are the batch: by their name, else by their position."""
        if self._batch is None:
            return set()
        places = {
            (dim, axis)
            for dims in self._dims.values()
            for axis, dim in enumerate(dims)
            if isinstance(dim, str) and dim and len(dims) > max(self._batch, 1)
        }
        called = {dim for dim, _ in places if _BATCH.search(dim) and not self._parts(dim)}
        if called:
            return called
        there = {dim for dim, axis in places if axis == self._batch}
        elsewhere = {dim for dim, axis in places if axis != self._batch}
        # Of several, one that occurs elsewhere in other inputs could be a sequence.
        return there if len(there) == 1 else there - elsewhere

    def _shape(self, name: str) -> Shape | None:
        dims = self._dims.get(name)
        return None if dims is None else tuple(self._size(name, axis, dim) for axis, dim in enumerate(dims))

    def _size(self, name: str, axis: int, dim: str | int) -> int:
        if isinstance(dim, int):
            return dim
        key = f"{name}.{axis}"
        if (size := self._named.get(key, self._named.get(dim))) is not None:
            return size
        if dim in self._batches or (axis == self._batch and self._is_alone(dim)):
            return 1
        parts = self._parts(dim)
        if parts is None:
            self.missing.setdefault(dim or key, []).append(f"dimension {axis} of {name!r}")
            return 1
        known = {part: self._named.get(part, 1 if self._is_batch(part) else 0) for part in parts}
        for part in (part for part, size in known.items() if not size):
            self.missing.setdefault(part, []).append(f"in {dim!r}, dimension {axis} of {name!r}")
        return value_of(dim, known) if all(known.values()) else 1

    def _is_batch(self, name: str) -> bool:
        called = self._batch is not None and name.isidentifier() and _BATCH.search(name) is not None
        return called or name in self._batches

    def _is_alone(self, dim: str) -> bool:
        """Whether a size has no name, or one that no input with two or more dimensions has."""
        return not dim or not any(dim in dims for dims in self._dims.values() if len(dims) > 1)

    def _parts(self, dim: str) -> list[str] | None:
        """Names in a computed size; None if the size is a plain name."""
        names = names_in(dim) if dim else None
        if names and is_plain_difference(dim):
            plain = {d for dims in self._dims.values() for d in dims if isinstance(d, str)} | set(self._named)
            return names if plain.issuperset(names) else None
        return names

    def _value(self, name: str) -> np.ndarray | None:
        value, declared = self._given[name], self._types[name]
        if value is ABSENT:
            return None
        kind = declared.elem_type if isinstance(declared, onnx.TypeProto.Tensor) else 0
        found = _array(name, value, kind)
        shape = self.shapes[name]
        if shape is None:
            return found
        if found.ndim == 0 and prod(shape) <= MOST_VALUES:
            found = np.full(shape, found)
        if found.shape != shape:
            raise NasbuildError(
                f"the value of input {name!r} has the shape {found.shape}",
                allowed=f"a number, or the shape {shape}",
            )
        return found


def _array(name: str, value: Any, kind: int) -> np.ndarray:
    wanted = helper.tensor_dtype_to_np_dtype(kind) if kind else None
    place = f"the value of input {name!r}"
    try:
        found = np.array(value)
        if found.size > MOST_VALUES:
            raise NasbuildError(f"{place} has {found.size:,} elements", allowed=f"up to {MOST_VALUES:,}")
        cast = found if wanted is None else found.astype(wanted)
        same = wanted is None or wanted.kind not in "iub" or bool((cast == found).all())
    except (ValueError, TypeError, OverflowError):
        found = cast = np.array(0)
        same = False
    if not same or (found.dtype.kind in "USO" and cast.dtype.kind != "O"):
        expected = onnx.TensorProto.DataType.Name(kind).lower() if kind else "numbers"
        raise NasbuildError(f"{place} can't be {value!r}", allowed=f"{expected}, one or a list of them")
    return cast


def _tensor(kind: onnx.TypeProto) -> Any:
    """The type of a tensor or optional tensor; other types unchanged."""
    if kind.WhichOneof("value") == "optional_type":
        kind = kind.optional_type.elem_type
    return kind.tensor_type if kind.WhichOneof("value") == "tensor_type" else kind


def _shaped(kind: Any) -> bool:
    return isinstance(kind, onnx.TypeProto.Tensor) and kind.HasField("shape")


def _free(dim: onnx.TensorShapeProto.Dimension) -> str | int:
    """The size of a dimension, or the name of its free size, which may be empty."""
    return dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else dim.dim_param
