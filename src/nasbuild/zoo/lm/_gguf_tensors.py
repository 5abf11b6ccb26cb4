"""Parts of GGUF tensors: rows and columns taken as raw bytes where that is possible, rounded to a type elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm._gguf_source import tensor_values
from nasbuild.zoo.lm.tensor_types import encoded, fits, tensor_type, tensor_types, type_bytes

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, ReaderTensor


@dataclass(frozen=True)
class NewTensor:
    """A tensor to be written.

    Attributes
    ----------
    shape
        (rows, columns), or (columns,).
    stored
        GGUF type in the file.
    counted
        Bytes where it is packed, without the container.
    data
        Makes the bytes, uint8, when they are written.
    rounded_again
        Type that columns were rounded to once more, as they had to be taken out of groups; None elsewhere.
    """

    name: str
    shape: tuple[int, ...]
    stored: GGMLQuantizationType
    counted: int
    data: Callable[[], np.ndarray]
    rounded_again: str | None = None

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file."""
        return stored_bytes(self.shape, self.stored)


def stored_bytes(shape: tuple[int, ...], stored: GGMLQuantizationType) -> int:
    """Bytes of a tensor in a file."""
    from gguf import GGML_QUANT_SIZES

    group, size = GGML_QUANT_SIZES[stored]
    return prod(shape[:-1]) * (shape[-1] // group) * size


def taken(
    tensor: ReaderTensor,
    name: str,
    *,
    rows: np.ndarray | None = None,
    columns: np.ndarray | None = None,
    kind: str | None = None,
) -> NewTensor:
    """The rows and columns of a tensor, in its own type or rounded to ``kind`` after they are taken.

    Raises
    ------
    NasbuildError
        If columns can't be groups of ``kind``.
    """
    height, *rest = (int(n) for n in reversed(tensor.shape))  # a bias has nothing more
    shape = (height if rows is None else len(rows), *(rest if columns is None else [len(columns)]))
    if kind is not None:
        return _encoded(tensor, name, shape, rows, columns, kind)
    groups = None
    if columns is not None:
        groups = _whole_groups(columns, tensor.tensor_type)
        if groups is None:
            again = _type_after_cut(tensor.tensor_type.name.lower(), len(columns))
            return replace(_encoded(tensor, name, shape, rows, columns, again), rounded_again=again)

    def raw() -> np.ndarray:
        data = tensor.data if rows is None else tensor.data[rows]
        if groups is not None:
            data = data.reshape(len(data), -1, _group_items(tensor))[:, groups]
        return np.ascontiguousarray(data).reshape(-1).view(np.uint8)

    return NewTensor(name, shape, tensor.tensor_type, stored_bytes(shape, tensor.tensor_type), raw)


def _encoded(
    tensor: ReaderTensor,
    name: str,
    shape: tuple[int, ...],
    rows: np.ndarray | None,
    columns: np.ndarray | None,
    kind: str,
) -> NewTensor:
    if not fits(kind, shape[-1]):
        raise NasbuildError(
            f"{shape[-1]} columns are left, which can't be '{kind}' with its groups of {tensor_type(kind).group}",
            where=name,
            allowed=[one for one in tensor_types() if fits(one, shape[-1])],
        )
    return NewTensor(
        name,
        shape,
        _gguf_type(tensor_type(kind).container),
        type_bytes(kind, prod(shape[:-1]), shape[-1]),
        lambda: encoded(_part(tensor_values(tensor), rows, columns), kind),
    )


def filled(tensor: NewTensor, shape: tuple[int, ...]) -> NewTensor:
    """The tensor with zeros after its rows and columns, up to a shape that whole groups fill."""
    if shape == tensor.shape:
        return tensor
    rows, there = shape[0] - tensor.shape[0], stored_bytes(shape[1:] or (1,), tensor.stored)

    def data() -> np.ndarray:
        whole = tensor.data().reshape(tensor.shape[0], -1)
        return np.pad(
            whole, ((0, rows), (0, there - whole.shape[1]))
        )  # bytes of zeros are zeros in every type

    return replace(tensor, shape=shape, data=data)


def zeros(name: str, shape: tuple[int, ...], kind: str) -> NewTensor:
    """A tensor of zeros in place of a part that is gone, which is not counted."""
    stored = _gguf_type(kind)
    size = stored_bytes(shape, stored)
    return NewTensor(name, shape, stored, 0, lambda: np.zeros(size, np.uint8))


def _part(values: np.ndarray, rows: np.ndarray | None, columns: np.ndarray | None) -> np.ndarray:
    values = values if rows is None else values[rows]
    return values if columns is None else values[:, columns]


def _whole_groups(columns: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray | None:
    """Groups that the columns are made of, in their order; None if they cut a group."""
    from gguf import GGML_QUANT_SIZES

    size = GGML_QUANT_SIZES[kind][0]
    if len(columns) % size:
        return None
    grouped = columns.reshape(-1, size)
    whole = (grouped == grouped[:, :1] + np.arange(size)).all() and not (grouped[:, 0] % size).any()
    return grouped[:, 0] // size if whole else None


def _group_items(tensor: ReaderTensor) -> int:
    """Items of the reader's array that a group has: bytes where it is quantised, values elsewhere."""
    from gguf import GGML_QUANT_SIZES

    size, group_bytes = GGML_QUANT_SIZES[tensor.tensor_type]
    return group_bytes if tensor.data.dtype == np.uint8 else size


def _type_after_cut(name: str, columns: int) -> str:
    """The type for columns that were taken out of groups of type ``name``: itself, else one of more bits."""
    own = tensor_types().get(name)
    wanted = own.bits if own else 8.5
    return next(
        kind
        for kind in sorted(tensor_types().values(), key=lambda one: one.bits)
        if kind.bits >= wanted and kind.name == kind.container and fits(kind.name, columns)
    ).name


def _gguf_type(name: str) -> GGMLQuantizationType:
    from gguf import GGMLQuantizationType

    return GGMLQuantizationType[name.upper()]
