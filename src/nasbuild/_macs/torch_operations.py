"""Multiply-accumulates (MACs) of torch's operations, beyond those that torch's own counter knows."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils.flop_counter import flop_registry

from nasbuild._macs.einsum import einsum_macs

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
Shape = tuple[int, ...]
_Rule = Callable[[Sequence[Any], Mapping[str, Any], Shape], int]
"""Maps arguments and the shape of the first result to MACs."""
WHOLE = (*RECURRENT, "einsum")
"""Functions counted as a whole, as their parts depend on the device and on what is installed."""


@contextlib.contextmanager
def plain_torch() -> Iterator[None]:
    """Run attention and transformer layers unfused, as fused forms can't be counted or exported."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def torch_macs(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Sequence[Shape]
) -> int | None:
    """MACs of one operation of the dispatcher.

    Parameters
    ----------
    func
        The operation, such as ``torch.ops.aten.mm.default``.
    shapes
        Of its results.

    Returns
    -------
    int or None
        0 for operations without matrix products, None if there is no rule.
    """
    rule = _rule(func)
    try:
        return None if rule is None else rule(args, kwargs, shapes[0] if shapes else ())
    except Exception:
        # Nested and packed operands have no shapes, or unexpected ones.
        return None


def has_rule(func: Any) -> bool:
    """Whether `torch_macs` knows an operation."""
    return _rule(func) is not None


@functools.cache
def _rule(func: Any) -> _Rule | None:
    named = _RULES.get(func._schema.name)
    if named is not None:
        return named
    packets = [func.overloadpacket]
    domain, _, op = func._schema.name.partition("::")
    if domain == "aten" and op.endswith("_") and hasattr(torch.ops.aten, op[:-1]):
        # In-place operations count like the others.
        packets.append(getattr(torch.ops.aten, op[:-1]))
    for packet in packets:
        if packet in flop_registry:
            # Two floating-point operations make one multiply-accumulate.
            return lambda args, kwargs, out, of=flop_registry[packet]: (
                int(of(*args, **{k: v for k, v in kwargs.items() if k != "out"}, out_val=out)) // 2
            )
        if any(_is_free(getattr(packet, overload)) for overload in packet.overloads()):
            return lambda *_: 0
    return None


def named_macs(
    domain: str, op: str, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Sequence[Shape]
) -> int | None:
    """`torch_macs` of an operation given by name."""
    packet = getattr(getattr(torch.ops, domain, None), op, None)
    if packet is None:
        return None
    return torch_macs(getattr(packet, packet.overloads()[0]), args, kwargs, shapes)


def shapes_of(found: Any) -> list[Shape]:
    """Shapes of an operation's results; none if they are unknown, as for nested tensors."""
    try:
        return [
            tuple(t.shape)
            for t in (found if isinstance(found, list | tuple) else [found])
            if isinstance(t, Tensor)
        ]
    except RuntimeError:
        return []


def packed_parameters(packed: Any) -> int | None:
    """Number of learnt numbers in a packed object of quantised layers; None for other objects."""
    try:
        # Quantised tensors have contents, even in a network on meta.
        with _disable_current_modes(), torch.device("cpu"):
            return sum(t.numel() for t in packed.unpack() if isinstance(t, Tensor))
    except (AttributeError, RuntimeError, TypeError):
        return None


def whole_macs(name: str, args: Sequence[Any], found: Any) -> int | None:
    """MACs of one of the functions in `WHOLE`."""
    if name == "einsum":
        operands = args[1] if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
        return einsum_macs(args[0], [tuple(operand.shape) for operand in operands])
    steps = prod(shapes_of(found)[0][:-1])
    return steps * sum(weight.numel() for weight in recurrent_weights(args) if weight.dim() > 1)


def is_whole(name: str, args: Sequence[Any]) -> bool:
    """Whether a call has a form that `whole_macs` knows."""
    return name in WHOLE and bool(args) and (name != "einsum" or isinstance(args[0], str))


def recurrent_weights(args: Sequence[Any]) -> list[Tensor]:
    """Matrices and biases of a recurrent layer, in the order of layers."""
    lists = [part for part in args if isinstance(part, list | tuple)]
    return [t for part in lists for t in part if isinstance(t, Tensor) and t.dim() < 3]


