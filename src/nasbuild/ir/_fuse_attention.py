"""Attention that was written as two products with a softmax between them."""

from __future__ import annotations

from nasbuild.ir._draft import Draft, Node, Operand
from nasbuild.ir._macs import macs_of
from nasbuild.ir._match import Uses, scalar

_BETWEEN = ("Add", "Mul", "Div", "Sub", "Where", "Reshape")
_MOST = 8  # operations between a product and the softmax


def fuse_attention(draft: Draft) -> None:
    """Name attention: operands are queries, keys, values, and masks that depend on an input."""
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
        queries, keys = (_unscaled(node, uses, keys=i > 0) for i, node in enumerate(scores.data))
        if keys not in known:
            made.append((last, keys))
        shape = draft.normal(queries.shape) or ()
        last.macs = sum(
            macs_of("MatMul", (), 0, [product.data[0].shape], product.shape) for product in (scores, last)
        )
        last.heads = shape[-3] if len(shape) > 2 else 1
        last.op, last.inputs, last.more = "Attention", [queries, keys, values, *masks], {}
        last.weights.update(weights)
    for last, keys in made:
        draft.nodes.insert(draft.nodes.index(last), keys)
    draft.prune()


def _product_before(softmax: Node, uses: Uses) -> tuple[Node, list[Node], dict[str, int]] | None:
    masks: list[Node] = []
    weights: dict[str, int] = {}
    step = softmax
    for _ in range(_MOST):
        ways = [d for d in step.data if d.op in (*_BETWEEN, "MatMul") and uses.only(d, step)]
        product = [d for d in ways if d.op == "MatMul"]
        if len(product or ways) != 1:
            # Two ways: the one that leads to a product by itself, the other is a mask.
            ways = [d for d in ways if _leads(d, uses)]
            if len(ways) != 1:
                return None
        way = (product or ways)[0]
        masks += [d for d in step.data if d is not way]
        weights |= {k: v for c in step.constants for k, v in c.weights.items()}
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
        # A softmax of nothing but masked scores is no number, and exporters put 0 for it.
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


def _unscaled(node: Node, uses: Uses, *, keys: bool) -> Node:
    """What stood before it was scaled, and keys before they were transposed."""
    for _ in range(_MOST):
        if uses.sole(node) is None:
            break
        if node.op in ("Mul", "Div") and len(node.data) == 1 and _is_number(node.constants[0]):
            node = node.data[0]
        elif keys and node.op == "Transpose" and _swaps_last(node):
            node = node.data[0]
        elif keys and (turned := _turned_inside(node)) is not None:
            node = turned
        else:
            break
    return node


def _turned_inside(node: Node) -> Node | None:
    """Keys that were transposed with their leading dimensions joined, as keys that never were."""
    if node.op != "Reshape" or node.data[0].op != "Transpose" or not _swaps_last(node.data[0]):
        return None
    turned = node.data[0].shape
    if not node.shape or not turned or node.shape[-2:] != turned[-2:]:
        return None
    shape = (*node.shape[:-2], node.shape[-1], node.shape[-2])
    return Node("Reshape", [node.data[0].data[0]], shape, node.label)


def _swaps_last(node: Node) -> bool:
    perm = list(node.more.get("perm", ()))
    n = len(perm)
    return n > 1 and perm == [*range(n - 2), n - 1, n - 2]


def _is_number(operand: Operand) -> bool:
    return scalar(operand) is not None
