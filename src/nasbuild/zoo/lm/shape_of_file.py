"""Reads the shapes of a language model from its file, without its weights."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from nasbuild._optional_imports import absent
from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.model_change import BLOCK_TENSORS
from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape, TensorShape

FOLDER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Name in GGUF files -> name of the module in a block of transformers."""

_BLOCK = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")
_FOLDER_BLOCK = re.compile(r"model\.layers\.(\d+)\.([\w.]+)\.(weight|bias)")
_OF_ATTENTION = ("attn_", "post_attention")
_TODO = "give a decoder with separate q, k, v, gate, up and down matrices, such as Llama, Qwen or Mistral"


@dataclass(frozen=True)
class _Held:
    """A tensor of a file: its shape, outputs first, its type and bytes."""

    shape: tuple[int, ...]
    type: str
    bytes: int


def read_shape(path: str | os.PathLike[str]) -> ModelShape:
    """Read the shapes of a GGUF file or a Hugging Face folder.

    Raises
    ------
    NasbuildError
        If the file is missing or damaged, or its blocks are of another kind than attention and MLP with separate
        matrices.

    Examples
    --------
    >>> from nasbuild.zoo.lm import read_shape
    >>> read_shape("nowhere.gguf")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere.gguf: no such file
    """
    place = Path(path)
    if not place.exists():
        raise NasbuildError("no such file", where=str(path))
    if place.is_dir():
        return _shape_of_folder(place)
    return _shape_of_gguf(place)


