"""Fuses attention that was written as two products with a softmax between them."""

from __future__ import annotations

from nasbuild.ir._draft_graph import Const, Draft, Node
from nasbuild.ir._mac_free_ops import UNKNOWN
from nasbuild.ir.rewrite._match import Uses, scalar

_BETWEEN = ("Add", "Mul", "Div", "Sub", "Where", "Reshape")
_AWAY = -1e4
_MOST = 8  # operations between a product and the softmax


def fuse_attention(draft: Draft) -> None:
    """Fuse attention; its operands are queries, keys, values, and masks that depend on an input."""
    uses = Uses(draft)
    known = set(draft.nodes)
    made: list[tuple[Node, Node]] = []
    for softmax in [node for node in draft.nodes if node.op == "Softmax"]:
        found = _product_before(softmax, uses)
        after = _product_after(softmax, uses)
        if found is None or after is None:
            continue
        scores, masks, weights = found
        last, weighed = after
        values = last.inputs[1] if last.inputs[0] is weighed else None
        if not isinstance(values, Node) or len(scores.data) != 2:
            continue
        queries = _unscaled(scores.data[0], uses)
        keys = _unscaled(_turned_back(_unscaled(scores.data[1], uses)), uses)
        new = keys
        while new not in known:
            made.append((last, new))
            new = new.data[0]
        shape = draft.normal(queries.shape) or ()
        macs = [product.macs for product in (scores, last)]
        last.macs = UNKNOWN if None in macs or UNKNOWN in macs else sum(n or 0 for n in macs)
        last.heads = shape[-3] if len(shape) > 2 else 1
        last.op, last.inputs, last.more = "Attention", [queries, keys, values, *masks], {}
        last.weights.update(weights)
    # Nodes nearest to the attention were found first.
    for last, new in reversed(made):
        draft.nodes.insert(draft.nodes.index(last), new)
    draft.prune()


def _product_before(softmax: Node, uses: Uses) -> tuple[Node, list[Node], dict[str, int]] | None:
    masks: list[Node] = []
    weights: dict[str, int] = {}
    step = softmax
    for _ in range(_MOST):
        ways = [d for d in step.data if d.op in (*_BETWEEN, "MatMul") and uses.only(d, step)]
        # If a mask comes from a product as well, the scores are the first operand: scores + mask.
        way = next((d for d in ways if d.op == "MatMul"), None) or next(
            (d for d in ways if _leads(d, uses)), None
        )
        if way is None:
            return None
        masks += [d for d in step.data if d is not way]
        weights |= {k: v for c in step.constants if not _hides(c) for k, v in c.weights.items()}
        if way.op == "MatMul":
            return way, masks, weights
        step = way
    return None


def _leads(node: Node, uses: Uses) -> bool:
    for _ in range(_MOST):
        if node.op == "MatMul":
            return True
        ways = [d for d in node.data if d.op in (*_BETWEEN, "MatMul") and uses.only(d, node)]
        if not ways:
            return False
        node = next((d for d in ways if d.op == "MatMul"), ways[0])
    return False


def _product_after(softmax: Node, uses: Uses) -> tuple[Node, Node] | None:
    step = softmax
    for _ in range(_MOST):
        readers = set(uses.of(step))
        tests = {r for r in readers if r.op == "IsNaN"}
        rest = readers - tests
        # A softmax over masked scores only is NaN, which exporters replace by 0.
        guarded = all(uses.sole(test) in rest for test in tests)
        if len(rest) != 1 or not guarded:
            return None
        (reader,) = rest
        if reader.op == "MatMul":
            return reader, step
        if reader.op not in ("Where", "Reshape"):
            return None
        step = reader
    return None


def _unscaled(node: Node, uses: Uses) -> Node:
    """The node before it was scaled by a number."""
    for _ in range(_MOST):
        scaled = node.op in ("Mul", "Div") and len(node.data) == 1 and scalar(node.constants[0]) is not None
        if not scaled or uses.sole(node) is None:
            break
        node = node.data[0]
    return node


def _turned_back(node: Node) -> Node:
    """Keys before their transposition, which may involve other or joined dimensions."""
    if node.op == "Transpose" and len(perm := list(node.more.get("perm", ()))) > 1:
        shape = None if node.shape is None else (*node.shape[:-2], node.shape[-1], node.shape[-2])
        perm[-2:] = perm[-1], perm[-2]
        if perm == sorted(perm):
            return node.data[0]
        return Node("Transpose", [node.data[0]], shape, node.label, more={"perm": tuple(perm)})
    if node.op == "Reshape" and node.data[0].op == "Transpose":
        turned = node.data[0]
        if node.shape and turned.shape and node.shape[-2:] == turned.shape[-2:] and len(turned.shape) > 2:
            shape = (*node.shape[:-2], node.shape[-1], node.shape[-2])
            return Node("Reshape", [_turned_back(turned)], shape, node.label)
    return node


def _hides(constant: Const) -> bool:
    """Whether a constant only keeps or masks scores, so that nothing in it is learnt."""
    value = constant.value
    return value is not None and bool(((value == 0) | (value <= _AWAY)).all())
