"""A language model in a GGUF file, as the writers need it: shapes, metadata and raw tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild._optional_imports import absent
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from gguf import ReaderField, ReaderTensor

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""Architectures of GGUF files whose parts are known."""


@dataclass(frozen=True)
class GgufSource:
    """A file's shapes and contents.

    Attributes
    ----------
    blocks, hidden, heads, kv_heads, head_columns, channels
        Numbers of blocks, columns of embeddings, query heads, key-value heads, columns of a head, channels of an MLP.
    fields
        Metadata as the file has them.
    tensors
        By name, mapped into memory.
    """

    path: str
    architecture: str
    blocks: int
    hidden: int
    heads: int
    kv_heads: int
    head_columns: int
    channels: int
    fields: Mapping[str, ReaderField]
    tensors: Mapping[str, ReaderTensor]

    @property
    def query_group(self) -> int:
        """Query heads that share a key-value head."""
        return self.heads // self.kv_heads

    def of_block(self, block: int, part: str) -> dict[str, ReaderTensor]:
        """Tensors of a block whose names start with ``part``, without ``blk.N.``."""
        prefix = f"blk.{block}."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}{part}")
        }


def read_gguf_source(path: str | os.PathLike[str]) -> GgufSource:
    """Open a GGUF file; its tensors are read when they are used.

    Raises
    ------
    NasbuildError
        If the file is missing or damaged, in parts, or has an architecture whose parts aren't known.
    """
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError as error:
        raise absent(error) from error
    where = os.fspath(path)
    try:
        reader = GGUFReader(path)
    except FileNotFoundError:
        raise NasbuildError("no such file", where=where) from None
    except (ValueError, IndexError, KeyError, OSError, OverflowError) as error:  # also text that is no UTF-8
        raise NasbuildError(f"is no GGUF file, or a damaged one ({error})", where=where) from None
    fields = reader.fields
    architecture = fields["general.architecture"].contents() if "general.architecture" in fields else None
    if architecture not in ARCHITECTURES:
        raise NasbuildError(
            f"has the architecture '{architecture}', whose parts are not known",
            where=where,
            allowed=ARCHITECTURES,
        )
    if "split.count" in fields and fields["split.count"].contents() > 1:
        raise NasbuildError(
            "is one of several files of a model", where=where, todo="join them with llama-gguf-split --merge"
        )

    def number(key: str, default: int | None = None) -> int:
        field = fields.get(f"{architecture}.{key}")
        value = default if field is None else field.contents()
        if isinstance(value, list) and len(set(value)) == 1:
            value = value[0]
        if not isinstance(value, int):
            what = "lacks" if value is None else "has different values for its blocks in"
            raise NasbuildError(
                f"{what} {architecture}.{key}", where=where, todo="give the file of an unchanged model"
            )
        return value

    hidden, heads = number("embedding_length"), number("attention.head_count")
    head_columns = number("attention.key_length", hidden // heads)
    for key in ("attention.value_length", "rope.dimension_count"):
        if number(key, head_columns) != head_columns:
            raise NasbuildError(
                f"has heads whose parts differ in length ({architecture}.{key})",
                where=where,
                allowed=[head_columns],
            )
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    if missing := {"token_embd.weight", "output_norm.weight"} - set(tensors):
        raise NasbuildError(f"lacks the tensor {min(missing)}", where=where)
    source = GgufSource(
        path=where,
        architecture=architecture,
        blocks=number("block_count"),
        hidden=hidden,
        heads=heads,
        kv_heads=number("attention.head_count_kv", heads),
        head_columns=head_columns,
        channels=number("feed_forward_length"),
        fields=fields,
        tensors=tensors,
    )
    _check_shapes(source)
    return source


def field_value(source: GgufSource, name: str) -> Any:
    """A value of the metadata.

    Raises
    ------
    NasbuildError
        If it is no text where it should be.
    """
    try:
        return source.fields[name].contents()
    except UnicodeDecodeError as error:
        raise NasbuildError(f"is a damaged GGUF file ({error})", where=f"{source.path}, {name}") from None


def tensor_values(tensor: ReaderTensor) -> np.ndarray:
    """Values of a tensor, float32, (rows, columns) or (columns,).

    Raises
    ------
    NasbuildError
        If its type can't be read.
    """
    from gguf.quants import dequantize

    try:
        return dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError:
        raise NasbuildError(
            f"weights of type {tensor.tensor_type.name} can't be read",
            where=tensor.name,
            todo="give a file of the model with other types, such as F16",
        ) from None


def _check_shapes(source: GgufSource) -> None:
    """Each block must have its matrices, in the sizes that the metadata say."""
    queries, keys = (n * source.head_columns for n in (source.heads, source.kv_heads))
    shapes = {
        "attn_q": (queries, source.hidden),
        "attn_k": (keys, source.hidden),
        "attn_v": (keys, source.hidden),
        "attn_output": (source.hidden, queries),
        "ffn_gate": (source.channels, source.hidden),
        "ffn_up": (source.channels, source.hidden),
        "ffn_down": (source.hidden, source.channels),
    }
    for n in range(source.blocks):
        for name, shape in shapes.items():
            tensor = source.tensors.get(f"blk.{n}.{name}.weight")
            found = None if tensor is None else tuple(int(size) for size in reversed(tensor.shape))
            if found != shape:
                what = "lacks" if found is None else f"has {' x '.join(map(str, found))} numbers in"
                raise NasbuildError(
                    f"{what} {name}, where its metadata say {' x '.join(map(str, shape))}",
                    where=f"{source.path}, block {n}",
                    todo="give a decoder with separate q, k, v, gate, up and down matrices and no experts",
                )