def sequence_and_batch(args: Sequence[Any]) -> tuple[int, int] | None:
    """Steps and sequences of a recurrent layer's input; None if packed or without a batch."""
    x = args[0]
    if x.dim() != 3 or isinstance(args[1], Tensor):
        return None
    first = bool(args[-1])
    return (x.shape[1], x.shape[0]) if first else (x.shape[0], x.shape[1])


def _times(position: int) -> _Rule:
    """A product whose left operand is summed over its last dimension."""
    return lambda args, _, out: prod(out) * args[position].shape[-1]


def _convolved(args: Sequence[Any], _: Mapping[str, Any], out: Shape) -> int:
    return prod(out) * prod(args[1].shape[1:])


def _deconvolved(args: Sequence[Any], _: Mapping[str, Any], out: Shape) -> int:
    del out
    return prod(args[0].shape) * prod(args[1].shape[1:])


def _packed(args: Sequence[Any], _: Mapping[str, Any], out: Shape) -> int:
    """A quantised convolution, whose weights are in a packed object."""
    x, packed = args[:2]
    weight = packed.unpack()[0]
    return prod(x.shape if packed.transpose() else out) * prod(weight.shape[1:])


def _bilinear(args: Sequence[Any], _: Mapping[str, Any], out: Shape) -> int:
    """The first input by the weights, then by the second input."""
    if [list(part) for part in args[3:7]] != [[1, 3], [0], [1, 2], [2, 3]]:
        raise NotImplementedError
    _, one, two = args[1].shape
    return prod(out) * (one * two + two)


def _attention(args: Sequence[Any], _: Mapping[str, Any], out: Shape) -> int:
    query, key = args[:2]
    return prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + out[-1])


def _grouped(args: Sequence[Any], _: Mapping[str, Any], out: Shape) -> int:
    one, two = args[:2]
    if one.dim() == two.dim() == 2:
        return prod(one.shape) * two.shape[-1]
    return prod(out) * one.shape[-1]


_PRODUCTS = (
    *("mv", "dot", "vdot", "linear", "_int_mm", "mkldnn_linear", "_mixed_dtypes_linear"),
    *("_weight_int8pack_mm", "_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu", "_dyn_quant_matmul_4bit"),
    *("_weight_int4pack_mm_with_scales_and_zeros",),
)
_CONVOLUTIONS = (
    *("_conv_depthwise2d", "conv_depthwise3d", "slow_conv3d_forward", "slow_conv_dilated2d"),
    *("slow_conv_dilated3d", "mkldnn_convolution", "cudnn_convolution_relu", "miopen_convolution"),
    *("miopen_convolution_relu", "miopen_depthwise_convolution", "_nnpack_spatial_convolution"),
)
_ATTENTION = (
    *("scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu"),
    *("_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_attention_math"),
)
_LINEAR = (
    "linear",
    "linear_relu",
    "linear_leaky_relu",
    "linear_tanh",
    *("linear_dynamic", "linear_relu_dynamic", "linear_dynamic_fp16", "linear_relu_dynamic_fp16"),
)
_RULES: dict[str, _Rule] = {
    **{f"aten::{op}": _times(0) for op in _PRODUCTS},
    **{f"aten::{op}": _times(1) for op in ("addmv", "_addmm_activation")},
    **{f"aten::{op}": _convolved for op in _CONVOLUTIONS},
    **{f"aten::{op}": _deconvolved for op in ("slow_conv_transpose2d", "slow_conv_transpose3d")},
    "aten::addbmm": lambda args, _, out: prod(args[1].shape) * out[-1],
    "aten::conv_tbc": lambda args, _, out: prod(out) * prod(args[1].shape[:2]),
    "aten::affine_grid_generator": lambda _, __, out: prod(out) * (out[-1] + 1),
    "aten::_grouped_mm": _grouped,
    "aten::_trilinear": _bilinear,
    "aten::mkldnn_rnn_layer": lambda args, _, __: (
        prod(args[0].shape[:-1]) * (args[1].numel() + args[2].numel())
    ),
    **{f"aten::{op}": _attention for op in _ATTENTION},
    **{f"quantized::{op}": _times(0) for op in _LINEAR},
    "quantized::matmul": _times(0),
    **{f"quantized::conv{n}d{more}": _packed for n in "123" for more in ("", "_relu", "_dynamic")},
    **{f"quantized::conv_transpose{n}d{more}": _packed for n in "123" for more in ("", "_dynamic")},
    "quantized::conv2d_add": _packed,
    "quantized::conv2d_add_relu": _packed,
    "mkldnn::_linear_pointwise": _times(0),
    "mkldnn::_convolution_pointwise": _convolved,
    "torchvision::deform_conv2d": _convolved,
}

