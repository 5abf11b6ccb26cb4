"""Fuses activations that were written as several operations."""

from __future__ import annotations

from math import pi, sqrt

from nasbuild.ir._draft_graph import Draft, Node
from nasbuild.ir.rewrite._match import Uses, number, other

_GATED = {"Sigmoid": "Swish", "HardSigmoid": "HardSwish"}


def fuse_activations(draft: Draft) -> None:
    """Fuse HardSigmoid, HardSwish, Swish and Gelu."""
    for fuse in (_hard, _gates, _gelu):
        fuse(draft, Uses(draft))
        draft.prune()


def _hard(draft: Draft, uses: Uses) -> None:
    for node in draft.nodes:
        # relu6(x + 3) / 6, alone or with its product by x inside or outside of the division.
        clip = number(node, "Mul", 1 / 6)
        gate = None
        if clip is not None and clip.op == "Mul" and len(clip.data) == 2 and uses.only(clip, node):
            gate = next((d for d in clip.data if d.op == "Clip"), None)
            gate, clip = (None, None) if gate is None else (other(clip, gate), gate)
        if clip is None or clip.op != "Clip" or clip.more.get("bounds") != (0.0, 6.0):
            continue
        if uses.sole(clip) is None or not clip.data:
            continue
        source = number(clip.data[0], "Add", 3)
        if source is None or uses.sole(clip.data[0]) is not clip or (gate is not None and gate is not source):
            continue
        node.op, node.inputs, node.more = "HardSigmoid" if gate is None else "HardSwish", [source], {}


def _gates(draft: Draft, uses: Uses) -> None:
    for node in draft.nodes:
        if node.op != "Mul" or len(node.data) != 2:
            continue
        for gate in node.data:
            x = other(node, gate)
            if gate.op in _GATED and isinstance(x, Node) and gate.data == [x] and uses.only(gate, node):
                node.op, node.inputs = _GATED[gate.op], [x]
                break


def _gelu(draft: Draft, uses: Uses) -> None:
    for node in draft.nodes:
        x = _erf_of(node) if node.op == "Erf" else _tanh_of(node) if node.op == "Tanh" else None
        step = uses.sole(node)
        if x is None or step is None or number(step, "Add", 1) is not node:
            continue
        half = found = False
        while not (half and found):
            after = uses.sole(step)
            if after is None:
                break
            beside = other(after, step)
            if number(after, "Mul", 0.5) is step and not half:
                half = True
            elif after.op == "Mul" and beside is x and not found:
                found = True
            elif after.op == "Mul" and isinstance(beside, Node) and number(beside, "Mul", 0.5) is x:
                half = found = True
            else:
                break
            step = after
        if half and found:
            step.op, step.inputs, step.more = "Gelu", [x], {}


def _erf_of(node: Node) -> Node | None:
    return number(node.data[0], "Mul", sqrt(0.5)) if node.data else None


def _tanh_of(node: Node) -> Node | None:
    """The x of tanh(sqrt(2 / pi) (x + 0.044715 x^3))."""
    inner = number(node.data[0], "Mul", sqrt(2 / pi)) if node.data else None
    if inner is None or inner.op != "Add" or len(inner.data) != 2:
        return None
    for cube in inner.data:
        x = other(inner, cube)
        power = number(cube, "Mul", 0.044715)
        if power is not None and isinstance(x, Node) and x in power.data:
            return x
    return None
