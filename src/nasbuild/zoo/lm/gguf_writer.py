"""Writes a changed language model as a GGUF file that llama.cpp loads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasbuild._atomic_write import writing
from nasbuild.zoo.lm._gguf_blocks import DECI, BlockPlan, plan_blocks
from nasbuild.zoo.lm._gguf_parts import changed_tensors
from nasbuild.zoo.lm._gguf_source import GgufSource, field_value, read_gguf_source
from nasbuild.zoo.lm._gguf_tensors import NewTensor
from nasbuild.zoo.lm._joined_parts import check_change
from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.tensor_types import tensor_type


@dataclass(frozen=True)
class WrittenGguf:
    """What was written.

    Attributes
    ----------
    path, architecture
        The file, and its architecture: the source's, or ``deci`` where blocks differ.
    blocks
        Blocks in the file.
    file_bytes
        Size of the file, metadata and tokenizer included.
    tensor_bytes
        Bytes that its tensors take in the file.
    counted_bytes
        Bytes of its tensors with each packed in its own type: fewer than ``tensor_bytes`` for types of 2 and 3 bits,
        which GGUF files hold as ``q4_0``, and where zeros stand for what is gone.
    notes
        Sentences on what the file holds otherwise than the change says.

    Examples
    --------
    >>> from nasbuild.zoo.lm import WrittenGguf
    >>> written = WrittenGguf("small.gguf", "llama", 28, 98_400_000, 96_600_000, 93_300_000, ())
    >>> written.tensor_bytes - written.counted_bytes  # what types of 2 and 3 bits take more in the file
    3300000
    """

    path: str
    architecture: str
    blocks: int
    file_bytes: int
    tensor_bytes: int
    counted_bytes: int
    notes: tuple[str, ...]


def write_gguf(
    source: str | os.PathLike[str], change: ModelChange, path: str | os.PathLike[str]
) -> WrittenGguf:
    """Write the changed model of a GGUF file.

    Metadata and tokenizer are carried over, and tensors that are not changed keep their bytes. Parts are taken first
    and rounded then, so that groups are those of the smaller matrix. Blocks without both parts are left out, and the
    others renumbered. If blocks differ in their parts or sizes, the architecture is ``deci``, llama.cpp's name of
    DeciLM.

    Parameters
    ----------
    source
        A model of the architectures ``llama``, ``qwen2`` or ``qwen3`` in one file.
    change
        One `BlockChange` for each of its blocks.
    path
        The new file. It is written beside and then renamed.

    Raises
    ------
    NasbuildError
        If the source can't be read, the change is that of another model, or a tensor can't have its type.

    Examples
    --------
    >>> from nasbuild.zoo.lm.gguf_writer import write_gguf
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> write_gguf("missing.gguf", ModelChange((BlockChange(attention=False),)), "small.gguf")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: missing.gguf: no such file
    """
    model = read_gguf_source(source)
    outer = [name.removesuffix(".weight") for name in model.tensors]
    check_change(change, model.path, [(model.kv_heads, model.channels)] * model.blocks, outer)
    plan = plan_blocks(change, model)
    tensors = list(changed_tensors(change, model, plan))
    with writing(path) as temporary:
        _write(temporary, model, plan, tensors, types_changed=_changes_types(change))
    return WrittenGguf(
        os.fspath(path),
        plan.architecture,
        len(plan.blocks),
        Path(path).stat().st_size,
        sum(one.stored_bytes for one in tensors),
        sum(one.counted for one in tensors),
        (*plan.notes, *_notes(change, tensors)),
    )


def _notes(change: ModelChange, tensors: Sequence[NewTensor]) -> list[str]:
    notes = []
    cut = [one for one in tensors if one.rounded_again]
    if cut:
        types = ", ".join(sorted({str(one.rounded_again) for one in cut}))
        notes.append(
            f"channels cut groups of weights, whose rest was rounded again ({types}): "
            f"{len(cut)} {'tensors' if len(cut) > 1 else 'tensor'}, the first {cut[0].name}"
        )
    used = {kind for block in change.blocks for kind in block.types.values()} | set(change.types.values())
    held = sorted(name for name in used if tensor_type(name).container != name)
    own = [one for one in tensors if one.counted]
    stored, counted = (sum(getattr(one, key) for one in own) for key in ("stored_bytes", "counted"))
    if held and stored > counted:
        notes.append(
            f"GGUF has no type for {', '.join(held)}: such weights are held as q4_0 with the same values, "
            f"so that tensors take {stored:,} bytes in the file where {counted:,} are counted"
        )
    return notes


def _changes_types(change: ModelChange) -> bool:
    return bool(change.types) or any(block.types for block in change.blocks)


def _write(
    path: Path, model: GgufSource, plan: BlockPlan, tensors: Sequence[NewTensor], *, types_changed: bool
) -> None:
    from gguf import GGUFValueType, GGUFWriter

    writer = GGUFWriter(path, plan.architecture)
    new = _metadata(model, plan)
    skipped = {"general.architecture", "general.alignment", *new} | (
        {"general.file_type"} if types_changed else set()
    )
    for name, field in model.fields.items():
        key = _renamed(name, model.architecture, plan.architecture)
        value, kind = field_value(model, name), field.types[0]
        if name.startswith("GGUF.") or key in skipped or value == []:  # empty lists can't be written
            continue
        items = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(key, value, kind, items)
    for key, value in new.items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_key_value(key, value, GGUFValueType.ARRAY, GGUFValueType.INT32)
    if "general.alignment" in model.fields:
        writer.add_custom_alignment(model.fields["general.alignment"].contents())
    for one in tensors:
        writer.add_tensor_info(
            one.name, one.shape, np.dtype(np.float32), one.stored_bytes, raw_dtype=one.stored
        )
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for one in tensors:
            writer.write_tensor_data(one.data())
    finally:
        writer.close()


def _metadata(model: GgufSource, plan: BlockPlan) -> dict[str, int | list[int]]:
    """What says the new sizes, and which parts of the source the blocks are."""
    prefix = plan.architecture
    sizes: dict[str, int | list[int]] = {
        "attention.head_count": [one.heads for one in plan.blocks],
        "attention.head_count_kv": [one.kv_heads for one in plan.blocks],
        "feed_forward_length": [one.channels for one in plan.blocks],
    }
    if prefix != DECI:
        sizes = {key: value[0] for key, value in sizes.items() if isinstance(value, list)}
    # Not to be derived from the number of heads, which may have changed.
    sizes |= dict.fromkeys(("attention.key_length", "attention.value_length"), model.head_columns)
    sizes["block_count"] = len(plan.blocks)
    return {f"{prefix}.{key}": value for key, value in sizes.items()} | {
        "nasbuild.attention_of_block": [
            -1 if one.attention is None else one.attention for one in plan.blocks
        ],
        "nasbuild.mlp_of_block": [-1 if one.mlp is None else one.mlp for one in plan.blocks],
    }


def _renamed(key: str, old: str, new: str) -> str:
    return f"{new}.{key.removeprefix(f'{old}.')}" if key.startswith(f"{old}.") else key
