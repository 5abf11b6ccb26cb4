"""Helpers for matching patterns in a draft."""

from __future__ import annotations

import numpy as np

from nasbuild.ir._draft_graph import Const, Draft, Node, Operand


class Uses:
    """The readers of each node."""

    def __init__(self, draft: Draft) -> None:
        self._users = draft.users()
        self._outputs = set(draft.outputs)

    def of(self, node: Node) -> list[Node]:
        return self._users.get(node, [])

    def sole(self, node: Node) -> Node | None:
        """The only reader of a node; None if there are several or the node is an output."""
        users = self.of(node)
        return users[0] if users and len(set(users)) == 1 and node not in self._outputs else None

    def only(self, node: Node, user: Node) -> bool:
        return self.sole(node) is user


def scalar(operand: Operand) -> float | None:
    """The number in a constant of one element; None otherwise."""
    if isinstance(operand, Const) and operand.value is not None and operand.value.size == 1:
        return float(np.real(operand.value.reshape(-1)[0]))
    return None


def number(node: Node, op: str, value: float) -> Node | None:
    """The operand of ``node`` if it is ``op`` with a number near ``value``; division counts as a product."""
    if len(node.inputs) != 2 or len(node.data) != 1:
        return None
    constant = scalar(node.constants[0]) if node.constants else None
    if constant is None:
        return None
    if op == "Mul" and node.op == "Div" and node.inputs[0] is node.data[0] and constant:
        constant = 1 / constant
    elif node.op != op:
        return None
    return node.data[0] if abs(constant - value) <= 1e-3 * max(abs(value), 1e-3) else None


def other(node: Node, one: Node) -> Operand:
    """The other operand of a pair."""
    rest = [o for o in node.inputs if o is not one]
    return rest[0] if len(node.inputs) == 2 and len(rest) == 1 else None
