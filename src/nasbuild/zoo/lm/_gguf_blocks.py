"""The blocks of a changed model as llama.cpp can have them: which parts make one, and which architecture says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nasbuild.zoo.lm._gguf_source import GgufSource
from nasbuild.zoo.lm._joined_parts import joined_parts
from nasbuild.zoo.lm.model_change import ModelChange

DECI = "deci"
"""llama.cpp's architecture of NVIDIA's DeciLM (Nemotron), whose heads and channels are lists by block."""


@dataclass(frozen=True)
class NewBlock:
    """A block of the written file: the attention of one block of the source and the MLP of the same or a later one.

    Attributes
    ----------
    attention, mlp
        Blocks of the source; None where the part is gone.
    heads, kv_heads, channels
        Their numbers in the file. 0 leaves the part out; where it is gone and they are not 0, they are zeros.
    """

    attention: int | None
    mlp: int | None
    heads: int
    kv_heads: int
    channels: int


@dataclass(frozen=True)
class BlockPlan:
    """The file's architecture, its blocks, and sentences on what they hold otherwise than the change says."""

    architecture: str
    blocks: tuple[NewBlock, ...]
    notes: tuple[str, ...]


def plan_blocks(change: ModelChange, source: GgufSource) -> BlockPlan:
    """Blocks that compute the same as the changed model.

    The source's architecture is kept if all blocks have both parts in equal sizes. Otherwise it is `DECI`, which has
    two gaps: it drops an attention that has no MLP beside it, and can't start with a block without attention. Zeros
    fill them, and what is gone from blocks of ``qwen3``.
    """
    blocks = _sized(change, source)
    notes = [
        f"the attention of block {one.attention} and the MLP of block {one.mlp} make one block"
        for one in blocks
        if None not in (one.attention, one.mlp) and one.attention != one.mlp
    ]
    sizes = {(one.heads, one.kv_heads, one.channels) for one in blocks}
    # llama.cpp's qwen2 has as many columns of heads as of embeddings.
    widths_fit = source.architecture != "qwen2" or blocks[0].heads * source.head_columns == source.hidden
    if len(sizes) == 1 and 0 not in next(iter(sizes)) and widths_fit:
        return BlockPlan(source.architecture, tuple(blocks), tuple(notes))
    if source.architecture == "qwen3":
        return _filled_with_zeros(blocks, source, notes)
    notes.append(
        f"llama.cpp has such blocks in its architecture 'deci' (DeciLM) alone, not in '{source.architecture}'"
    )
    if blocks[0].attention is None:
        blocks[0] = replace(blocks[0], heads=1, kv_heads=1)
        notes.append("llama.cpp needs an attention in the first block: it is one head of zeros")
    if without := [n for n, one in enumerate(blocks) if one.mlp is None]:
        blocks = [one if one.channels else replace(one, channels=1) for one in blocks]
        notes.append(
            f"llama.cpp can't leave out an MLP beside an attention: {_those(without)} one channel of zeros"
        )
    return BlockPlan(DECI, tuple(blocks), tuple(notes))


def _sized(change: ModelChange, source: GgufSource) -> list[NewBlock]:
    """Blocks of the changed model, with 0 for parts that are gone."""
    blocks: list[NewBlock] = []
    for attention, mlp in joined_parts(change):
        kv_heads = channels = 0
        if attention is not None:
            kept = change.blocks[attention].kv_heads
            kv_heads = source.kv_heads if kept is None else len(kept)
        if mlp is not None:
            kept = change.blocks[mlp].channels
            channels = source.channels if kept is None else len(kept)
        blocks.append(NewBlock(attention, mlp, kv_heads * source.query_group, kv_heads, channels))
    return blocks


def _filled_with_zeros(blocks: Sequence[NewBlock], source: GgufSource, notes: list[str]) -> BlockPlan:
    """Blocks of the largest size, with zeros for what is gone: for architectures that `DECI` can't stand in for."""
    heads = max(one.heads for one in blocks) or source.query_group
    kv_heads = max(one.kv_heads for one in blocks) or 1
    channels = max(one.channels for one in blocks) or 1
    whole = (heads, kv_heads, channels)
    smaller = [n for n, one in enumerate(blocks) if (one.heads, one.kv_heads, one.channels) != whole]
    notes.append(
        f"llama.cpp has blocks of one size for the architecture '{source.architecture}': "
        f"{_those(smaller)} zeros for what is gone"
    )
    same = (replace(one, heads=heads, kv_heads=kv_heads, channels=channels) for one in blocks)
    return BlockPlan(source.architecture, tuple(same), tuple(notes))


def _those(blocks: list[int]) -> str:
    listed = ", ".join(map(str, blocks))
    return f"block {listed} of the file has" if len(blocks) == 1 else f"blocks {listed} of the file have"
