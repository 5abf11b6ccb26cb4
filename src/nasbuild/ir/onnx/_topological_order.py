"""Sorts the operations of an ONNX graph topologically."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence

import onnx

from nasbuild.errors import NasbuildError


def in_order(nodes: Sequence[onnx.NodeProto], known: Container[str]) -> Iterable[onnx.NodeProto]:
    """The operations in topological order; the given order is kept where it is valid.

    Parameters
    ----------
    known
        Names that are defined before.

    Raises
    ------
    NasbuildError
        If a name is defined twice or not at all, or the operations form a cycle.
    """
    giver: dict[str, int] = {}
    for index, node in enumerate(nodes):
        check_text(node.op_type, node.domain, node.overload, node.name, *node.input, *node.output)
        for name in node.output:
            if name and (name in giver or name in known):
                raise NasbuildError(f"the name {name[:80]!r} is defined twice")
            if name:
                giver[name] = index
    waits: list[int] = []
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        sources = set()
        for name in _read(node):
            if name in giver:
                sources.add(giver[name])
            elif name and name not in known:
                raise NasbuildError(
                    f"operation {(node.name or node.op_type)[:80]!r} reads {name[:80]!r}, which nothing produces"
                )
        waits.append(len(sources))
        for source in sources:
            readers.setdefault(source, []).append(index)
    return _sorted(nodes, waits, readers)


def check_text(*texts: object) -> None:
    """Refuse text that is not UTF-8, which protocol buffers return as bytes."""
    if not all(isinstance(text, str) for text in texts):
        raise NasbuildError("is not an ONNX file, or is damaged (a name is not UTF-8 text)")


def _sorted(
    nodes: Sequence[onnx.NodeProto], waits: list[int], readers: dict[int, list[int]]
) -> list[onnx.NodeProto]:
    # The smallest index first: a sorted graph stays as it is.
    ready = [index for index, count in enumerate(waits) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers.get(index, ()):
            waits[reader] -= 1
            if waits[reader] == 0:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        waiting = next(n for n, count in zip(nodes, waits, strict=True) if count)
        raise NasbuildError(
            f"has a cycle: operation {(waiting.name or waiting.op_type)[:80]!r} waits for its own result"
        )
    return [nodes[index] for index in order]


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Names that an operation reads, including those read by its subgraphs."""
    yield from node.input
    stack = [(graph, frozenset[str]()) for graph in _graphs(node)]
    while stack:
        graph, around = stack.pop()
        inside = around | {t.name for t in graph.initializer} | {i.name for i in graph.input}
        inside |= {name for inner in graph.node for name in inner.output}
        for inner in graph.node:
            yield from (name for name in inner.input if name not in inside)
            stack += [(deeper, inside) for deeper in _graphs(inner)]


def _graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    found = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.append(attribute.g)
        found.extend(attribute.graphs)
    return found
