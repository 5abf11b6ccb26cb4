"""The shapes of a language model's blocks, from which its costs follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nasbuild.zoo.lm.model_change import BlockChange, ModelChange

ATTENTION = ("attn_q", "attn_k", "attn_v", "attn_output")
MLP = ("ffn_gate", "ffn_up", "ffn_down")


@dataclass(frozen=True)
class TensorShape:
    """A weight matrix.

    Attributes
    ----------
    rows, columns
        Outputs and inputs.
    type, bytes
        Type and size in the file of the unchanged model.
    bias
        Numbers of its bias, which stays in float32; 0 without one.

    Examples
    --------
    >>> shape.blocks[0].tensors["ffn_down"]
    TensorShape(rows=64, columns=128, type='f32', bytes=32768, bias=0)
    """

    rows: int
    columns: int
    type: str
    bytes: int
    bias: int = 0


@dataclass(frozen=True)
class BlockShape:
    """A block of attention and MLP.

    Attributes
    ----------
    tensors
        Weight matrices by their names in GGUF files.
    heads, kv_heads, head_dim
        Query heads, key-value heads, and numbers in each.
    channels
        Channels of the MLP.
    attention_norms, mlp_norms
        Parameters of the norms that go with each part; they stay in float32.

    Examples
    --------
    >>> block = shape.blocks[0]
    >>> block.heads, block.kv_heads, block.head_dim, block.channels
    (2, 1, 32, 128)
    """

    tensors: Mapping[str, TensorShape]
    heads: int
    kv_heads: int
    head_dim: int
    channels: int
    attention_norms: int
    mlp_norms: int


@dataclass(frozen=True)
class ModelShape:
    """A language model.

    Attributes
    ----------
    name
        Of the model, as its file says.
    blocks
        In order.
    outer
        ``token_embd``, and ``output`` where the head has a matrix of its own.
    norms
        Parameters of norms outside the blocks, which stay in float32.

    Examples
    --------
    >>> len(shape.blocks), sorted(shape.outer), shape.unchanged.first_changed
    (3, ['output', 'token_embd'], 3)
    """

    name: str
    blocks: tuple[BlockShape, ...]
    outer: Mapping[str, TensorShape]
    norms: int

    @property
    def unchanged(self) -> ModelChange:
        """The change that changes nothing."""
        return ModelChange(tuple(BlockChange() for _ in self.blocks))
