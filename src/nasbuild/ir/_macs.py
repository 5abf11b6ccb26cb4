"""Multiply-accumulates from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]


def macs_of(
    op: str, kernel: Shape, groups: int, inputs: Sequence[Sequence[int] | None], output: Sequence[int] | None
) -> int:
    """Multiply-accumulates of one operation; 0 for those that multiply no matrices, and where shapes are not known.

    A bias, a softmax and the scale of attention are not counted.
    """
    first = inputs[0] if inputs else None
    if first is None or output is None or min(len(first), len(output)) == 0:
        return 0
    if op == "Conv" and len(first) > 1:
        return prod(output) * (first[1] // max(groups, 1)) * prod(kernel)
    if op == "ConvTranspose" and len(output) > 1:
        return prod(first) * (output[1] // max(groups, 1)) * prod(kernel)
    if op == "MatMul" or op == "Gemm":
        return prod(output) * first[-1]
    if op == "Attention" and len(inputs) > 2 and inputs[1] and len(inputs[1]) > 1:
        # Queries by keys, then weights by values: (..., queries, keys) times the widths of keys and of values.
        return prod(first[:-1]) * inputs[1][-2] * (first[-1] + output[-1])
    return 0
