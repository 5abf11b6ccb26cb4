"""How much there is to read in an ONNX graph, before it is read: a file of kilobytes may stand for billions of operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

Functions = Mapping[tuple[str, str, str], onnx.FunctionProto]
"""Domain, name and overload -> function."""


def least(nodes: Sequence[onnx.NodeProto], functions: Functions, deepest: int) -> tuple[int, int]:
    """Operations that reading comes to at least, and bytes of functions that it puts in place.

    Each function is looked at once, however often it is called. Branches are left out, as one of two is read, and so
    is what stands deeper than ``deepest`` calls or calls itself, which reading refuses.
    """
    known: dict[tuple[str, str, str], tuple[int, int]] = {}

    def count(nodes: Sequence[onnx.NodeProto], depth: int) -> tuple[int, int]:
        operations, copied = len(nodes), 0
        for node in nodes:
            key = node.domain, node.op_type, node.overload
            function = functions.get(key)
            if function is None or depth == deepest:
                continue
            if key not in known:
                known[key] = 0, 0
                known[key] = count(function.node, depth + 1)
            inside = known[key]
            operations += inside[0]
            copied += function.ByteSize() + inside[1]
        return operations, copied

    return count(nodes, 0)
