"""Removes and merges data movement and repeated computation."""

from __future__ import annotations

from nasbuild.ir._draft_graph import NOTHING, Const, Draft, Node, Operand, Shape, size_of
from nasbuild.ir.rewrite._match import scalar
from nasbuild.ir.rewrite._rewrite_step import insert, known

_SHARED = {
    *(
        "Reshape",
        "Transpose",
        "Relu",
        "Sigmoid",
        "Tanh",
        "Swish",
        "HardSwish",
        "HardSigmoid",
        "Gelu",
        "Clip",
        "Sqrt",
    ),
    *("Exp", "Sin", "Cos", "Neg", "Reciprocal", "Add", "Sub", "Mul", "Div"),
}
"""Operations that depend only on their operands, their shape, and the settings that drafts hold."""
_SAME_SHAPE_SAME_DATA = ("Reshape", "Expand", "Tile", "Pad")


def drop_nothing(draft: Draft) -> None:
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        data = node.data
        if not data:
            continue
        unmoved = node.op in _SAME_SHAPE_SAME_DATA and known(node.shape) and node.shape == data[0].shape
        straight = node.op == "Transpose" and list(node.more.get("perm", ())) == list(
            range(len(node.shape or ""))
        )
        if node.op == NOTHING or unmoved or _neutral(node) or (straight and node.shape):
            replaced[node] = data[0]
    draft.replace(replaced)


def _neutral(node: Node) -> bool:
    """Whether a node multiplies or divides by 1, or adds or subtracts 0."""
    number = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}.get(node.op)
    if number is None or len(node.inputs) != 2 or not known(node.shape) or node.shape != node.data[0].shape:
        return False
    first = node.inputs[0] is node.data[0] or node.op in ("Mul", "Add")
    return first and len(node.constants) == 1 and scalar(node.constants[0]) == number


def merge_reshapes(draft: Draft) -> None:
    """Merge chains of reshapes, and remove reshapes that change nothing."""
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        if node.op != "Reshape" or not node.data:
            continue
        source = node.data[0]
        while source.op == "Reshape" or source in replaced:
            source = replaced[source] if source in replaced else source.data[0]
        node.inputs = [source]
        if known(node.shape) and node.shape == source.shape:
            replaced[node] = source
    draft.replace(replaced)


def merge_transposes(draft: Draft) -> None:
    """Merge two consecutive transposes into one."""
    for node in draft.nodes:
        if node.op != "Transpose" or node.data[0].op != "Transpose":
            continue
        outer, inner = node.more.get("perm"), node.data[0].more.get("perm")
        if outer and inner and len(outer) == len(inner):
            node.more["perm"] = tuple(inner[axis] for axis in outer)
            node.inputs = [node.data[0].data[0]]
    drop_nothing(draft)


def share_equal(draft: Draft) -> None:
    """Compute equal operations on the same operands once, as exporters may write them twice."""
    replaced: dict[Node, Node] = {}
    seen: dict[tuple[object, ...], Node] = {}
    for node in draft.nodes:
        if node.op not in _SHARED or not known(node.shape):
            continue
        operands = tuple(_identity(replaced.get(o, o) if isinstance(o, Node) else o) for o in node.inputs)
        settings = (node.more.get("perm"), node.more.get("bounds"))
        first = seen.setdefault((node.op, operands, node.shape, settings), node)
        if first is not node:
            replaced[node] = first
    draft.replace(replaced)


def _identity(operand: Operand) -> object:
    if isinstance(operand, Const):
        if operand.value is not None:
            return operand.value.dtype.kind, operand.value.shape, operand.value.tobytes()
        return (operand.shape, tuple(sorted(operand.weights))) if operand.weights else id(operand)
    return id(operand)


def unflatten(draft: Draft) -> None:
    """Restore the leading dimensions of products that were joined for them."""
    inserted: dict[Node, Node] = {}
    for node in draft.nodes:
        flat = node.data
        if node.op == "Gemm" and len(flat) == 1:
            kept = 1
        elif node.op == "MatMul" and len(flat) == 2:
            kept = 2
        else:
            continue
        wholes = [_whole(f, kept) for f in flat]
        if any(w is f for w, f in zip(wholes, flat, strict=True)) or not known(node.shape):
            continue
        leading = {w.shape[:-kept] for w in wholes if w.shape is not None}
        if len(leading) != 1 or node.shape is None:
            continue
        after = Node("Reshape", [node], node.shape, node.label)
        node.inputs = [_whole(o, kept) if isinstance(o, Node) else o for o in node.inputs]
        node.shape = leading.pop() + node.shape[-kept:]
        inserted[node] = after
    insert(draft, inserted)


def _whole(flat: Node, kept: int) -> Node:
    """The node before leading dimensions were joined or split; the last ``kept`` dimensions are unchanged."""
    whole = flat
    while flat.op == "Reshape":
        flat = flat.data[0]
        if _fits(flat.shape, whole.shape, kept):
            whole = flat
    return whole


def _fits(one: Shape | None, two: Shape | None, kept: int) -> bool:
    if one is None or two is None or not (known(one) and known(two)) or min(len(one), len(two)) <= kept:
        return False
    return one[-kept:] == two[-kept:] and size_of(one) == size_of(two)


def align_attention(draft: Draft) -> None:
    """Give keys, values and results of attention the leading dimensions of its queries."""
    nodes: list[Node] = []
    moved: dict[Node, Node] = {}
    for node in draft.nodes:
        node.inputs = [moved.get(o, o) if isinstance(o, Node) else o for o in node.inputs]
        if node.op != "Attention" or not all(known(s) for s in (node.shape, *(d.shape for d in node.data))):
            nodes.append(node)
            continue
        leading = (node.data[0].shape or ())[:-2]
        for position in (1, 2):
            source = node.inputs[position] if position < len(node.inputs) else None
            if isinstance(source, Node) and (shape := _led(source.shape or (), leading)):
                aligned = Node("Reshape", [source], shape, node.label)
                node.inputs[position] = aligned
                nodes.append(aligned)
        nodes.append(node)
        if node.shape is not None and (shape := _led(node.shape, leading)):
            moved[node] = Node("Reshape", [node], node.shape, node.label)
            nodes.append(moved[node])
            node.shape = shape
    draft.nodes = nodes
    draft.outputs = [moved.get(node, node) for node in draft.outputs]


def _led(shape: Shape, leading: Shape) -> Shape | None:
    """The shape with other leading dimensions, if they differ and have as many elements."""
    same = shape[:-2] == leading or size_of(shape[:-2]) != size_of(leading) or len(shape) < 2
    return None if same else (*leading, *shape[-2:])
