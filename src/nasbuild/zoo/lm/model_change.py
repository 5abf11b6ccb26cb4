"""What an architecture changes in a language model, as plain data: what evaluators apply and writers write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

BLOCK_TENSORS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""Weight matrices of a block, by their names in GGUF files: ``blk.3.attn_q.weight`` is ``attn_q`` of block 3."""
OUTER_TENSORS = ("token_embd", "output")
"""Weight matrices outside the blocks: embeddings, and the head where it does not share them."""

_NO_TYPES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class BlockChange:
    """Changes of one block.

    Attributes
    ----------
    attention, mlp
        Whether the part is there. Without it, the block adds nothing in its place.
    kv_heads
        Key-value heads that are kept, ascending; their query heads and the columns of ``attn_output`` go with them.
        None keeps all.
    channels
        Channels of the MLP that are kept, ascending: rows of ``ffn_gate`` and ``ffn_up``, columns of ``ffn_down``.
        None keeps all.
    types
        Tensor of the block -> type that it is rounded to, such as ``q4_0``. Others stay as they are.

    Examples
    --------
    >>> from nasbuild.zoo.lm import BlockChange
    >>> BlockChange(mlp=False, types={"attn_v": "q4_0"}) == BlockChange()
    False
    """

    attention: bool = True
    mlp: bool = True
    kv_heads: tuple[int, ...] | None = None
    channels: tuple[int, ...] | None = None
    types: Mapping[str, str] = field(default_factory=lambda: _NO_TYPES)


@dataclass(frozen=True)
class ModelChange:
    """Changes of a model.

    Attributes
    ----------
    blocks
        One for each block of the unchanged model, in order.
    types
        Tensor outside the blocks (``token_embd``, ``output``) -> type that it is rounded to.

    Examples
    --------
    >>> from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
    >>> change = ModelChange((BlockChange(), BlockChange(mlp=False), BlockChange(types={"attn_v": "q4_0"})))
    >>> change.first_changed
    1
    """

    blocks: tuple[BlockChange, ...]
    types: Mapping[str, str] = field(default_factory=lambda: _NO_TYPES)

    @property
    def first_changed(self) -> int:
        """First block whose output differs from the unchanged model's; the number of blocks if none does.

        Changed embeddings change all blocks.
        """
        if "token_embd" in self.types:
            return 0
        unchanged = BlockChange()
        return next((n for n, block in enumerate(self.blocks) if block != unchanged), len(self.blocks))
