"""One form for what exporters write in several: what only moves data, biases, folded norms, pools."""

from __future__ import annotations

from collections.abc import Callable

from nasbuild.ir._draft import NOTHING, Const, Draft, Node, Operand, Shape, size_of
from nasbuild.ir._fuse import fuse_activations
from nasbuild.ir._fuse_attention import fuse_attention
from nasbuild.ir._fuse_norm import fuse_norms
from nasbuild.ir._match import Uses, scalar

LINEAR = ("Conv", "ConvTranspose", "Gemm")
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
"""What depends on nothing but its operands, its shape, and the settings that drafts hold."""
_SAME_SHAPE_SAME_DATA = ("Reshape", "Expand", "Tile", "Pad")


def simplify(draft: Draft) -> None:
    """Bring a draft into the one form that both routes share; the order of the steps matters."""
    steps: tuple[Callable[[Draft], None], ...] = (
        drop_nothing,
        share_equal,
        merge_transposes,
        fold_into_linear,
        unflatten,
        merge_reshapes,
        fold_into_linear,
        fold_pads,
        name_pools,
        fuse_activations,
        fuse_norms,
        merge_reshapes,
        fuse_attention,
        align_attention,
        merge_transposes,
        merge_reshapes,
        share_equal,
    )
    draft.prune()
    for step in steps:
        step(draft)
        draft.prune()


def drop_nothing(draft: Draft) -> None:
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        data = node.data
        if not data:
            continue
        unmoved = node.op in _SAME_SHAPE_SAME_DATA and _known(node.shape) and node.shape == data[0].shape
        straight = node.op == "Transpose" and list(node.more.get("perm", ())) == list(
            range(len(node.shape or ""))
        )
        if node.op == NOTHING or unmoved or _neutral(node) or (straight and node.shape):
            replaced[node] = data[0]
    draft.replace(replaced)


def _neutral(node: Node) -> bool:
    """Whether it multiplies or divides by 1, or adds 0."""
    number = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}.get(node.op)
    if number is None or len(node.inputs) != 2 or not _known(node.shape) or node.shape != node.data[0].shape:
        return False
    first = node.inputs[0] is node.data[0] or node.op in ("Mul", "Add")
    return first and len(node.constants) == 1 and scalar(node.constants[0]) == number


def merge_reshapes(draft: Draft) -> None:
    """A reshape reads what was there before other reshapes; one that changes nothing vanishes."""
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        if node.op != "Reshape" or not node.data:
            continue
        source = node.data[0]
        while source.op == "Reshape" or source in replaced:
            source = replaced[source] if source in replaced else source.data[0]
        node.inputs = [source]
        if _known(node.shape) and node.shape == source.shape:
            replaced[node] = source
    draft.replace(replaced)


def merge_transposes(draft: Draft) -> None:
    """One transpose for two behind each other."""
    for node in draft.nodes:
        if node.op != "Transpose" or node.data[0].op != "Transpose":
            continue
        outer, inner = node.more.get("perm"), node.data[0].more.get("perm")
        if outer and inner and len(outer) == len(inner):
            node.more["perm"] = tuple(inner[axis] for axis in outer)
            node.inputs = [node.data[0].data[0]]
    drop_nothing(draft)


def share_equal(draft: Draft) -> None:
    """One node for what is computed twice of the same operands, as some exporters write it."""
    replaced: dict[Node, Node] = {}
    seen: dict[tuple[object, ...], Node] = {}
    for node in draft.nodes:
        if node.op not in _SHARED or not _known(node.shape):
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
    """Products of tensors whose leading dimensions were joined for them get these dimensions back."""
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
        if any(w is f for w, f in zip(wholes, flat, strict=True)) or not _known(node.shape):
            continue
        leading = {w.shape[:-kept] for w in wholes if w.shape is not None}
        if len(leading) != 1 or node.shape is None:
            continue
        after = Node("Reshape", [node], node.shape, node.label)
        node.inputs = [_whole(o, kept) if isinstance(o, Node) else o for o in node.inputs]
        node.shape = leading.pop() + node.shape[-kept:]
        inserted[node] = after
    _insert(draft, inserted)


def align_attention(draft: Draft) -> None:
    """Keys, values and results of attention have the leading dimensions of its queries."""
    nodes: list[Node] = []
    moved: dict[Node, Node] = {}
    for node in draft.nodes:
        node.inputs = [moved.get(o, o) if isinstance(o, Node) else o for o in node.inputs]
        if node.op != "Attention" or not all(_known(s) for s in (node.shape, *(d.shape for d in node.data))):
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
    """The shape with other leading dimensions, if it has others and as many numbers."""
    same = shape[:-2] == leading or size_of(shape[:-2]) != size_of(leading) or len(shape) < 2
    return None if same else (*leading, *shape[-2:])


