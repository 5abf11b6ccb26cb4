"""The types of a changed model as settings of other quantisers: llama.cpp's llama-quantize, mlx-lm and auto-round.

Each tool rounds in its own way, so that what it makes has to be measured again. Layers have the numbers of the smaller
model, which `write_gguf` and `write_model_folder` write.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbuild._atomic_write import write_text
from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm._joined_parts import joined_parts
from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.model_shape import ATTENTION, MLP, ModelShape
from nasbuild.zoo.lm.shape_of_file import FOLDER_NAMES
from nasbuild.zoo.lm.tensor_types import tensor_types

_OUTER = {"token_embd": "model.embed_tokens", "output": "lm_head"}
_FLOATS = ("f32", "f16", "bf16")
_K_TYPES = {3: "q3_k", 2: "q2_k"}  # of llama.cpp, by bits; for rows of multiples of 256
_K_GROUP = 256
_MLX_BITS = (2, 3, 4, 5, 6, 8)
_AUTO_ROUND_BITS = (2, 3, 4, 8)


@dataclass(frozen=True)
class LayerSettings:
    """Settings for a tool.

    Attributes
    ----------
    settings
        Lines of options for llama-quantize; dicts as JSON for the others.
    notes
        Sentences on types that the tool doesn't have, and what it has instead.

    Examples
    --------
    >>> from nasbuild.zoo.lm import LayerSettings
    >>> LayerSettings({"model.layers.0.mlp.down_proj": {"bits": 4}}, ("auto-round has no 5 bits: q5_1 is 4 bits there",)).notes
    ('auto-round has no 5 bits: q5_1 is 4 bits there',)
    """

    settings: Any
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Layer:
    """A weight matrix that is left: its block in the smaller model (None outside), name, columns and type."""

    block: int | None
    name: str
    columns: int
    type: str

    @property
    def path(self) -> str:
        """Name in transformers and mlx-lm."""
        return (
            _OUTER[self.name]
            if self.block is None
            else f"model.layers.{self.block}.{FOLDER_NAMES[self.name]}"
        )


def llama_quantize_options(shape: ModelShape, change: ModelChange) -> LayerSettings:
    """Options of llama.cpp's llama-quantize, one a line, to be put before its input file.

    Types are given to every matrix, so that the tool's own mixture changes none. Its last argument, the type for the
    rest, is the most frequent one.

    Raises
    ------
    NasbuildError
        If parts of blocks are gone or cut: llama-quantize leaves out whole blocks alone.

    Examples
    --------
    >>> from nasbuild.zoo.lm.layer_settings import llama_quantize_options
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape, TensorShape
    >>> value = TensorShape(rows=64, columns=192, type="f16", bytes=64 * 192 * 2)
    >>> block = BlockShape({"attn_v": value}, heads=3, kv_heads=1, head_dim=64, channels=256, attention_norms=192, mlp_norms=192)
    >>> model = ModelShape("tiny", (block,) * 3, {}, norms=192)
    >>> narrow = BlockChange(types={"attn_v": "q4_0"})
    >>> gone = BlockChange(attention=False, mlp=False)
    >>> for line in llama_quantize_options(model, ModelChange((BlockChange(), gone, narrow))).settings:
    ...     print(line)
    --prune-layers 1
    --tensor-type '^blk\\.0\\.attn_v\\.weight$=f16'
    --tensor-type '^blk\\.1\\.attn_v\\.weight$=q4_0'
    """
    for n, block in enumerate(change.blocks):
        if block.attention != block.mlp or block.kv_heads is not None or block.channels is not None:
            raise NasbuildError(
                f"llama-quantize leaves out whole blocks alone, and a part of block {n} is gone or cut",
                todo="use the GGUF file of write_gguf",
            )
    notes: list[str] = []
    blocks: dict[tuple[str, str], list[int]] = {}
    lines: list[str] = []
    for layer in _layers(shape, change):
        kind = _llama_cpp_type(layer, notes)
        if layer.block is None:
            lines.append(
                f"--{'token-embedding' if layer.name == 'token_embd' else 'output-tensor'}-type {kind}"
            )
        else:
            blocks.setdefault((layer.name, kind), []).append(layer.block)
    gone = [str(n) for n, block in enumerate(change.blocks) if not (block.attention or block.mlp)]
    if gone:
        lines.append(f"--prune-layers {','.join(gone)}")
    for (name, kind), numbers in blocks.items():
        which = "|".join(map(str, numbers))
        which = f"({which})" if len(numbers) > 1 else which
        pattern = rf"^blk\.{which}\.{name}\.weight$={kind}"
        lines.append(f"--tensor-type {shlex.quote(pattern)}")
    return LayerSettings(lines, _once(notes))


def mlx_quantization(shape: ModelShape, change: ModelChange) -> LayerSettings:
    """The entry ``quantization`` of mlx-lm's config.json: bits and group size, and those of layers that differ.

    Layers that stay floats are false. mlx-lm holds a scale and an offset for each group, 32 bits together.

    Raises
    ------
    NasbuildError
        If a type of the unchanged model has no bits that mlx-lm has.

    Examples
    --------
    >>> from nasbuild.zoo.lm.layer_settings import mlx_quantization
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape, TensorShape
    >>> value = TensorShape(rows=64, columns=192, type="q4_0", bytes=64 * 108)
    >>> block = BlockShape({"attn_v": value}, heads=3, kv_heads=1, head_dim=64, channels=256, attention_norms=192, mlp_norms=192)
    >>> model = ModelShape("tiny", (block,) * 3, {}, norms=192)
    >>> change = ModelChange((BlockChange(), BlockChange(), BlockChange(types={"attn_v": "w3g64"})))
    >>> mlx_quantization(model, change).settings
    {'group_size': 32, 'bits': 4, 'mode': 'affine', 'model.layers.2.self_attn.v_proj': {'group_size': 64, 'bits': 3}}
    """
    notes = [
        "mlx-lm holds a scale and an offset for each group, 32 bits: more than is counted for scales alone"
    ]
    found: dict[str, tuple[int, int] | None] = {}
    for layer in _layers(shape, change):
        found[layer.path] = _bits_and_group(layer, "mlx-lm", _MLX_BITS, notes)
    bits, group = _most_frequent(found.values(), (4, 64))
    settings: dict[str, Any] = {"group_size": group, "bits": bits, "mode": "affine"}
    for path, choice in found.items():
        if choice is None:
            settings[path] = False
        elif choice != (bits, group):
            settings[path] = {"group_size": choice[1], "bits": choice[0]}
    return LayerSettings(settings, _once(notes))


def auto_round_layer_config(shape: ModelShape, change: ModelChange) -> LayerSettings:
    """The argument ``layer_config`` of auto-round's `AutoRound`: bits and groups of each layer.

    Raises
    ------
    NasbuildError
        If a type of the unchanged model has no bits that auto-round has.

    Examples
    --------
    >>> from nasbuild.zoo.lm.layer_settings import auto_round_layer_config
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape, TensorShape
    >>> value = TensorShape(rows=64, columns=192, type="f16", bytes=64 * 192 * 2)
    >>> block = BlockShape({"attn_v": value}, heads=3, kv_heads=1, head_dim=64, channels=256, attention_norms=192, mlp_norms=192)
    >>> model = ModelShape("tiny", (block,) * 2, {}, norms=192)
    >>> change = ModelChange((BlockChange(), BlockChange(types={"attn_v": "q5_1"})))
    >>> found = auto_round_layer_config(model, change)
    >>> found.settings["model.layers.0.self_attn.v_proj"]
    {'bits': 16, 'data_type': 'float'}
    >>> found.settings["model.layers.1.self_attn.v_proj"]
    {'bits': 4, 'group_size': 32, 'sym': False, 'data_type': 'int'}
    >>> found.notes
    ('auto-round has no 5 bits: q5_1 is 4 bits there',)
    """
    notes: list[str] = []
    settings: dict[str, Any] = {}
    for layer in _layers(shape, change):
        if layer.name == "token_embd":
            if "token_embd" in change.types:
                notes.append("auto-round leaves embeddings as they are")
            continue
        choice = _bits_and_group(layer, "auto-round", _AUTO_ROUND_BITS, notes)
        if choice is None:
            settings[layer.path] = {"bits": 16, "data_type": "float"}
        else:
            sym = not layer.type.endswith(("_1", "_k"))
            settings[layer.path] = {
                "bits": choice[0],
                "group_size": choice[1],
                "sym": sym,
                "data_type": "int",
            }
    return LayerSettings(settings, _once(notes))


def write_layer_settings(
    shape: ModelShape, change: ModelChange, folder: str | os.PathLike[str]
) -> dict[str, LayerSettings]:
    """Write the settings of all three tools into a folder, and ``notes.txt`` on what they say otherwise than the change.

    Returns
    -------
    dict
        File name -> settings, without a tool that can't make such a model.

    Examples
    --------
    >>> from nasbuild.zoo.lm.layer_settings import write_layer_settings
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape, TensorShape
    >>> value = TensorShape(rows=64, columns=192, type="f16", bytes=64 * 192 * 2)
    >>> block = BlockShape({"attn_v": value}, heads=3, kv_heads=1, head_dim=64, channels=256, attention_norms=192, mlp_norms=192)
    >>> model = ModelShape("tiny", (block,) * 2, {}, norms=192)
    >>> from tempfile import mkdtemp
    >>> sorted(write_layer_settings(model, model.unchanged, mkdtemp()))
    ['auto-round-layer-config.json', 'llama-quantize.txt', 'mlx-quantization.json']
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[ModelShape, ModelChange], LayerSettings]] = {
        "llama-quantize.txt": llama_quantize_options,
        "mlx-quantization.json": mlx_quantization,
        "auto-round-layer-config.json": auto_round_layer_config,
    }
    found: dict[str, LayerSettings] = {}
    notes: list[str] = []
    for name, make in makers.items():
        try:
            made = make(shape, change)
        except NasbuildError as error:
            notes.append(f"{name}: not written: {error}")
            (place / name).unlink(missing_ok=True)
            continue
        text = "\n".join(made.settings) if name.endswith(".txt") else json.dumps(made.settings, indent=1)
        write_text(place / name, f"{text}\n")
        notes += [f"{name}: {note}" for note in made.notes]
        found[name] = made
    write_text(place / "notes.txt", "".join(f"{note}\n" for note in notes))
    return found


