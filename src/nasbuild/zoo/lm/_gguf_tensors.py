"""Parts of GGUF tensors: rows and columns taken as raw bytes where that is possible, rounded to a type elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    there = tuple(int(n) for n in reversed(tensor.shape))
    height = () if len(there) == 1 else (there[0] if rows is None else len(rows),)
    width = there[-1] if columns is None else len(columns)
    shape = (*height, width)
    groups = None if kind or columns is None else _whole_groups(columns, tensor.tensor_type)
    if kind is None and columns is not None and groups is None:
        kind = again = _type_after_cut(tensor.tensor_type.name.lower(), width)
    else:
        again = None
    if kind is not None:
        if not fits(kind, width):
            raise NasbuildError(
                f"{width} columns are left, which can't be '{kind}' with its groups of {tensor_type(kind).group}",
                where=name,
                allowed=[one for one in tensor_types() if fits(one, width)],
            )
        rounds_to = kind
        return NewTensor(
            name,
            shape,
            _gguf_type(tensor_type(kind).container),
            type_bytes(kind, prod(height), width),
            lambda: encoded(_part(tensor_values(tensor), rows, columns), rounds_to),
            again,
        )

    def raw() -> np.ndarray:
        data = tensor.data if tensor.data.ndim == 1 or rows is None else tensor.data[rows]
        if groups is not None:
            data = data.reshape(data.shape[0], -1, _group_items(tensor))[:, groups]
        return np.ascontiguousarray(data).view(np.uint8).reshape(*height, -1)

    if len(there) == 1 and rows is not None:  # a bias
        return NewTensor(
            name,
            (len(rows),),
            tensor.tensor_type,
            stored_bytes((len(rows),), tensor.tensor_type),
            lambda: np.ascontiguousarray(tensor.data[rows]).view(np.uint8),
        )
    return NewTensor(name, shape, tensor.tensor_type, stored_bytes(shape, tensor.tensor_type), raw)


def zeros(name: str, shape: tuple[int, ...], kind: str) -> NewTensor:
    """A tensor of zeros."""
    stored = _gguf_type(kind)
    size = stored_bytes(shape, stored)
    return NewTensor(name, shape, stored, size, lambda: np.zeros(size, np.uint8))


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