_FREE = re.compile(
    "|".join(
        (
            # made, copied, moved
            r"_?empty.*|new_.*|zeros.*|ones.*|full.*|rand.*|arange|linspace|logspace|eye|range|scalar_tensor|.*_window",
            r"_new_zeros.*|_efficientzerotensor|_?lazy_clone|clone|_?copy.*|_to_.*|to_.*|fill|zero|set|lift.*|_pin_memory",
            r"_?resize.*|_unsafe_view|_mkldnn_(reshape|transpose)|_?local_scalar_dense|item|detach.*|contiguous|alias.*",
            r"_?index.*|_unsafe_(masked_)?index.*|gather|scatter.*|take.*|put|_?masked_.*|select_.*|slice_.*|diagonal_.*",
            r"cat|_?stack|_chunk_cat|unsafe_.*|repeat.*|roll|flip|rot90|tril.*|triu.*|as_strided.*|diag_embed|block_diag",
            r"constant_pad_nd|(reflection|replication)_pad.*|pixel_(un)?shuffle|channel_shuffle|im2col|col2im|nonzero.*",
            r"is_.*|_is_.*|equal|_has_.*|_?nested_.*|_jagged_.*|_padded_.*|_pack_padded.*|_pad_packed.*|dense_dim|sparse_dim",
            r"_assert.*|_functional_assert.*|_?functional_sym.*|sym_.*|_print|record_stream|_foobar|_fused_sdp_choice",
            r"(normal|bernoulli|multinomial|poisson|binomial|exponential|geometric|cauchy|log_normal|uniform|random).*",
            r"_philox.*|_standard_gamma|_sample_dirichlet|complex|polar|view_as.*|real|imag",
            # chosen, ordered, counted
            r"_?a?min(max)?|_?a?max|sort|topk|kthvalue|(nan)?median|mode|unique.*|_unique.*|searchsorted|bucketize|hist.*",
            r"_histogram.*|bincount|_?cum.*|_?logcumsumexp|isin|allclose|trace|segment_reduce",
            # activations, norms, pools, interpolation
            r"_?(log_)?softmax|_safe_softmax|glu|_?prelu.*|log_sigmoid.*|hardswish|rrelu.*|_add_relu|_transform_bias.*",
            r"_?native_.*norm.*|.*batch_norm.*|_fused_rms_norm|_?weight_norm.*|native_dropout|_fused_dropout|_masked_scale",
            r"renorm|embedding.*|_embedding_bag.*|_?adaptive_.*pool.*|.*(avg|max|lp)_(un)?pool.*|_?upsample_.*",
            r"(_|cudnn_)?grid_sampler.*|_thnn_fused_(lstm|gru)_cell|_foreach_(?!mm|norm).*|floor_divide|rsub|addr|dist",
            # losses, quantisation
            r".*_loss|.*_loss_forward|.*_loss2d_forward|binary_cross_entropy.*|_?(fake_)?quantize_.*|dequantize.*|q_.*",
            r"_make_per_.*|qscheme|int_repr|_fused_moving_avg.*|_choose_qparams.*|quantized_(max_pool|batch_norm).*",
        )
    )
)
_FREE_ELSEWHERE = re.compile(
    r"quantized::(add|mul|cat|clamp|celu|elu|relu6|sigmoid|softmax|threshold|dropout|hardswish|leaky_relu|prelu|"
    r"batch_norm|layer_norm|group_norm|instance_norm|max_pool|embedding).*|"
    r"torchvision::(nms|roi_align|roi_pool|ps_roi_.*)|quantized_decomposed::.*quantize.*|prim::.*|profiler::.*"
)


def _is_free(func: Any) -> bool:
    """Whether an operation has no matrix product: element-wise, sums, views, and listed ones."""
    domain, _, op = func._schema.name.partition("::")
    if domain != "aten":
        return _FREE_ELSEWHERE.fullmatch(func._schema.name) is not None
    views = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
    tags = (torch.Tag.pointwise, torch.Tag.reduction, torch.Tag.view_copy)
    if views or any(tag in func.tags for tag in tags):
        return True
    return _FREE.fullmatch(op.removesuffix("_")) is not None