def _layers(shape: ModelShape, change: ModelChange) -> Iterator[_Layer]:
    for name, tensor in shape.outer.items():
        if name in _OUTER:
            yield _Layer(None, name, tensor.columns, change.types.get(name, tensor.type))
    for number, parts in enumerate(joined_parts(change)):
        for part, block in zip((ATTENTION, MLP), parts, strict=True):
            for name in part:
                if block is None:
                    continue
                if tensor := shape.blocks[block].tensors.get(name):  # an MLP may have no gate
                    kind = change.blocks[block].types.get(name, tensor.type)
                    yield _Layer(number, name, tensor.columns, kind)


def _llama_cpp_type(layer: _Layer, notes: list[str]) -> str:
    own = tensor_types().get(layer.type)
    if own is None or own.container == own.name:
        return layer.type
    fits = layer.columns % _K_GROUP == 0
    nearest = _K_TYPES[int(own.bits)] if fits else own.container
    why = "" if fits else f", as rows of {layer.columns} are no multiples of {_K_GROUP}"
    notes.append(f"llama-quantize has no {own.name}: {nearest} is the nearest{why}")
    return nearest


def _bits_and_group(
    layer: _Layer, tool: str, has: tuple[int, ...], notes: list[str]
) -> tuple[int, int] | None:
    """Bits and columns of a group of a tool for a type; None for floats."""
    if layer.type in _FLOATS:
        return None
    if not (match := re.match(r"(?:i?q|w)(\d)", layer.type)):
        raise NasbuildError(
            f"{tool} has nothing like the type '{layer.type}'",
            where=layer.path,
            todo="give a type of tensor_types() to it",
        )
    bits = int(match[1])
    nearest = min(has, key=lambda one: (abs(one - bits), one))
    if nearest != bits:
        notes.append(f"{tool} has no {bits} bits: {layer.type} is {nearest} bits there")
    own = tensor_types().get(layer.type)
    return nearest, own.group if own else 32


def _most_frequent(choices: Iterable[tuple[int, int] | None], otherwise: tuple[int, int]) -> tuple[int, int]:
    counted = Counter(one for one in choices if one is not None)
    return counted.most_common(1)[0][0] if counted else otherwise


def _once(notes: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))
