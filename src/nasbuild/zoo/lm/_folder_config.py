"""The config.json of a changed model: the source's with fewer or smaller blocks, or DeciLM's block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm._joined_parts import joined_parts
from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.model_shape import ModelShape

_KNOWN = (
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "smollm3",
)  # model types whose norms belong to the part after them
_DECI_WIDTHS = 256  # DeciLM rounds widths up to multiples of it

Blocks = tuple[tuple[int | None, int | None], ...]


@dataclass(frozen=True)
class FolderPlan:
    """The new config.json, the blocks that each part is from, and sentences on what the folder needs."""

    config: dict[str, Any]
    blocks: Blocks
    notes: tuple[str, ...]


def plan_folder(config: Mapping[str, Any], shape: ModelShape, change: ModelChange, where: str) -> FolderPlan:
    """Which configuration says the changed model.

    Raises
    ------
    NasbuildError
        If none does, or weights are quantised already.
    """
    if "quantization_config" in config:
        raise NasbuildError(
            "has quantised weights", where=where, todo="give the folder of the unquantised model"
        )
    blocks = tuple(joined_parts(change))
    whole = all(block.attention == block.mlp for block in change.blocks)
    cut = any(block.kv_heads is not None or block.channels is not None for block in change.blocks)
    kind = config.get("model_type")
    if not (whole and not cut) and kind not in _KNOWN:
        raise NasbuildError(
            f"parts of blocks of a '{kind}' model can't be left out or cut in a folder",
            where=where,
            allowed=_KNOWN,
            todo="leave out whole blocks",
        )
    heads = [_kept(change, shape, attention, "kv_heads") for attention, _ in blocks]
    channels = [_kept(change, shape, mlp, "channels") for _, mlp in blocks]
    if len(set(heads)) == len(set(channels)) == 1 and heads[0] and channels[0]:
        return FolderPlan(_smaller(config, shape, blocks, heads[0], channels[0], where), blocks, ())
    return FolderPlan(_deci(config, shape, blocks, heads, channels, where), blocks, (_DECI_NOTE,))


_DECI_NOTE = (
    "blocks differ in parts or widths, which DeciLM's block_configs say: transformers loads the folder only with "
    "DeciLM's own code, the .py files of NVIDIA's Nemotron models, to be copied into it"
)


def _kept(change: ModelChange, shape: ModelShape, block: int | None, what: str) -> int:
    if block is None:
        return 0
    kept = getattr(change.blocks[block], what)
    return getattr(shape.blocks[block], what) if kept is None else len(kept)


def _smaller(
    config: Mapping[str, Any], shape: ModelShape, blocks: Blocks, kv_heads: int, channels: int, where: str
) -> dict[str, Any]:
    new = dict(config)
    first = shape.blocks[0]
    if kv_heads != first.kv_heads:
        new["num_attention_heads"] = kv_heads * (first.heads // first.kv_heads)
        new["num_key_value_heads"] = kv_heads
        new["head_dim"] = first.head_dim
    if channels != first.channels:
        new["intermediate_size"] = channels
    return new | _by_block(config, len(shape.blocks), blocks, where) | {"num_hidden_layers": len(blocks)}


def _by_block(config: Mapping[str, Any], there: int, blocks: Blocks, where: str) -> dict[str, Any]:
    """Lists with an entry for each block, such as ``layer_types``."""
    if config.get("use_sliding_window") and not config.get("layer_types"):
        raise NasbuildError(
            "uses sliding windows from some block on, which config.json says by a number",
            where=where,
            todo="save it with a newer transformers, which writes layer_types",
        )
    if len(blocks) == there:
        return {}
    lists = {key: one for key, one in config.items() if isinstance(one, list) and len(one) == there}
    froms = [mlp if attention is None else attention for attention, mlp in blocks]
    return {
        key: [one[n] for n in froms if n is not None] for key, one in lists.items() if key != "architectures"
    }


def _deci(
    config: Mapping[str, Any],
    shape: ModelShape,
    blocks: Blocks,
    heads: list[int],
    channels: list[int],
    where: str,
) -> dict[str, Any]:
    first = shape.blocks[0]
    reasons = {
        "the model is no Llama": config.get("model_type") != "llama",
        "key-value heads are gone": any(n not in (0, first.kv_heads) for n in heads),
        f"a width is no multiple of {_DECI_WIDTHS}": any(n % _DECI_WIDTHS for n in channels),
        "it has biases": bool(config.get("attention_bias") or config.get("mlp_bias")),
        "its heads are wider or narrower than the embeddings": first.heads * first.head_dim
        != config["hidden_size"],
    }
    reason = next((one for one, holds in reasons.items() if holds), None)
    if reason:
        raise NasbuildError(
            f"blocks differ in parts or sizes, which DeciLM's block_configs can't say as {reason}",
            where=where,
            todo="write a GGUF file, leave out whole blocks, or give all blocks the same sizes",
        )
    listed = [
        {
            "attention": {
                "n_heads_in_group": first.heads // first.kv_heads if n else None,
                "no_op": not n,
                "replace_with_linear": False,
            },
            # Their code computes int(2 * ffn_mult * hidden_size / 3) and rounds up to a multiple of 256.
            "ffn": {
                "ffn_mult": 1.5 * width / config["hidden_size"] if width else None,
                "no_op": not width,
                "replace_with_linear": False,
            },
        }
        for n, width in zip(heads, channels, strict=True)
    ]
    dropped = ("head_dim", "layer_types")
    rope = dict(config.get("rope_parameters") or {})
    older = (
        {"rope_theta": rope.pop("rope_theta")} if "rope_theta" in rope else {}
    )  # their code is older than the dict
    if older:
        older["rope_scaling"] = rope if rope.get("rope_type", "default") != "default" else None
    return (
        {key: value for key, value in config.items() if key not in dropped}
        | older
        | {
            "architectures": ["DeciLMForCausalLM"],
            "auto_map": {
                "AutoConfig": "configuration_decilm.DeciLMConfig",
                "AutoModelForCausalLM": "modeling_decilm.DeciLMForCausalLM",
            },
            "model_type": "nemotron-nas",
            "num_hidden_layers": len(blocks),
            "num_key_value_heads": None,
            "intermediate_size": None,
            "block_configs": listed,
        }
    )
