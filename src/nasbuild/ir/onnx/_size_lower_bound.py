"""Lower bounds on the work of reading an ONNX graph: a small file may describe billions of operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

Functions = Mapping[tuple[str, str, str], onnx.FunctionProto]
"""Functions by domain, name and overload."""


def size_lower_bound(nodes: Sequence[onnx.NodeProto], functions: Functions, deepest: int) -> tuple[int, int]:
    """Lower bounds on the operations that an import produces and on the bytes of inlined functions.

    Each function is counted once, however often it is called. Branches are left out, as only one of two
    is read. So are calls deeper than ``deepest`` and recursive ones, which reading refuses.
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
