"""Folds biases, norms and padding into layers, and names global pools."""

from __future__ import annotations

from nasbuild.ir._draft_graph import Const, Draft, Node, size_of
from nasbuild.ir.rewrite._match import Uses
from nasbuild.ir.rewrite._rewrite_step import insert, known

_LINEAR = ("Conv", "ConvTranspose", "Gemm")


def fold_into_linear(draft: Draft) -> None:
    """Fold added vectors into biases, and batch normalisation into the convolution or product before it."""
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
        if linear.op not in _LINEAR:
            continue
        if node.op == "Add" and not linear.bias and _is_bias(node.constants, linear):
            linear.weights.update({**node.all_weights(), **node.constants[0].filled})
        elif node.op == "BatchNormalization":
            if not linear.bias:
                linear.weights[" ".join([*sorted(node.all_weights()), "folded"])] = _width(linear)
        else:
            continue
        linear.bias = True
        replaced[node] = before
    draft.replace(replaced)


def _keeps_width(reshape: Node, uses: Uses) -> bool:
    """Whether a vector added after the reshape could be added before it."""
    product = reshape.data[0]
    if product.op != "Gemm" or not uses.only(product, reshape) or not reshape.shape or not product.shape:
        return False
    return reshape.shape[-1] == product.shape[-1]


def _width(linear: Node) -> int:
    shape = linear.shape or ()
    position = -1 if linear.op == "Gemm" else 1
    return shape[position] if len(shape) > 1 else 0


def _is_bias(constants: list[Const], linear: Node) -> bool:
    if len(constants) != 1 or not constants[0].shape or not linear.shape:
        return False
    if not constants[0].weights and not constants[0].filled:
        return False
    shape = constants[0].shape
    at = len(shape) - 1 if linear.op == "Gemm" else len(shape) - (len(linear.shape) - 1)
    return at >= 0 and shape[at] == _width(linear) == size_of(shape)


def fold_pads(draft: Draft) -> None:
    """Fold zero padding into the convolution that is its only reader."""
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
    """Name means and maxima over whole pictures as global pools, followed by a reshape if dimensions vanish."""
    names = {"ReduceMean": "GlobalAveragePool", "AveragePool": "GlobalAveragePool"}
    names |= {"ReduceMax": "GlobalMaxPool", "MaxPool": "GlobalMaxPool"}
    inserted: dict[Node, Node] = {}
    for node in draft.nodes:
        shape = node.data[0].shape if node.op in names and node.data else None
        if shape is None or len(shape) < 4 or not known(shape):
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
    insert(draft, inserted)
