"""Fuses normalisations that were written as several operations."""

from __future__ import annotations

from nasbuild.ir._draft_graph import Draft, Node
from nasbuild.ir.rewrite._match import Uses, number, other, scalar

NORMS = ("LayerNormalization", "RMSNormalization", "GroupNormalization", "InstanceNormalization")


def fuse_norms(draft: Draft) -> None:
    """Fuse layer, root-mean-square and group norms, with their scale and shift."""
    for node in draft.nodes:
        _layer_norm(node)
    draft.prune()
    uses = Uses(draft)
    made: list[tuple[Node, Node]] = []
    for node in draft.nodes:
        made += _group_norm(node, uses)
    for before, node in made:
        draft.nodes.insert(draft.nodes.index(node), before)
    draft.prune()
    _affine(draft, Uses(draft))


def _layer_norm(node: Node) -> None:
    """Fuse (x - mean) / sqrt(mean((x - mean)^2) + eps), with or without the means."""
    for top in node.data if node.op in ("Mul", "Div") and len(node.data) == 2 else ():
        root = other(node, top)
        if not isinstance(root, Node):
            continue
        if node.op == "Mul":
            if root.op != "Reciprocal" and (root.op != "Div" or scalar(root.inputs[0]) != 1):
                continue
            root = root.data[0]
        elif node.inputs[0] is not top:
            continue
        if root.op != "Sqrt" or root.data[0].op != "Add" or len(root.data[0].data) != 1:
            continue
        mean = root.data[0].data[0]
        if mean.op != "ReduceMean" or scalar(root.data[0].constants[0]) is None:
            continue
        base = _squared(mean.data[0])
        centred = _centred(top)
        if base is None:
            continue
        if centred is not None and (base is top or _centred(base) is centred):
            node.op, node.inputs, node.more = "LayerNormalization", [centred], {}
        elif base is top:
            node.op, node.inputs, node.more = "RMSNormalization", [top], {}
        return


def _squared(node: Node) -> Node | None:
    if node.op == "Mul" and len(node.data) == 2 and node.data[0] is node.data[1]:
        return node.data[0]
    return number(node, "Pow", 2)


def _centred(node: Node) -> Node | None:
    """x, if the node is x minus its mean."""
    if node.op == "Sub" and len(node.data) == 2:
        x, mean = node.data
        if mean.op == "ReduceMean" and mean.data[0] is x:
            return x
    return None


def _group_norm(node: Node, uses: Uses) -> list[tuple[Node, Node]]:
    """Fuse an instance norm over channels joined to groups; returns the reshapes to insert."""
    if node.op != "Reshape" or node.data[0].op != "InstanceNormalization":
        return []
    inner = node.data[0]
    joined = inner.data[0]
    if joined.op != "Reshape" or not uses.only(inner, node) or not joined.shape or len(joined.shape) < 2:
        return []
    source, groups = joined.data[0], joined.shape[1]
    node.op, node.groups, node.weights, node.bias = "GroupNormalization", groups, {}, False
    if node.shape is not None and len(node.shape) > 1:
        # One group for each channel: of each picture, or of all pictures of the batch, as torch exports it.
        if groups == node.shape[0] * node.shape[1] and joined.shape[0] == 1:
            node.op, node.groups, node.weights, node.bias = inner.op, 0, inner.all_weights(), inner.bias
        elif groups == node.shape[1]:
            node.op, node.groups = inner.op, 0
    node.inputs = [source]
    if source.shape == node.shape:
        return []
    before = Node("Reshape", [source], node.shape, node.label)
    node.inputs = [before]
    return [(before, node)]


def _affine(draft: Draft, uses: Uses) -> None:
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        if node.op not in ("Mul", "Add") or len(node.data) != 1 or len(node.inputs) != 2:
            continue
        norm = node.data[0]
        before = replaced.get(norm, norm)
        weights = node.all_weights()
        full = before.bias if node.op == "Add" else bool(before.all_weights())
        if before.op not in NORMS or not weights or full or not uses.only(norm, node):
            continue
        before.weights.update(weights)
        before.bias = node.op == "Add"
        replaced[node] = before
    draft.replace(replaced)
