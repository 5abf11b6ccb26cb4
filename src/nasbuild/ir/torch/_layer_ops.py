"""Operations of torch that are layers: convolutions, products, norms, pools, attention."""

from __future__ import annotations

from math import prod
from typing import Any

from torch import Tensor

from nasbuild.ir._draft_graph import Const, Node, Shape
from nasbuild.ir.torch._call import Call
from nasbuild.ir.torch._op_names import NORMS


def convolution(call: Call) -> list[Node]:
    x, w, b, stride, _, dilation, transposed, _, groups = call.args[:9]
    node = call.node(
        "ConvTranspose" if transposed else "Conv", [call.value(t) for t in (x, w, b) if t is not None]
    )
    node.kernel = tuple(w.shape[2:])
    node.stride, node.dilation = _spread(stride, node.kernel), _spread(dilation, node.kernel)
    node.groups, node.bias = int(groups), b is not None
    node.macs = prod(x.shape if transposed else node.shape or ()) * prod(w.shape[1:])
    return [node]


def _spread(value: Any, kernel: Shape) -> Shape:
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    return sizes * len(kernel) if len(sizes) == 1 else sizes


def product(call: Call) -> list[Node]:
    return [_multiplied(call, *call.args[:2])]


def _multiplied(call: Call, left: Tensor, right: Tensor) -> Node:
    pair = [call.value(left), call.value(right)]
    learnt = any(isinstance(o, Const) for o in pair)
    return call.node("Gemm" if learnt else "MatMul", pair, macs=prod(call.shapes[0]) * left.shape[-1])


def added_product(call: Call) -> list[Node]:
    """A bias or tensor plus a matrix product: ``addmm``, ``baddbmm``."""
    product = _multiplied(call, *call.args[1:3])
    added = call.value(call.args[0])
    if isinstance(added, Const) and product.op == "Gemm":
        product.inputs.append(added)
        product.bias = True
        return [product]
    if call.kwargs.get("beta", 1) == 0:
        return [product]
    alpha = call.kwargs.get("alpha", 1)
    scaled = [call.node("Mul", [product, call.value(alpha)])] if alpha != 1 else []
    return [product, *scaled, call.node("Add", [added, (scaled or [product])[-1]])]


def linear(call: Call) -> list[Node]:
    bias = call.arg(2, "bias")
    learnt = call.value(call.args[1])
    node = call.node("Gemm", [call.value(call.args[0]), learnt])
    node.macs = prod(call.shapes[0]) * call.source()[-1]
    if bias is not None:
        node.inputs.append(call.value(bias))
        node.bias = True
    return [node]


def norm(call: Call) -> Node:
    op = NORMS[call.op]
    weight, bias = {
        "LayerNormalization": (2, 3),
        "RMSNormalization": (2, 99),
        "GroupNormalization": (1, 2),
        "BatchNormalization": (1, 2),
    }[op]
    training = call.op in ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm") and call.arg(
        5
    )
    stored = [call.arg(p) for p in ((1, 2, 3, 4) if op == "BatchNormalization" else (weight, bias))]
    inputs = [call.value(t) for t in (call.args[0], *stored) if isinstance(t, Tensor)]
    node = call.node("InstanceNormalization" if training else op, inputs)
    node.bias = isinstance(call.arg(bias), Tensor)
    if op == "GroupNormalization":
        node.groups = call.args[6]
        if node.groups == call.args[4]:
            node.op, node.groups = "InstanceNormalization", 0
    return node


def pool(call: Call) -> list[Node]:
    named = "MaxPool" if "max" in call.op else "AveragePool"
    node = call.node(named, [call.value(call.args[0])])
    rank = len(call.source()) - 2
    if call.op.lstrip("_").startswith("adaptive"):
        node.stride = tuple(
            max(a // max(b, 1), 1) for a, b in zip(call.source()[2:], call.shapes[0][2:], strict=True)
        )
        node.kernel = tuple(
            a - (b - 1) * s
            for a, b, s in zip(call.source()[2:], call.shapes[0][2:], node.stride, strict=True)
        )
        if node.kernel != node.stride:
            # The windows differ in size, so there is no kernel to report.
            node.kernel = node.stride = ()
    else:
        ones = (1,) * rank
        node.kernel = _spread(call.args[1], ones)
        node.stride = _spread(call.arg(2) or call.args[1], ones)
    node.dilation = (1,) * len(node.kernel)
    if named == "MaxPool" and len(call.args) > 4:
        node.dilation = _spread(call.args[4], node.kernel)
    return [node]


def attention(call: Call) -> list[Node]:
    mask = (
        call.arg(3, "attn_mask")
        if call.op == "scaled_dot_product_attention"
        else call.kwargs.get("attn_mask")
    )
    query, key, values = call.args[:3]
    operands = [call.value(t) for t in (query, key, values, mask) if isinstance(t, Tensor)]
    node = call.node("Attention", operands, heads=query.shape[-3] if query.dim() > 2 else 1)
    node.macs = prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + values.shape[-1])
    return [node]
