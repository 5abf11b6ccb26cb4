"""Types that a weight matrix can be rounded to: their bytes, their values, and how GGUF files hold them.

Types of `gguf.quants` are rounded exactly as there. It has no writer for 2 and 3 bits, and llama.cpp's types of so few
bits (`k_types`) need rows of multiples of 256. So ``w3g64`` (3 bits, groups of 64 columns) and its like are ours: symmetric levels ±0.5, ±1.5, ...
times a step in float16. Their values fit in llama.cpp's ``q4_0`` without loss. So llama.cpp computes with exactly these
values, but the file is larger than the bytes that are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm._k_types import COLUMNS, k_bytes, k_values
from nasbuild.zoo.lm._round_groups import (
    from_odd_levels,
    odd_levels,
    rounded_groups,
    scaled_by_largest,
    scaled_from_lowest,
    scaled_to_8_bits,
)


@dataclass(frozen=True)
class TensorType:
    """A type of weights.

    Attributes
    ----------
    name
        Such as ``q4_0``, or ``w3g64``: 3 bits, groups of 64.
    group
        Columns that share a scale. Rows must be multiples of it.
    bytes_per_group
        Bytes of a group, scales included, where it is packed.
    container
        GGUF type that files hold it in.

    Examples
    --------
    >>> from nasbuild.zoo.lm.tensor_types import tensor_type
    >>> w3 = tensor_type("w3g64")
    >>> w3.bits, w3.container, w3.bytes_per_group, w3.container_bytes_per_group
    (3.25, 'q4_0', 26, 36)
    """

    name: str
    group: int
    bytes_per_group: int
    container: str

    @property
    def bits(self) -> float:
        """Bits a weight, scales included."""
        return 8 * self.bytes_per_group / self.group

    @property
    def container_bytes_per_group(self) -> int:
        """Bytes that a GGUF file takes for a group."""
        held = tensor_type(self.container)
        return held.bytes_per_group * self.group // held.group


_TYPES = {
    one.name: one
    for one in (
        TensorType("f32", 1, 4, "f32"),
        TensorType("f16", 1, 2, "f16"),
        TensorType("q8_0", 32, 34, "q8_0"),
        TensorType("q5_1", 32, 24, "q5_1"),
        TensorType("q5_0", 32, 22, "q5_0"),
        TensorType("q4_1", 32, 20, "q4_1"),
        TensorType("q4_0", 32, 18, "q4_0"),
        TensorType("w3g32", 32, 14, "q4_0"),
        TensorType("w3g64", 64, 26, "q4_0"),
        TensorType("w2g32", 32, 10, "q4_0"),
        TensorType("w2g64", 64, 18, "q4_0"),
    )
}
_K_TYPES = {
    one.name: one
    for one in (
        TensorType("q6_k", COLUMNS, 210, "q6_k"),
        TensorType("q5_k", COLUMNS, 176, "q5_k"),
        TensorType("q4_k", COLUMNS, 144, "q4_k"),
        TensorType("q3_k", COLUMNS, 110, "q3_k"),
        TensorType("q2_k", COLUMNS, 84, "q2_k"),
    )
}
_ODD_BITS = {"w3g32": 3, "w3g64": 3, "w2g32": 2, "w2g64": 2}
_VALUES = {
    "q8_0": scaled_to_8_bits,
    "q5_1": partial(scaled_from_lowest, levels=32),
    "q5_0": partial(scaled_by_largest, half=16),
    "q4_1": partial(scaled_from_lowest, levels=16),
    "q4_0": partial(scaled_by_largest, half=8),
    **{name: partial(k_values, name=name) for name in _K_TYPES},
    **{name: partial(from_odd_levels, bits=bits) for name, bits in _ODD_BITS.items()},
}


def tensor_types() -> Mapping[str, TensorType]:
    """The types that rows of any multiple of 64 can have, by name, most bits first.

    Examples
    --------
    >>> from nasbuild.zoo.lm.tensor_types import tensor_types
    >>> {one.name: one.bits for one in tensor_types().values() if one.bits < 5}
    {'q4_0': 4.5, 'w3g32': 3.5, 'w3g64': 3.25, 'w2g32': 2.5, 'w2g64': 2.25}
    """
    return MappingProxyType(_TYPES)


def k_types() -> Mapping[str, TensorType]:
    """llama.cpp's types for rows of multiples of 256, by name, most bits first.

    Examples
    --------
    >>> from nasbuild.zoo.lm.tensor_types import k_types
    >>> {one.name: one.bits for one in k_types().values()}
    {'q6_k': 6.5625, 'q5_k': 5.5, 'q4_k': 4.5, 'q3_k': 3.4375, 'q2_k': 2.625}
    """
    return MappingProxyType(_K_TYPES)


def tensor_type(name: str) -> TensorType:
    """The type of a name.

    Raises
    ------
    NasbuildError
        If there is none.

    Examples
    --------
    >>> from nasbuild.zoo.lm.tensor_types import tensor_type
    >>> tensor_type("q5_0").bits
    5.5
    """
    found = _TYPES.get(name) or _K_TYPES.get(name)
    if found is None:
        raise NasbuildError(f"there is no type of weights '{name}'", allowed=[*_TYPES, *_K_TYPES])
    return found


def fits(name: str, columns: int) -> bool:
    """Whether rows of so many columns can have a type: they must be whole groups.

    Examples
    --------
    >>> from nasbuild.zoo.lm.tensor_types import fits
    >>> fits("q4_0", 96), fits("w3g64", 96)
    (True, False)
    """
    return columns > 0 and columns % tensor_type(name).group == 0


def type_bytes(name: str, rows: int, columns: int) -> int:
    """Exact bytes of a packed matrix, scales included.

    Raises
    ------
    NasbuildError
        If the columns are not whole groups.

    Examples
    --------
    >>> from nasbuild.zoo.lm.tensor_types import type_bytes
    >>> type_bytes("q4_0", 576, 1536), type_bytes("w3g64", 576, 1536)
    (497664, 359424)
    """
    kind = _fitting(name, columns)
    return rows * (columns // kind.group) * kind.bytes_per_group


def rounded(weight: Tensor, name: str) -> Tensor:
    """The values that a type gives to weights.

    Parameters
    ----------
    weight
        Finite float32, (rows, columns). Groups are columns of a row.

    Returns
    -------
    Tensor
        Float32 of the same shape, a new tensor; for a type of `gguf.quants`, the values of its bytes to the bit.

    Raises
    ------
    NasbuildError
        If the columns are not whole groups, or weights are not finite.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.lm.tensor_types import rounded
    >>> rounded(torch.arange(-16.0, 16.0)[None], "w2g32").unique().tolist()
    [-12.31640625, -4.10546875, 4.10546875, 12.31640625]
    """
    kind = _fitting(name, weight.shape[-1])
    weight = weight.detach().to(torch.float32)
    _check_finite(bool(torch.isfinite(weight.sum()) or torch.isfinite(weight).all()))
    if name == "f32":
        return weight.clone()
    if name == "f16":
        return weight.half().float()
    return rounded_groups(weight, kind.group, _VALUES[name])


def encoded(weight: np.ndarray, name: str) -> np.ndarray:
    """The bytes of weights in the type's GGUF container.

    Parameters
    ----------
    weight
        Finite float32, (rows, columns).

    Returns
    -------
    np.ndarray
        Uint8, (rows, bytes of a row in the container).

    Raises
    ------
    NasbuildError
        If the columns are not whole groups, or weights are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.zoo.lm.tensor_types import encoded
    >>> encoded(np.ones((2, 64), np.float32), "w3g64").shape
    (2, 36)
    """
    from gguf import GGMLQuantizationType
    from gguf.quants import quantize

    kind = _fitting(name, weight.shape[-1])
    weight = np.ascontiguousarray(weight, np.float32)
    _check_finite(bool(np.isfinite(weight).all()))
    if name in _ODD_BITS or name in _K_TYPES:
        # PyTorch takes writable arrays alone; tensors of a file are not.
        groups = torch.from_numpy(weight if weight.flags.writeable else weight.copy()).reshape(-1, kind.group)
        stored = k_bytes(groups, name) if name in _K_TYPES else _in_q4_0(groups, _ODD_BITS[name])
        return stored.reshape(weight.shape[0], -1)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # groups whose scale is 0 in float16: any level is right
        return quantize(weight, GGMLQuantizationType[kind.container.upper()]).view(np.uint8)


def _in_q4_0(groups: Tensor, bits: int) -> np.ndarray:
    """Odd levels in blocks of 32: a float16 scale, then level + 8 of columns n and n + 16 in byte n."""
    half_step, levels = odd_levels(groups, bits)
    blocks = levels.add_(8).to(torch.uint8).reshape(-1, 2, 16).numpy()
    scales = half_step.half().repeat_interleave(groups.shape[1] // 32, 0).numpy().view(np.uint8)
    return np.concatenate([scales, blocks[:, 0] | (blocks[:, 1] << 4)], axis=1)


def _fitting(name: str, columns: int) -> TensorType:
    if not fits(name, columns):
        kind = tensor_type(name)
        raise NasbuildError(
            f"rows of {columns} columns can't be '{name}', which has groups of {kind.group}",
            allowed=[other for other in (*_TYPES, *_K_TYPES) if fits(other, columns)],
        )
    return tensor_type(name)


def _check_finite(finite: bool) -> None:
    if not finite:
        raise NasbuildError("weights that are not finite can't be rounded", todo="repair the model's file")
