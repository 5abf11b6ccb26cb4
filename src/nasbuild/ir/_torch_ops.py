"""One operation of torch's dispatcher as nodes of a draft, in ONNX's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor

from nasbuild.ir._draft import NOTHING, PART, Const, Node, Operand, Shape
from nasbuild.ir._match import scalar
from nasbuild.ir._torch_names import LISTS, MOVES_NOTHING, NORMS, REDUCED, RESHAPES, SAME


@dataclass(frozen=True)
class _Call:
    """One operation: ``value`` tells the operand that an argument stands for."""

    op: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    shapes: Sequence[Shape]
    value: Callable[[Any], Operand]
    label: str

    def arg(self, position: int, name: str = "", default: Any = None) -> Any:
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def node(self, op: str, inputs: Sequence[Operand], shape: Shape | None = None, **more: Any) -> Node:
        return Node(op, list(inputs), self.shapes[0] if shape is None else shape, self.label, **more)

    def source(self) -> Shape:
        return tuple(self.args[0].shape) if self.args and isinstance(self.args[0], Tensor) else ()

    def operands(self) -> list[Operand]:
        """Everything that is a tensor, in lists too, and the numbers beside it."""
        found: list[Operand] = []
        for told in (*self.args, *self.kwargs.values()):
            found += [self.value(t) for t in (told if isinstance(told, list | tuple) else [told])]
        return [o for o in found if o is not None]

    def tensors(self) -> list[Operand]:
        flat = [
            t
            for a in (*self.args, *self.kwargs.values())
            for t in (a if isinstance(a, list | tuple) else [a])
        ]
        return [self.value(t) for t in flat if isinstance(t, Tensor)]


def lower(
    domain: str,
    op: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    results: Sequence[Tensor],
    value: Callable[[Any], Operand],
    label: str,
) -> list[Node]:
    """Nodes of which the last ones are the results, one for each of ``results``; the others stand before them."""
    call = _Call(op, args, kwargs, [tuple(r.shape) for r in results] or [()], value, label)
    made = _made(domain, call)
    if len(results) > 1 and len(made) < len(results):
        made = [*made, *(Node(PART, [made[-1]], shape, label) for shape in call.shapes[1:])]
    return made if results else []


def _made(domain: str, call: _Call) -> list[Node]:
    op = call.op
    if domain != "aten":
        return [call.node(f"{domain}::{op}", call.tensors())]
    if op in MOVES_NOTHING:
        return [call.node(NOTHING, [call.value(call.args[0])])]
    if op == "copy":
        return [call.node("Expand", [call.value(call.args[1])])]
    if op in RESHAPES:
        return [call.node("Reshape", [call.value(call.args[0])])]
    if op in LISTS or op == "slice":
        return _slices(call)
    if op in NORMS:
        return [_norm(call)]
    if op in REDUCED:
        return [_reduced(call)]
    if rule := _RULES.get(op):
        return rule(call)
    if op in SAME:
        return [call.node(SAME[op], _meant(call))]
    return [call.node(f"{domain}::{op}", call.tensors())]


def _meant(call: _Call) -> list[Operand]:
    """Operands in ONNX's order, without the settings that are no operands there."""
    named = SAME[call.op]
    if call.op == "embedding":
        return [call.value(call.args[0]), call.value(call.args[1])]
    if named in (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
        "Min",
        "Mod",
        "Equal",
        "Less",
        "Greater",
        "And",
        "Or",
    ):
        return [call.value(a) for a in call.args[:2]]
    if named == "Where" and call.op == "masked_fill":
        return [call.value(call.args[1]), call.value(call.args[2]), call.value(call.args[0])]
    return call.tensors()


def _convolution(call: _Call) -> list[Node]:
    x, w, b, stride, _, dilation, transposed, _, groups = call.args[:9]
    node = call.node(
        "ConvTranspose" if transposed else "Conv", [call.value(t) for t in (x, w, b) if t is not None]
    )
    node.kernel = tuple(w.shape[2:])
    node.stride, node.dilation = _spread(stride, node.kernel), _spread(dilation, node.kernel)
    node.groups, node.bias = int(groups), b is not None
    return [node]


