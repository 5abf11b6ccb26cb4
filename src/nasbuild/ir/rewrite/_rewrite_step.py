"""Shared parts of rewriting steps."""

from __future__ import annotations

from nasbuild.ir._draft_graph import Draft, Node, Operand, Shape


def insert(draft: Draft, after: dict[Node, Node]) -> None:
    """Insert each value right after its key, between the key and its readers."""

    def moved(operand: Operand) -> Operand:
        return after.get(operand, operand) if isinstance(operand, Node) else operand

    nodes: list[Node] = []
    for node in draft.nodes:
        node.inputs = [moved(o) for o in node.inputs]
        nodes.append(node)
        if node in after:
            nodes.append(after[node])
    draft.nodes = nodes
    draft.outputs = [after.get(node, node) for node in draft.outputs]


def known(shape: Shape | None) -> bool:
    """Whether all sizes of a shape are known."""
    return shape is not None and all(shape)