def fold_into_linear(draft: Draft) -> None:
    """An added vector becomes a bias; batch normalisation right after a convolution or product vanishes in it."""
    uses = Uses(draft)
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        data = node.data
        if len(data) != 1:
            continue
        linear = data[0]
        while linear in replaced:
            linear = replaced[linear]
        if not uses.only(data[0], node):
            continue
        before = linear
        if node.op == "Add" and linear.op == "Reshape" and _keeps_width(linear, uses):
            linear = linear.data[0]
        if linear.op not in LINEAR:
            continue
        if node.op == "Add" and not linear.bias and _is_bias(node.constants, linear):
            linear.weights.update(node.all_weights())
        elif node.op == "BatchNormalization":
            if not linear.bias:
                linear.weights[f"{node.label}.folded"] = _width(linear)
        else:
            continue
        linear.bias = True
        replaced[node] = before
    draft.replace(replaced)


def _keeps_width(reshape: Node, uses: Uses) -> bool:
    """Whether a vector that is added after it could as well be added before."""
    product = reshape.data[0]
    if product.op != "Gemm" or not uses.only(product, reshape) or not reshape.shape or not product.shape:
        return False
    return reshape.shape[-1] == product.shape[-1]


def fold_pads(draft: Draft) -> None:
    """Zeros around a picture that only a convolution reads are its own padding."""
    uses = Uses(draft)
    replaced: dict[Node, Node] = {}
    for node in draft.nodes:
        reader = uses.sole(node)
        source = node.data[0].shape if node.op == "Pad" and node.data else None
        if reader is None or reader.op != "Conv" or reader.data != [node] or not node.more.get("zeros"):
            continue
        if source is not None and node.shape is not None and source[:2] == node.shape[:2]:
            replaced[node] = node.data[0]
    draft.replace(replaced)


def name_pools(draft: Draft) -> None:
    """Means and maxima over whole pictures are global pools, followed by a reshape where dimensions go."""
    names = {"ReduceMean": "GlobalAveragePool", "AveragePool": "GlobalAveragePool"}
    names |= {"ReduceMax": "GlobalMaxPool", "MaxPool": "GlobalMaxPool"}
    inserted: dict[Node, Node] = {}
    for node in draft.nodes:
        shape = node.data[0].shape if node.op in names and node.data else None
        if shape is None or len(shape) < 4 or not _known(shape):
            continue
        if node.op.startswith("Reduce"):
            whole = node.more.get("axes") == tuple(range(2, len(shape)))
        else:
            whole = node.kernel == shape[2:] and node.shape == shape[:2] + (1,) * len(shape[2:])
        if not whole:
            continue
        node.op, node.kernel, node.stride, node.dilation = names[node.op], (), (), ()
        pooled = shape[:2] + (1,) * len(shape[2:])
        if node.shape != pooled:
            inserted[node] = Node("Reshape", [node], node.shape, node.label)
            node.shape = pooled
    _insert(draft, inserted)


def _insert(draft: Draft, after: dict[Node, Node]) -> None:
    """Put each value right behind its key, between it and those that read it."""

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


def _known(shape: Shape | None) -> bool:
    return shape is not None and all(shape)


def _whole(flat: Node, kept: int) -> Node:
    """What was there before leading dimensions were joined or parted; the last ``kept`` are as they are."""
    whole = flat
    while flat.op == "Reshape":
        flat = flat.data[0]
        if _fits(flat.shape, whole.shape, kept):
            whole = flat
    return whole


def _fits(one: Shape | None, two: Shape | None, kept: int) -> bool:
    if one is None or two is None or not (_known(one) and _known(two)) or min(len(one), len(two)) <= kept:
        return False
    return one[-kept:] == two[-kept:] and size_of(one) == size_of(two)


def _width(linear: Node) -> int:
    shape = linear.shape or ()
    position = -1 if linear.op == "Gemm" else 1
    return shape[position] if len(shape) > 1 else 0


def _is_bias(constants: list[Const], linear: Node) -> bool:
    if len(constants) != 1 or not constants[0].weights or not constants[0].shape or not linear.shape:
        return False
    shape = constants[0].shape
    at = len(shape) - 1 if linear.op == "Gemm" else len(shape) - (len(linear.shape) - 1)
    return at >= 0 and shape[at] == _width(linear) == size_of(shape)