def _spread(told: Any, kernel: Shape) -> Shape:
    sizes = tuple(told) if isinstance(told, list | tuple) else (told,)
    return sizes * len(kernel) if len(sizes) == 1 else sizes


def _product(call: _Call) -> list[Node]:
    return [_multiplied(call, [call.value(a) for a in call.args[:2]])]


def _multiplied(call: _Call, pair: Sequence[Operand]) -> Node:
    learnt = next((o for o in pair if isinstance(o, Const)), None)
    node = call.node("MatMul" if learnt is None else "Gemm", pair)
    if learnt is not None and learnt.shape:
        summed = learnt.shape[-1] if pair[0] is learnt or len(learnt.shape) == 1 else learnt.shape[-2]
        node.macs = prod(call.shapes[0]) * summed
    return node


def _added_product(call: _Call) -> list[Node]:
    """Bias or tensor + a b: ``addmm``, ``baddbmm``."""
    product = _multiplied(call, [call.value(a) for a in call.args[1:3]])
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


def _linear(call: _Call) -> list[Node]:
    bias = call.arg(2, "bias")
    learnt = call.value(call.args[1])
    node = call.node("Gemm", [call.value(call.args[0]), learnt])
    if bias is not None:
        node.inputs.append(call.value(bias))
        node.bias = True
    return [node]


def _norm(call: _Call) -> Node:
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


def _reduced(call: _Call) -> Node:
    rank = len(call.source())
    dims = call.arg(2 if call.op == "linalg_vector_norm" else 1, "dim")
    if dims is None or isinstance(dims, Tensor) or (isinstance(dims, list | tuple) and not dims):
        dims = range(rank)
    named = tuple(sorted({int(d) % max(rank, 1) for d in ([dims] if isinstance(dims, int) else dims)}))
    op = REDUCED[call.op]
    if call.op == "linalg_vector_norm" and call.arg(1, "ord", 2) == 1:
        op = "ReduceL1"
    if call.op in ("max", "min") and isinstance(call.arg(1), Tensor):
        return call.node("Max" if call.op == "max" else "Min", [call.value(a) for a in call.args[:2]])
    return call.node(op, [call.value(call.args[0])], more={"axes": named})


def _slices(call: _Call) -> list[Node]:
    source = call.source()
    x = call.value(call.args[0])
    unmoved = call.arg(4, "step", 1) == 1 or call.op != "slice"
    return [
        call.node(NOTHING if shape == source and unmoved else "Slice", [x], shape) for shape in call.shapes
    ]


def _transpose(call: _Call) -> list[Node]:
    rank = len(call.source())
    perm = list(range(rank))
    if call.op == "permute":
        perm = [d % rank for d in call.args[1]]
    elif rank > 1:
        one, two = (0, 1) if call.op == "t" else (call.args[1], call.args[2])
        perm[one], perm[two] = perm[two % rank], perm[one % rank]
    return [call.node("Transpose", [call.value(call.args[0])], more={"perm": tuple(perm)})]


def _clip(call: _Call) -> list[Node]:
    low, high = call.arg(1, "min"), call.arg(2, "max")
    if call.op == "clamp_max":
        low, high = None, low
    if call.op == "hardtanh":
        low, high = -1 if low is None else low, 1 if high is None else high
    bounds = tuple(scalar(call.value(b)) for b in (low, high))
    if bounds == (0, None):
        return [call.node("Relu", [call.value(call.args[0])])]
    return [call.node("Clip", [call.value(call.args[0])], more={"bounds": bounds})]


def _pool(call: _Call) -> list[Node]:
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
            # Windows of different sizes: none is told.
            node.kernel = node.stride = ()
    else:
        ones = (1,) * rank
        node.kernel = _spread(call.args[1], ones)
        node.stride = _spread(call.arg(2) or call.args[1], ones)
    node.dilation = (1,) * len(node.kernel)
    if named == "MaxPool" and len(call.args) > 4:
        node.dilation = _spread(call.args[4], node.kernel)
    return [node]


def _pad(call: _Call) -> list[Node]:
    return [call.node("Pad", [call.value(call.args[0])], more={"zeros": call.arg(2, "value", 0) == 0})]


def _rsub(call: _Call) -> list[Node]:
    return [call.node("Sub", [call.value(call.args[1]), call.value(call.args[0])])]


