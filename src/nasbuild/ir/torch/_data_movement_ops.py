"""Operations of torch that move data: slicing, joining, transposing, padding, indexing."""

from __future__ import annotations

from math import prod

from torch import Tensor

from nasbuild.ir._draft_graph import NOTHING, Node, Shape
from nasbuild.ir.torch._call import Call


def slices(call: Call) -> list[Node]:
    source = call.source()
    x = call.value(call.args[0])
    unmoved = call.arg(4, "step", 1) == 1 or call.op != "slice"
    return [
        call.node(NOTHING if shape == source and unmoved else "Slice", [x], shape) for shape in call.shapes
    ]


def transpose(call: Call) -> list[Node]:
    rank = len(call.source())
    perm = list(range(rank))
    if call.op == "permute":
        perm = [d % rank for d in call.args[1]]
    elif rank > 1:
        one, two = (0, 1) if call.op == "t" else (call.args[1], call.args[2])
        perm[one], perm[two] = perm[two % rank], perm[one % rank]
    return [call.node("Transpose", [call.value(call.args[0])], more={"perm": tuple(perm)})]


def pad(call: Call) -> list[Node]:
    return [call.node("Pad", [call.value(call.args[0])], more={"zeros": call.arg(2, "value", 0) == 0})]


def joined(call: Call) -> list[Node]:
    parts = [call.value(t) for t in call.args[0]]
    if call.op == "cat":
        return [call.node(NOTHING if len(parts) == 1 else "Concat", parts)]
    dim = call.arg(1, "dim", 0) % len(call.shapes[0])
    single = (*call.shapes[0][:dim], 1, *call.shapes[0][dim + 1 :])
    widened = [call.node("Reshape", [p], single) if isinstance(p, Node) else p for p in parts]
    return [*(w for w in widened if isinstance(w, Node)), call.node("Concat", widened)]


def unbound(call: Call) -> list[Node]:
    dim = call.arg(1, "dim", 0) % len(call.source())
    single = _at(call.source(), dim, 1)
    cut = [call.node("Slice", [call.value(call.args[0])], single) for _ in call.shapes]
    return [*cut, *(call.node("Reshape", [c], shape) for c, shape in zip(cut, call.shapes, strict=True))]


def indexed(call: Call) -> list[Node]:
    operands = [call.value(call.args[0]), *(call.value(i) for i in call.args[1] if isinstance(i, Tensor))]
    return [call.node("Gather" if len(operands) == 2 else "GatherND", operands)]


def rolled(call: Call) -> list[Node]:
    """ONNX has no roll: a slice is cut off at one end and concatenated at the other."""
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


def strided(call: Call) -> list[Node]:
    """Another memory layout of the same numbers, or a view that ONNX cannot express."""
    same = prod(call.source()) == prod(call.shapes[0])
    return [call.node("Reshape" if same else "aten::as_strided", [call.value(call.args[0])])]
