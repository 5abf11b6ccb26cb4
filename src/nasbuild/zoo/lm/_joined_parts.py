"""Which parts of a changed model make its blocks, and whether a change is one of the model at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.model_change import BLOCK_TENSORS, OUTER_TENSORS, ModelChange


def joined_parts(change: ModelChange) -> list[tuple[int | None, int | None]]:
    """Of each block that is left, the blocks of the model that its attention and its MLP are from.

    An attention without MLP takes the part that follows, if that is an MLP without attention: such a block computes the
    same as the two. None is a part that is not there.

    Examples
    --------
    >>> from nasbuild.zoo.lm._joined_parts import joined_parts
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> joined_parts(ModelChange((BlockChange(mlp=False), BlockChange(attention=False), BlockChange(attention=False))))
    [(0, 1), (None, 2)]
    """
    blocks: list[tuple[int | None, int | None]] = []
    for n, block in enumerate(change.blocks):
        if block.attention:
            blocks.append((n, None))
        if block.mlp:
            if blocks and blocks[-1][1] is None:
                blocks[-1] = (blocks[-1][0], n)
            else:
                blocks.append((None, n))
    return blocks


def check_change(
    change: ModelChange, where: str, sizes: Sequence[tuple[int, int]], outer: Collection[str]
) -> None:
    """Refuse a change of another model.

    Parameters
    ----------
    where
        File of the model.
    sizes
        Key-value heads and channels of its blocks.
    outer
        Its weight matrices outside the blocks.

    Raises
    ------
    NasbuildError
        With the first mistake.
    """
    if len(change.blocks) != len(sizes):
        raise NasbuildError(
            f"the change has {len(change.blocks)} blocks, the model {len(sizes)}", where=where
        )
    _check_names(change.types, OUTER_TENSORS, "the change")
    if "output" in change.types and "output" not in outer:
        raise NasbuildError(
            "the model has no head of its own", where="output", todo="give the type to token_embd"
        )
    for n, (block, (kv_heads, channels)) in enumerate(zip(change.blocks, sizes, strict=True)):
        _check_names(block.types, BLOCK_TENSORS, f"block {n}")
        _check_kept(block.kv_heads, kv_heads, f"block {n}, kv_heads")
        _check_kept(block.channels, channels, f"block {n}, channels")
    if not any(block.attention or block.mlp for block in change.blocks):
        raise NasbuildError("no block is left", where="the change")


def _check_names(types: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in types:
        if name not in known:
            raise NasbuildError(f"there is no tensor '{name}'", where=where, allowed=known)


def _check_kept(kept: tuple[int, ...] | None, there: int, where: str) -> None:
    if kept is None:
        return
    ascending = all(a < b for a, b in pairwise(kept))
    if not kept or not ascending or kept[0] < 0 or kept[-1] >= there:
        raise NasbuildError(
            "must be ascending numbers, at least one", where=where, allowed=f"0 to {there - 1}"
        )
