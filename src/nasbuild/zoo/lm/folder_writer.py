"""Writes a changed language model as a Hugging Face folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nasbuild._atomic_write import writing_folder
from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm._folder_config import FolderPlan, plan_folder
from nasbuild.zoo.lm._joined_parts import check_change
from nasbuild.zoo.lm.loaded_model import load_model, load_tokenizer
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
from nasbuild.zoo.lm.model_shape import ATTENTION, BlockShape, ModelShape
from nasbuild.zoo.lm.shape_of_file import FOLDER_NAMES, read_shape
from nasbuild.zoo.lm.tensor_types import rounded

_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)")
_OUTER = {"model.embed_tokens.weight": "token_embd", "lm_head.weight": "output"}
_OF_ATTENTION = ("self_attn.", "input_layernorm.")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".index.json")
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class WrittenFolder:
    """What was written.

    Attributes
    ----------
    path, architecture
        The folder, and the class of its model: the source's, or ``DeciLMForCausalLM``.
    blocks
        Blocks of the model.
    tensor_bytes
        Bytes of its tensors.
    notes
        Sentences on what the folder needs, or holds otherwise than the change says.

    Examples
    --------
    >>> from nasbuild.zoo.lm import WrittenFolder
    >>> WrittenFolder("small", "LlamaForCausalLM", 28, 512_000_000, ()).blocks
    28
    """

    path: str
    architecture: str
    blocks: int
    tensor_bytes: int
    notes: tuple[str, ...]


def write_model_folder(
    source: str | os.PathLike[str], change: ModelChange, path: str | os.PathLike[str]
) -> WrittenFolder:
    """Write the changed model as a folder that transformers loads.

    Whole blocks are left out, and widths and key-value heads cut, if all blocks are left with the same. Blocks that
    differ are written as DeciLM's ``block_configs``, for Llama models; transformers needs DeciLM's own code for them.
    Weights keep the source's type of numbers. Rounded ones are written as these numbers, so that the folder is no
    smaller for it.

    Parameters
    ----------
    source
        A Hugging Face folder, or a GGUF file, which is written in float32.
    path
        A new folder. It is written beside and then renamed.

    Raises
    ------
    NasbuildError
        If the source can't be read, the change is that of another model, or neither configuration has such blocks.
    OutputError
        If the folder exists or can't be written.

    Examples
    --------
    >>> from nasbuild.zoo.lm.folder_writer import write_model_folder
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> write_model_folder("missing", ModelChange((BlockChange(),)), "small")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: missing: no such file
    """
    place, shape = Path(source), read_shape(source)
    check_change(
        change, os.fspath(source), [(one.kv_heads, one.channels) for one in shape.blocks], shape.outer
    )
    model = None if place.is_dir() else load_model(place)
    config = (
        json.loads((place / "config.json").read_text(encoding="utf-8"))
        if model is None
        else _config_of(model.network)
    )
    plan = plan_folder(config, shape, change, os.fspath(source))
    sources = _files(place) if model is None else [("model.safetensors", model.network.state_dict())]
    notes, total, index = list(plan.notes), 0, {}
    with writing_folder(path) as folder:
        for name, tensors in sources:
            kept = dict(_changed(tensors, plan, shape, change, config))
            if kept:
                save_file(kept, folder / name, metadata={"format": "pt"})
            index |= dict.fromkeys(kept, name)
            total += sum(one.nbytes for one in kept.values())
        if len(set(index.values())) > 1 or "model.safetensors" not in index.values():
            listed = {"metadata": {"total_size": total}, "weight_map": index}
            (folder / _INDEX).write_text(json.dumps(listed, indent=1), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(plan.config, indent=2) + "\n", encoding="utf-8")
        notes += _other_files(place, folder)
    if change.types or any(block.types for block in change.blocks):
        notes.append(
            "rounded weights are written as the source's type of numbers: the folder is no smaller for it"
        )
    return WrittenFolder(
        os.fspath(path), plan.config["architectures"][0], len(plan.blocks), total, tuple(notes)
    )


def _config_of(network: Any) -> dict[str, Any]:
    """The config.json of a model that was read from a GGUF file, into float32."""
    config = json.loads(network.config.to_json_string(use_diff=False))
    of_file = ("quantization_config", "_name_or_path", "_model_name_or_path")
    kept = {key: value for key, value in config.items() if key not in of_file}
    return kept | {"architectures": [type(network).__name__], "dtype": "float32"}


def _files(folder: Path) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as held:
            yield file.name, {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118


def _changed(
    tensors: Mapping[str, Tensor],
    plan: FolderPlan,
    shape: ModelShape,
    change: ModelChange,
    config: Mapping[str, Any],
) -> Iterator[tuple[str, Tensor]]:
    """Names and values in the smaller model."""
    attention = {block: n for n, (block, _) in enumerate(plan.blocks)}
    mlp = {block: n for n, (_, block) in enumerate(plan.blocks)}
    stems = {there: name for name, there in FOLDER_NAMES.items()}
    for name, tensor in tensors.items():
        match = _LAYER.fullmatch(name)
        if match is None:
            if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                continue
            yield name, _rounded(tensor, change.types.get(_OUTER.get(name, "")))
            continue
        block, inner = int(match[1]), match[2]
        number = (attention if inner.startswith(_OF_ATTENTION) else mlp).get(block)
        if number is None:
            continue
        stem = stems.get(inner.rpartition(".")[0])
        if stem is not None:
            one = change.blocks[block]
            tensor = _cut(tensor, stem, shape.blocks[block], one)
            tensor = _rounded(tensor, one.types.get(stem) if inner.endswith(".weight") else None)
        yield f"model.layers.{number}.{inner}", tensor.contiguous()


def _cut(tensor: Tensor, name: str, shape: BlockShape, change: BlockChange) -> Tensor:
    """A matrix or bias with the heads and channels that are kept."""
    if name in ATTENTION:
        if change.kv_heads is None:
            return tensor
        group = shape.heads // shape.kv_heads if name in ("attn_q", "attn_output") else 1
        width = group * shape.head_dim
        index = torch.cat([torch.arange(head * width, (head + 1) * width) for head in change.kv_heads])
    elif change.channels is None:
        return tensor
    else:
        index = torch.tensor(change.channels)
    if name in ("attn_output", "ffn_down"):
        return tensor if tensor.ndim == 1 else tensor[:, index]
    return tensor[index]


def _rounded(tensor: Tensor, kind: str | None) -> Tensor:
    return tensor if kind is None else rounded(tensor.float(), kind).to(tensor.dtype)


def _other_files(source: Path, folder: Path) -> list[str]:
    """Copy tokenizer and the like; sentences on what is missing."""
    if not source.is_dir():
        try:
            load_tokenizer(source).save_pretrained(folder)
        except NasbuildError as error:
            return [f"the folder has no tokenizer: {error.what}"]
        return []
    for file in source.iterdir():
        if file.is_file() and file.name != "config.json" and not file.name.endswith(_WEIGHTS):
            shutil.copyfile(file, folder / file.name)
    return []
