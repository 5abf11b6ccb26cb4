"""Which parts of a language model vary, as features of a space: a stage for each block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.model_shape import BlockShape, TensorShape
from nasbuild.zoo.lm.tensor_types import fits, tensor_type, type_bytes

PARTS = ("blocks", "attention", "mlp", "width", "heads", "bits")
OUTER = "outer"
"""Stage of the matrices outside the blocks."""
ON, OFF = "on", "off"
KEPT = "unchanged"
"""Choice of tensors that keep types which differ among them."""
GROUPS = {
    "attn_qk": ("attn_q", "attn_k"),
    "attn_v": ("attn_v",),
    "attn_output": ("attn_output",),
    "ffn_gate_up": ("ffn_gate", "ffn_up"),
    "ffn_down": ("ffn_down",),
}
"""Feature of bits -> matrices that share its choice, by default. q and k meet in a product, gate and up as well."""
DEFAULT_TYPES = ("q8_0", "q5_0", "q4_0", "w3g64", "w2g64")
"""One for each number of bits, so that few single changes need a measurement."""
_SHARES = (1.0, 0.75, 0.5, 0.25)  # of the channels
_CHANNELS_STEP = 64  # channels are kept in multiples, so that every type of weights fits


def features_of(
    block: BlockShape, parts: Sequence[str], types: Sequence[str], groups: dict[str, tuple[str, ...]]
) -> dict[str, list[Any]]:
    """Features of a block and their choices, the unchanged one first."""
    found: dict[str, list[Any]] = {}
    if "blocks" in parts:
        found["block"] = [ON, OFF]
    if "attention" in parts:
        found["attention"] = [ON, OFF]
    if "mlp" in parts:
        found["mlp"] = [ON, OFF]
    if "heads" in parts and block.kv_heads > 1:
        found["kv_heads"] = list(range(block.kv_heads, 0, -1))
    if "width" in parts:
        found["channels"] = channels_of(block.channels)
    if "bits" in parts:
        for name, tensors in groups.items():
            held = [block.tensors[one] for one in tensors if one in block.tensors]
            found[name] = type_choices(held, types)
    return found


def type_choices(tensors: Sequence[TensorShape], types: Sequence[str]) -> list[str]:
    """Types of matrices that share a choice, the one that they have first."""
    kinds = {one.type for one in tensors}
    return [kinds.pop() if len(kinds) == 1 else KEPT, *types_of(tensors, types)]


def channels_of(channels: int) -> list[int]:
    """Numbers of channels to choose from, all of them first."""
    cut = [int(channels * share) // _CHANNELS_STEP * _CHANNELS_STEP for share in _SHARES[1:]]
    return [channels, *dict.fromkeys(one for one in cut if one > 0)]


def types_of(tensors: Sequence[TensorShape], types: Sequence[str]) -> list[str]:
    """Types, most bits first, that fit the columns and make the tensors smaller than they are."""
    ordered = sorted(types or DEFAULT_TYPES, key=lambda name: -tensor_type(name).bits)
    now = sum(one.bytes for one in tensors)

    def smaller(name: str) -> bool:
        if not all(fits(name, one.columns) for one in tensors):
            return False
        return sum(type_bytes(name, one.rows, one.columns) for one in tensors) < now

    return [name for name in ordered if smaller(name)]


def check_parts(parts: Sequence[str]) -> None:
    """Check the names of parts.

    Raises
    ------
    NasbuildError
        If one is unknown, or two exclude each other.
    """
    if not parts:
        raise NasbuildError("nothing varies", where="--vary", allowed=PARTS)
    for part in parts:
        if part not in PARTS:
            raise NasbuildError(
                f"no part of a language model is called '{part}'", where="--vary", allowed=PARTS
            )
    if "blocks" in parts and {"attention", "mlp"} & set(parts):
        raise NasbuildError(
            "whole blocks and their attention or MLP can't both vary",
            where="--vary",
            todo="give blocks, or attention and mlp; attention and mlp off are a block off",
        )