def _rsqrt(call: _Call) -> list[Node]:
    root = call.node("Sqrt", [call.value(call.args[0])])
    return [root, call.node("Reciprocal", [root])]


def _attention(call: _Call) -> list[Node]:
    mask = (
        call.arg(3, "attn_mask")
        if call.op == "scaled_dot_product_attention"
        else call.kwargs.get("attn_mask")
    )
    query, key, values = call.args[:3]
    operands = [call.value(t) for t in (query, key, values, mask) if isinstance(t, Tensor)]
    node = call.node("Attention", operands, heads=query.shape[-3] if query.dim() > 2 else 1)
    return [node]


def _joined(call: _Call) -> list[Node]:
    parts = [call.value(t) for t in call.args[0]]
    if call.op == "cat":
        return [call.node(NOTHING if len(parts) == 1 else "Concat", parts)]
    dim = call.arg(1, "dim", 0) % len(call.shapes[0])
    single = (*call.shapes[0][:dim], 1, *call.shapes[0][dim + 1 :])
    widened = [call.node("Reshape", [p], single) if isinstance(p, Node) else p for p in parts]
    return [*(w for w in widened if isinstance(w, Node)), call.node("Concat", widened)]


def _unbound(call: _Call) -> list[Node]:
    dim = call.arg(1, "dim", 0) % len(call.source())
    single = _at(call.source(), dim, 1)
    cut = [call.node("Slice", [call.value(call.args[0])], single) for _ in call.shapes]
    return [*cut, *(call.node("Reshape", [c], shape) for c, shape in zip(cut, call.shapes, strict=True))]


def _indexed(call: _Call) -> list[Node]:
    operands = [call.value(call.args[0]), *(call.value(i) for i in call.args[1] if isinstance(i, Tensor))]
    return [call.node("Gather" if len(operands) == 2 else "GatherND", operands)]


def _rolled(call: _Call) -> list[Node]:
    """ONNX has no roll: what leaves at one end is cut off and joined to the other."""
    shape = call.source()
    shifts, dims = call.args[1], call.arg(2, "dims") or [0]
    made: list[Node] = []
    x = call.value(call.args[0])
    for shift, dim in zip(shifts, dims, strict=False):
        away = shift % shape[dim]
        if not away:
            continue
        cut = [_at(shape, dim, size) for size in (away, shape[dim] - away)]
        first, last = (call.node("Slice", [x], s) for s in cut)
        x = call.node("Concat", [first, last], shape)
        made += [first, last, x]
    return made or [call.node(NOTHING, [x])]


def _at(shape: Shape, dim: int, size: int) -> Shape:
    changed = list(shape)
    changed[dim] = size
    return tuple(changed)


def _strided(call: _Call) -> list[Node]:
    """Another layout in memory of the same numbers, or a view that ONNX has no word for."""
    same = prod(call.source()) == prod(call.shapes[0])
    return [call.node("Reshape" if same else "aten::as_strided", [call.value(call.args[0])])]


def _unequal(call: _Call) -> list[Node]:
    equal = call.node("Equal", [call.value(a) for a in call.args[:2]])
    return [equal, call.node("Not", [equal])]


def _gated(call: _Call) -> list[Node]:
    x = call.value(call.args[0])
    one, two = (call.node("Slice", [x]) for _ in range(2))
    gate = call.node("Sigmoid", [two])
    return [one, two, gate, call.node("Mul", [one, gate])]


_RULES: dict[str, Callable[[_Call], list[Node]]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    **dict.fromkeys(("mm", "bmm", "matmul", "mv", "dot"), _product),
    **dict.fromkeys(("addmm", "baddbmm"), _added_product),
    "linear": _linear,
    **dict.fromkeys(("t", "transpose", "permute"), _transpose),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), _clip),
    **dict.fromkeys(
        ("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d", "avg_pool1d"),
        _pool,
    ),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d", "_adaptive_avg_pool3d"), _pool),
    "constant_pad_nd": _pad,
    "rsub": _rsub,
    "rsqrt": _rsqrt,
    "scaled_dot_product_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    **dict.fromkeys(("cat", "stack"), _joined),
    "unbind": _unbound,
    "index": _indexed,
    "roll": _rolled,
    "glu": _gated,
    "ne": _unequal,
    "as_strided": _strided,
}