def _shape_of_gguf(path: Path) -> ModelShape:
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError as error:
        raise absent(error) from error
    try:
        reader = GGUFReader(path)
    except (ValueError, IndexError, OSError) as error:
        raise NasbuildError(f"not a GGUF file: {error}", where=str(path)) from error

    def field(name: str, otherwise: Any = None) -> Any:
        found = reader.get_field(name)
        return otherwise if found is None else found.contents()

    kind = field("general.architecture")
    count, width = field(f"{kind}.block_count"), field(f"{kind}.embedding_length")
    heads = _by_block(field(f"{kind}.attention.head_count"), count)
    kv_heads = _by_block(field(f"{kind}.attention.head_count_kv", heads), count)
    dim = field(f"{kind}.attention.key_length", width // max(*heads, 1))
    blocks: list[dict[str, _Held]] = [{} for _ in range(count)]
    outer: dict[str, _Held] = {}
    for tensor in reader.tensors:
        shape = tuple(int(n) for n in reversed(tensor.shape))
        held = _Held(shape, tensor.tensor_type.name.lower(), int(tensor.n_bytes))
        if match := _BLOCK.fullmatch(tensor.name):
            blocks[int(match[1])][f"{match[2]}.{match[3]}"] = held
        else:
            outer[tensor.name] = held
    shapes = [_block(path, n, held, heads[n], kv_heads[n], dim) for n, held in enumerate(blocks)]
    name = field("general.name", path.stem)
    return ModelShape(name, tuple(shapes), *_outer(path, outer))


def _shape_of_folder(folder: Path) -> ModelShape:
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise NasbuildError("has no readable config.json", where=str(folder)) from error
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise NasbuildError("has no .safetensors file", where=str(folder))
    heads = int(config["num_attention_heads"])
    kv_heads = int(config.get("num_key_value_heads") or heads)
    dim = int(config.get("head_dim") or config["hidden_size"] // heads)
    blocks: list[dict[str, _Held]] = [{} for _ in range(int(config["num_hidden_layers"]))]
    outer: dict[str, _Held] = {}
    names = {inner: name for name, inner in FOLDER_NAMES.items()}
    for file in files:
        for name, held in _tensors(file).items():
            if match := _FOLDER_BLOCK.fullmatch(name):
                inner = names.get(match[2], match[2].removeprefix("self_attn.").removeprefix("mlp."))
                blocks[int(match[1])][f"{inner}.{match[3]}"] = held
            else:
                outer[_outer_name(name)] = held
    if config.get("tie_word_embeddings"):
        outer.pop("output.weight", None)
    shapes = [_block(folder, n, _named_norms(held), heads, kv_heads, dim) for n, held in enumerate(blocks)]
    return ModelShape(folder.resolve().name, tuple(shapes), *_outer(folder, outer))


def _tensors(file: Path) -> dict[str, _Held]:
    found = {}
    try:
        with safe_open(file, "numpy") as held:
            for name in held.keys():  # noqa: SIM118
                part = held.get_slice(name)
                shape, kind = tuple(part.get_shape()), part.get_dtype().lower()
                found[name] = _Held(shape, kind, int(re.sub(r"\D", "", kind)) // 8 * _size(shape))
    except (SafetensorError, OSError) as error:
        raise NasbuildError(f"is damaged: {error}", where=str(file)) from error
    return found


def _outer_name(name: str) -> str:
    """GGUF's name of a tensor outside the blocks."""
    names = {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight"}
    return names.get(name, name)


def _named_norms(held: Mapping[str, _Held]) -> dict[str, _Held]:
    """A block's tensors with norms named as in GGUF files.

    ``post_attention_layernorm`` is the norm before the MLP, except where that has one of its own (Gemma).
    """
    before = "post_attention" if "pre_feedforward_layernorm.weight" in held else "ffn"
    names = {
        "input_layernorm": "attn_norm",
        "q_norm": "attn_q_norm",
        "k_norm": "attn_k_norm",
        "post_attention_layernorm": f"{before}_norm",
        "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
    }
    renamed = {}
    for name, tensor in held.items():
        inner, kind = name.rsplit(".", 1)
        renamed[f"{names.get(inner, inner)}.{kind}"] = tensor
    return renamed


def _block(
    path: Path, number: int, held: Mapping[str, _Held], heads: int, kv_heads: int, dim: int
) -> BlockShape:
    tensors, norms = {}, {True: 0, False: 0}
    for name, tensor in held.items():
        inner, kind = name.rsplit(".", 1)
        if inner in BLOCK_TENSORS and kind == "weight" and len(tensor.shape) == 2:
            bias = held.get(f"{inner}.bias")
            rows, columns = tensor.shape
            tensors[inner] = TensorShape(
                rows, columns, tensor.type, tensor.bytes, bias.shape[0] if bias else 0
            )
        elif inner in BLOCK_TENSORS and kind == "bias":
            continue
        elif len(tensor.shape) == 1:
            norms[inner.startswith(_OF_ATTENTION)] += tensor.shape[0]
        else:
            what = f"block {number} has {name} of shape {' x '.join(map(str, tensor.shape))}"
            raise NasbuildError(what, where=str(path), todo=_TODO)
    missing = [name for name in BLOCK_TENSORS if name not in tensors and name != "ffn_gate"]
    if missing:
        raise NasbuildError(f"block {number} has no {missing[0]}", where=str(path), todo=_TODO)
    channels = tensors["ffn_up"].rows
    return BlockShape(tensors, heads, kv_heads, dim, channels, norms[True], norms[False])


def _outer(path: Path, held: Mapping[str, _Held]) -> tuple[dict[str, TensorShape], int]:
    tensors, norms = {}, 0
    for name, tensor in held.items():
        inner = name.removesuffix(".weight")
        if inner in ("token_embd", "output"):
            rows, columns = tensor.shape
            tensors[inner] = TensorShape(rows, columns, tensor.type, tensor.bytes)
        elif len(tensor.shape) == 1:
            # Frequencies of rotary embeddings are no parameters.
            norms += 0 if "rope" in name else tensor.shape[0]
        else:
            raise NasbuildError(f"{name} is of no known kind", where=str(path), todo=_TODO)
    if "token_embd" not in tensors:
        raise NasbuildError("has no token_embd", where=str(path), todo=_TODO)
    return tensors, norms


def _by_block(value: Any, count: int) -> list[int]:
    return [int(one) for one in value] if isinstance(value, list) else [int(value)] * count


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
