"""Exact costs of a changed language model, from its shapes."""

from __future__ import annotations

from collections.abc import Mapping

from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
from nasbuild.zoo.lm.model_shape import ATTENTION, MLP, BlockShape, ModelShape, TensorShape
from nasbuild.zoo.lm.tensor_types import type_bytes

FLOAT32 = 4  # bytes; norms and biases stay in it
KEY_VALUE = 2  # bytes of a number in the key-value cache, which runtimes keep in float16
COSTS: tuple[str, ...] = ("bytes", "params", "macs", "kv_bytes")


def language_costs(shape: ModelShape, change: ModelChange, context: int) -> dict[str, float]:
    """Costs of a changed model.

    Parameters
    ----------
    context
        Tokens that the key-value cache holds, and that a token attends to.

    Returns
    -------
    dict
        ``bytes`` of all parameters, packed in their types; ``params``, the number of parameters; ``macs``, the
        multiply-accumulate operations a token of matrices and attention, head included; ``kv_bytes`` of the
        key-value cache in float16.

    Examples
    --------
    >>> from nasbuild.zoo.lm import language_costs
    >>> costs = language_costs(shape, change, context=100)
    >>> costs["params"], costs["bytes"], costs["macs"], costs["kv_bytes"]
    (98688.0, 387712.0, 130560.0, 38400.0)
    """
    total: dict[str, float] = dict.fromkeys(COSTS, 0.0)
    total["bytes"] += FLOAT32 * shape.norms
    total["params"] += shape.norms
    for name, tensor in shape.outer.items():
        total["bytes"] += matrix_bytes(tensor, tensor.rows, tensor.columns, change.types.get(name))
        total["params"] += tensor.rows * tensor.columns
    head = shape.outer.get("output", shape.outer["token_embd"])
    total["macs"] += head.rows * head.columns
    for block, changed in zip(shape.blocks, change.blocks, strict=True):
        for name, value in _block_costs(block, changed, context).items():
            total[name] += value
    return total


def matrix_bytes(tensor: TensorShape, rows: int, columns: int, kind: str | None) -> float:
    """Bytes of a matrix, cut to rows and columns, in a type; None is that of the unchanged model."""
    if kind is not None:
        return type_bytes(kind, rows, columns)
    return tensor.bytes * (rows * columns / (tensor.rows * tensor.columns))


def cut(block: BlockShape, name: str, kv_heads: int, channels: int) -> tuple[int, int]:
    """Rows and columns of a block's matrix with so many key-value heads and channels."""
    tensor = block.tensors[name]
    rows, columns = tensor.rows, tensor.columns
    if name in ("attn_q", "attn_k", "attn_v"):
        return rows * kv_heads // block.kv_heads, columns
    if name == "attn_output":
        return rows, columns * kv_heads // block.kv_heads
    if name == "ffn_down":
        return rows, channels
    return channels, columns


def _block_costs(block: BlockShape, change: BlockChange, context: int) -> Mapping[str, float]:
    kv_heads = block.kv_heads if change.kv_heads is None else len(change.kv_heads)
    channels = block.channels if change.channels is None else len(change.channels)
    found: dict[str, float] = dict.fromkeys(COSTS, 0.0)
    names: list[str] = []
    if change.attention:
        names += ATTENTION
        heads = block.heads * kv_heads // block.kv_heads
        found["macs"] += 2 * context * heads * block.head_dim
        found["kv_bytes"] += 2 * KEY_VALUE * context * kv_heads * block.head_dim
        found["bytes"] += FLOAT32 * block.attention_norms
        found["params"] += block.attention_norms
    if change.mlp:
        names += MLP
        found["bytes"] += FLOAT32 * block.mlp_norms
        found["params"] += block.mlp_norms
    for name in names:
        if name not in block.tensors:  # an MLP without a gate
            continue
        tensor = block.tensors[name]
        rows, columns = cut(block, name, kv_heads, channels)
        bias = tensor.bias and (tensor.bias * rows // tensor.rows)
        found["bytes"] += matrix_bytes(tensor, rows, columns, change.types.get(name)) + FLOAT32 * bias
        found["params"] += rows * columns + bias
        found["macs"] += rows * columns
    return found
