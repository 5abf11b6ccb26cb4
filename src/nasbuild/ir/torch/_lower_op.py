"""Lowers one operation of torch's dispatcher to nodes of a draft, with the names of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from nasbuild._macs.torch_operations import named_macs, packed_parameters
from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import EXTRA_RESULT, NOTHING, Node, Operand, Shape
from nasbuild.ir._mac_free_ops import UNKNOWN
from nasbuild.ir.torch import _data_movement_ops as moves
from nasbuild.ir.torch import _layer_ops as layers
from nasbuild.ir.torch import _scalar_ops as arithmetic
from nasbuild.ir.torch._call import Call
from nasbuild.ir.torch._op_names import LISTS, MOVES_NOTHING, NORMS, REDUCED, RESHAPES, SAME


def lower(
    domain: str,
    op: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    shapes: Sequence[Shape],
    value: Callable[[Any], Operand],
    label: str,
) -> list[Node]:
    """Nodes of an operation; the last ones are the results, one for each of ``shapes``."""
    made = _made(domain, Call(op, args, kwargs, shapes, value, label))
    for node in made:
        if "::" in node.op:
            macs = named_macs(domain, op, args, kwargs, shapes)
            node.macs = UNKNOWN if macs is None else macs
            node.weights |= _packed(domain, op, args)
    if len(made) < len(shapes):
        made = [*made, *(Node(EXTRA_RESULT, [made[-1]], shape, label) for shape in shapes[1:])]
    return made


def _packed(domain: str, op: str, args: Sequence[Any]) -> dict[str, int]:
    found = {}
    for argument in args:
        if isinstance(argument, torch.ScriptObject):
            numbers = packed_parameters(argument)
            if numbers is None:
                raise NasbuildError(f"{domain}::{op} keeps its weights in an object that can't be read")
            # The object lives as long as its layer does.
            found[f"packed.{id(argument)}"] = numbers
    return found


def _made(domain: str, call: Call) -> list[Node]:
    op = call.op
    if domain != "aten":
        return [call.node(f"{domain}::{op}", call.tensors())]
    if op in MOVES_NOTHING:
        return [call.node(NOTHING, [call.value(call.args[0])])]
    if op in ("copy", "fill"):
        return [call.node("Expand", [call.value(call.args[1])])]
    if op in RESHAPES:
        return [call.node("Reshape", [call.value(call.args[0])])]
    if op in LISTS or op == "slice":
        return moves.slices(call)
    if op in NORMS:
        return [layers.norm(call)]
    if op in REDUCED:
        return [arithmetic.reduced(call)]
    if rule := _RULES.get(op):
        return rule(call)
    if op in SAME:
        return [call.node(SAME[op], arithmetic.onnx_operands(call))]
    return [call.node(f"{domain}::{op}", call.tensors())]


_RULES: dict[str, Callable[[Call], list[Node]]] = {
    "convolution": layers.convolution,
    "_convolution": layers.convolution,
    **dict.fromkeys(("mm", "bmm", "matmul", "mv", "dot"), layers.product),
    **dict.fromkeys(("addmm", "baddbmm"), layers.added_product),
    "linear": layers.linear,
    **dict.fromkeys(("t", "transpose", "permute"), moves.transpose),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), arithmetic.clip),
    **dict.fromkeys(
        ("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d", "avg_pool1d"),
        layers.pool,
    ),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d", "_adaptive_avg_pool3d"), layers.pool),
    "constant_pad_nd": moves.pad,
    "rsub": arithmetic.rsub,
    "rsqrt": arithmetic.rsqrt,
    "scaled_dot_product_attention": layers.attention,
    "_scaled_dot_product_flash_attention_for_cpu": layers.attention,
    "_scaled_dot_product_fused_attention_overrideable": layers.attention,
    **dict.fromkeys(("cat", "stack"), moves.joined),
    "unbind": moves.unbound,
    "index": moves.indexed,
    "roll": moves.rolled,
    "glu": arithmetic.gated,
    "ne": arithmetic.unequal,
    "as_strided": moves.strided,
}
