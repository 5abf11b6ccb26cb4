"""Tiny language models with random weights, as transformers has them and as GGUF files, and changed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.tensor_types import encoded, rounded

HIDDEN, HEADS, KV_HEADS, HEAD, CHANNELS, BLOCKS, TOKENS = 128, 4, 2, 32, 192, 5, 280
HF_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
OUTER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_CONFIGS = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}


def tiny_model(
    architecture: str = "llama", *, blocks: int = BLOCKS, channels: int = CHANNELS, tied: bool = True
) -> PreTrainedModel:
    """A model of transformers whose parts all matter."""
    config = _CONFIGS[architecture](
        hidden_size=HIDDEN,
        num_hidden_layers=blocks,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=HEAD,
        intermediate_size=channels,
        vocab_size=TOKENS,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
        tie_word_embeddings=tied,
    )
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.1 if weight.ndim == 1 else 0.25 if "embed" in name else 1.2 / weight.shape[1] ** 0.5
            weight.normal_(1.0 if "norm" in name else 0.0, scale, generator=random)
    return model


def gguf_from(model: PreTrainedModel, path: Path, kind: str = "f32") -> Path:
    """A GGUF file of a tiny model, with a tokenizer of bytes. Heads of Llama are stored as llama.cpp turns them."""
    config = model.config
    architecture = config.model_type
    writer = GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    writer.add_vocab_size(TOKENS)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256))]
    tokens += [f"word{n}" for n in range(TOKENS - len(tokens))]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * TOKENS)
    writer.add_token_types([2, 3, 3, *([6] * 256), *([1] * (TOKENS - 259))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    state = model.state_dict()
    for name, there in OUTER_NAMES.items():
        if name != "output" or not config.tie_word_embeddings:
            _add(writer, f"{name}.weight", state[f"{there}.weight"], kind)
    for n in range(config.num_hidden_layers):
        for name, there in HF_NAMES.items():
            for what in ("weight", "bias"):
                weight = state.get(f"model.layers.{n}.{there}.{what}")
                if weight is not None:
                    turned = architecture == "llama" and name in ("attn_q", "attn_k")
                    _add(writer, f"blk.{n}.{name}.{what}", pairs(weight) if turned else weight, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def pairs(weight: Tensor) -> Tensor:
    """Rows of heads, from halves that are turned together to neighbours."""
    return weight.reshape(-1, 2, HEAD // 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def changed_model(model: PreTrainedModel, change: ModelChange) -> PreTrainedModel:
    """The changed model in its old sizes, in place: zeros where something is gone, so that no writer is needed."""
    config = model.config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    group = config.num_attention_heads // config.num_key_value_heads
    state = model.state_dict()
    if "token_embd" in change.types:
        embeddings = state["model.embed_tokens.weight"]
        embeddings.copy_(rounded(embeddings, change.types["token_embd"]))
    for n, block in enumerate(change.blocks):
        kept = range(config.num_key_value_heads) if block.kv_heads is None else block.kv_heads
        keys = torch.tensor([k * head + c for k in kept for c in range(head)])
        queries = torch.tensor(
            [(k * group + q) * head + c for k in kept for q in range(group) for c in range(head)]
        )
        channels = torch.tensor(range(config.intermediate_size) if block.channels is None else block.channels)
        where = {
            "attn_q": (0, queries),
            "attn_k": (0, keys),
            "attn_v": (0, keys),
            "attn_output": (1, queries),
            "ffn_gate": (0, channels),
            "ffn_up": (0, channels),
            "ffn_down": (1, channels),
        }
        for name, (axis, index) in where.items():
            weight = state[f"model.layers.{n}.{HF_NAMES[name]}.weight"]
            part = weight.index_select(axis, index)
            if name in block.types:
                part = rounded(part, block.types[name])
            there = block.attention if name.startswith("attn") else block.mlp
            weight.copy_(torch.zeros_like(weight).index_copy_(axis, index, part) if there else weight * 0)
    return model


def losses(model: PreTrainedModel, tokens: list[int], first: int) -> np.ndarray:
    """Nats of each token from ``first`` on, given those before it."""
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    logs = logits.double().log_softmax(-1)
    return np.array([-float(logs[n - 1, tokens[n]]) for n in range(first, len(tokens))])


def _add(writer: GGUFWriter, name: str, weight: Tensor, kind: str) -> None:
    values = weight.detach().numpy()
    if values.ndim == 1 or kind == "f32":
        writer.add_tensor(name, np.ascontiguousarray(values))
    else:
        writer.add_tensor(name, encoded(values, kind), raw_dtype=GGMLQuantizationType[kind.upper()])


def model_of_gguf(path: Path) -> PreTrainedModel:
    """A Llama with shared embeddings from a GGUF file, in float32 and without its tokenizer."""
    reader = GGUFReader(path)

    def told(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    config = LlamaConfig(
        hidden_size=told("embedding_length"),
        num_hidden_layers=told("block_count"),
        num_attention_heads=told("attention.head_count"),
        num_key_value_heads=told("attention.head_count_kv"),
        intermediate_size=told("feed_forward_length"),
        vocab_size=told("vocab_size"),
        rms_norm_eps=told("attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_theta": told("rope.freq_base"), "rope_type": "default"},
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    state = {}
    for tensor in reader.tensors:
        block, _, name = tensor.name.removesuffix(".weight").removeprefix("blk.").rpartition(".")
        there = f"model.layers.{block}.{HF_NAMES[name]}" if block else OUTER_NAMES[name]
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        if name in ("attn_q", "attn_k"):
            head = config.hidden_size // config.num_attention_heads
            weight = (
                weight.reshape(-1, head // 2, 2, config.hidden_size).transpose(1, 2).reshape(weight.shape)
            )
        state[f"{there}.weight"] = weight
    model.load_state_dict(state, assign=True, strict=False)
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.eval()


def widened(path: Path, to: Path) -> Path:
    """A GGUF file with the same values in float32."""
    reader = GGUFReader(path)
    writer = GGUFWriter(to, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            items = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], items)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to
