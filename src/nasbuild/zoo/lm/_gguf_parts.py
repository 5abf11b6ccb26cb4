"""The tensors of a changed model, one after the other, as they go into a GGUF file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm._gguf_blocks import DECI, BlockPlan, NewBlock
from nasbuild.zoo.lm._gguf_source import GgufSource
from nasbuild.zoo.lm._gguf_tensors import NewTensor, filled, taken, zeros
from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.tensor_types import fits

_ATTENTION, _MLP = "attn_", "ffn_"


def changed_tensors(change: ModelChange, source: GgufSource, plan: BlockPlan) -> Iterator[NewTensor]:
    """All tensors of the file.

    Raises
    ------
    NasbuildError
        If a tensor can't have its type, or blocks have parts that aren't known.
    """
    for name, tensor in source.tensors.items():
        if not name.startswith("blk."):
            yield taken(tensor, name, kind=change.types.get(name.removesuffix(".weight")))
    # The rotary embedding of llama and deci turns neighbours, that of the others halves of a head.
    pairs = plan.architecture == DECI and source.architecture != "llama"
    for number, block in enumerate(plan.blocks):
        for part in (block.attention, block.mlp):
            _check_known(source, part)
        yield from _attention(change, source, number, block, pairs=pairs)
        yield from _mlp(change, source, number, block)


def _attention(
    change: ModelChange, source: GgufSource, number: int, block: NewBlock, *, pairs: bool
) -> Iterator[NewTensor]:
    if block.attention is None:
        queries, keys = (n * source.head_columns for n in (block.heads, block.kv_heads))
        yield from _zeros(
            source, number, _ATTENTION, {"attn_q": queries, "attn_k": keys, "attn_v": keys}, "attn_output"
        )
        return
    one = change.blocks[block.attention]
    kept = np.arange(source.kv_heads) if one.kv_heads is None else np.array(one.kv_heads)
    heads = (kept[:, None] * source.query_group + np.arange(source.query_group)).reshape(-1)
    cut = one.kv_heads is not None
    for name, tensor in source.of_block(block.attention, _ATTENTION).items():
        stem = name.partition(".")[0]
        rows = columns = None
        if stem in ("attn_q", "attn_k") and (cut or pairs):
            rows = _of_heads(heads if stem == "attn_q" else kept, source.head_columns, pairs=pairs)
        elif stem == "attn_v" and cut:
            rows = _of_heads(kept, source.head_columns)
        elif name == "attn_output.weight" and cut:
            columns = _of_heads(heads, source.head_columns)
        kind = one.types.get(name.removesuffix(".weight"))
        new = taken(tensor, f"blk.{number}.{name}", rows=rows, columns=columns, kind=kind)
        lengths = {"attn_q": block.heads, "attn_k": block.kv_heads, "attn_v": block.kv_heads}
        if stem in lengths:
            new = filled(new, (lengths[stem] * source.head_columns, *new.shape[1:]))
        elif name == "attn_output.weight":
            new = filled(new, (new.shape[0], block.heads * source.head_columns))
        yield new


def _mlp(change: ModelChange, source: GgufSource, number: int, block: NewBlock) -> Iterator[NewTensor]:
    if block.mlp is None:
        rows = {"ffn_gate": block.channels, "ffn_up": block.channels}
        yield from _zeros(source, number, _MLP, rows, "ffn_down")
        return
    one = change.blocks[block.mlp]
    kept = None if one.channels is None else np.array(one.channels)
    for name, tensor in source.of_block(block.mlp, _MLP).items():
        rows = kept if name.startswith(("ffn_gate.", "ffn_up.")) else None
        columns = kept if name == "ffn_down.weight" else None
        kind = one.types.get(name.removesuffix(".weight"))
        new = taken(tensor, f"blk.{number}.{name}", rows=rows, columns=columns, kind=kind)
        if name.startswith(("ffn_gate.", "ffn_up.")):
            new = filled(new, (block.channels, *new.shape[1:]))
        elif name == "ffn_down.weight":
            new = filled(new, (new.shape[0], block.channels))
        yield new


def _zeros(
    source: GgufSource, number: int, part: str, rows: Mapping[str, int], last: str
) -> Iterator[NewTensor]:
    """A part that adds nothing: matrices and biases of zeros beside the norms of the first block of the source."""
    if not all(rows.values()):
        return
    for name, tensor in source.of_block(0, part).items():
        stem, _, what = name.partition(".")
        new = f"blk.{number}.{name}"
        if stem.endswith("_norm"):
            yield taken(tensor, new)
        elif what == "bias":
            yield zeros(new, (rows.get(stem, source.hidden),), "f32")
        else:
            shape = (source.hidden, max(rows.values())) if stem == last else (rows[stem], source.hidden)
            yield zeros(new, shape, "q4_0" if fits("q4_0", shape[1]) else "f32")


def _of_heads(heads: np.ndarray, columns: int, *, pairs: bool = False) -> np.ndarray:
    """Rows of some heads; with ``pairs``, those that halves of a head turn together become neighbours."""
    inside = np.arange(columns)
    if pairs:
        inside = inside.reshape(2, -1).T.reshape(-1)
    return (heads[:, None] * columns + inside).reshape(-1)


def _check_known(source: GgufSource, block: int | None) -> None:
    if block is None:
        return
    names = source.of_block(block, "")
    unknown = [name for name in names if not name.startswith((_ATTENTION, _MLP)) or "_exp" in name]
    if unknown:
        raise NasbuildError(
            f"a part of a block that is not known: {unknown[0]}",
            where=f"{source.path}, block {block}",
            allowed="an attention and an MLP without experts",
        )
