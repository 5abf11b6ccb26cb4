"""Attention of ONNX and onnxruntime: result shapes and multiply-accumulates (MACs).

Both follow from the numbers of queries and keys and the widths of keys and values (`AttentionSizes`). Where
these depend on contents, such as how full a cache is, they are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from nasbuild.ir._draft_graph import Shape
from nasbuild.ir._operator_graph import MOST_SIZE

Operands = Sequence[Shape | None]
Attributes = Mapping[str, Any]


class Unknown(Exception):
    """A required size is unknown."""


UNKNOWN_SIZE_ERRORS = (Unknown, ArithmeticError, ValueError, TypeError, IndexError, KeyError)
"""What rules raise for unknown sizes and for invalid operands and settings, which are not checked before."""


def part(shapes: Operands, position: int) -> Shape | None:
    return shapes[position] if position < len(shapes) else None


def known(shape: Shape | None) -> Shape:
    """A shape, if all of its sizes are known.

    Raises
    ------
    Unknown
        If one is not.
    """
    if shape is None or 0 in shape:
        raise Unknown
    return shape


@dataclass(frozen=True)
class AttentionSizes:
    """Queries that attend to keys.

    Attributes
    ----------
    leading
        Dimensions before the width of queries and results.
    keys
        Number of keys for each query; 0 if unknown.
    width, values
        Widths of queries and of results, over all heads.
    projected
        MACs of the preceding projections.
    """

    leading: Shape
    keys: int
    width: int
    values: int
    projected: int = 0

    @property
    def macs(self) -> int:
        if not self.keys:
            raise Unknown
        return self.projected + prod(self.leading) * self.keys * (self.width + self.values)


_Rule = Callable[[Attributes, Operands], AttentionSizes]


def _total(own: int, operands: Operands, position: int, axis: int) -> int:
    """Number of keys with those of a cache; 0 if the cache is unknown."""
    past = part(operands, position)
    if past is None:
        return own
    return own + past[axis] if len(past) > axis and past[axis] else 0


def _standard(a: Attributes, operands: Operands) -> AttentionSizes:
    query, key, value = (known(part(operands, i)) for i in range(3))
    keys = _total(key[-2], operands, 4, 2)
    if len(query) == 4:
        return AttentionSizes(query[:-1], keys, query[-1], value[-1])
    heads = int(a.get("q_num_heads", 1)), max(int(a.get("kv_num_heads", 1)), 1)
    return AttentionSizes(query[:-1], keys, query[-1], value[-1] * heads[0] // heads[1])


def _projected(past: int) -> _Rule:
    """A single matrix projects to queries, keys and values."""

    def rule(a: Attributes, operands: Operands) -> AttentionSizes:
        x, weight = (known(part(operands, i)) for i in range(2))
        widths = [int(n) for n in a.get("qkv_hidden_sizes", ())] or [weight[-1] // 3] * 3
        keys = 0 if a.get("past_present_share_buffer") else _total(x[-2], operands, past, 3)
        return AttentionSizes(x[:-1], keys, widths[0], widths[2], prod(x) * weight[-1])

    return rule


def _packed(a: Attributes, operands: Operands) -> AttentionSizes:
    """Tokens of several sequences without padding; their lengths are known only if none was needed."""
    x, weight = (known(part(operands, i)) for i in range(2))
    batch, steps = known(part(operands, 3))
    steps = steps if x[0] == batch * steps else 0
    widths = [int(n) for n in a.get("qkv_hidden_sizes", ())] or [weight[-1] // 3] * 3
    return AttentionSizes(x[:-1], steps, widths[0], widths[2], prod(x) * weight[-1])


def _packed_heads(_: Attributes, operands: Operands) -> AttentionSizes:
    query = known(part(operands, 0))
    batch, steps = known(part(operands, 4))
    steps = steps if query[0] == batch * steps else 0
    if len(query) == 4:
        width = query[1] * query[3]
        return AttentionSizes(query[:1], steps, width, width)
    return AttentionSizes(query[:-1], steps, query[-1], known(part(operands, 2))[-1])


def _separate(past: int) -> _Rule:
    def rule(a: Attributes, operands: Operands) -> AttentionSizes:
        query = known(part(operands, 0))

        def total(own: int) -> int:
            return 0 if a.get("past_present_share_buffer") else _total(own, operands, past, 2)

        if len(query) == 5:  # batch, steps, heads, 3, width
            width = query[2] * query[4]
            return AttentionSizes(query[:2], total(query[1]), width, width)
        key = known(part(operands, 1))
        if len(key) == 5:  # batch, steps, heads, 2, width
            return AttentionSizes(query[:-1], total(key[1]), query[-1], key[2] * key[4])
        value = known(part(operands, 2))
        if len(key) == 4:  # batch, heads, steps, width: those of an encoder, complete
            return AttentionSizes(query[:-1], key[2], query[-1], value[1] * value[3])
        return AttentionSizes(query[:-1], total(key[1]), query[-1], value[-1])

    return rule


def _grouped(a: Attributes, operands: Operands) -> AttentionSizes:
    query = known(part(operands, 0))
    heads, shared = int(a.get("num_heads", 0)), int(a.get("kv_num_heads", 0))
    if heads < 1 or shared < 1:
        raise Unknown
    packed = part(operands, 1) is None
    width = query[-1] // (heads + 2 * shared) if packed else query[-1] // heads
    keys = _total(query[1], operands, 3, 2)
    return AttentionSizes(query[:2], keys, heads * width, heads * width)


def _quantised_ordered(a: Attributes, operands: Operands) -> AttentionSizes:
    x = known(part(operands, 0))
    weights = [known(part(operands, i)) for i in (5, 6, 7)]
    widths = [int(n) for n in a.get("qkv_hidden_sizes", ())] or [weights[i][-1] for i in range(3)]
    return AttentionSizes(x[:-1], x[-2], widths[0], widths[2], sum(prod(x) * w[-1] for w in weights))


_M = "com.microsoft"
_RULES: dict[tuple[str, str], _Rule] = {
    ("", "Attention"): _standard,
    (_M, "Attention"): _projected(4),
    (_M, "DecoderMaskedSelfAttention"): _projected(4),
    (_M, "QAttention"): _projected(8),
    (_M, "PackedAttention"): _packed,
    (_M, "PackedMultiHeadAttention"): _packed_heads,
    (_M, "MultiHeadAttention"): _separate(6),
    (_M, "DecoderMaskedMultiHeadAttention"): _separate(5),
    (_M, "GroupQueryAttention"): _grouped,
    (_M, "QOrderedAttention"): _quantised_ordered,
}
ATTENTION: dict[tuple[str, str], Callable[[Attributes, Operands, Operands], int]] = {
    name: lambda a, operands, _, rule=rule: rule(a, operands).macs for name, rule in _RULES.items()
}


def attention_shape(domain: str, op: str, a: Attributes, operands: Operands) -> Shape | None:
    """Shape of the first result of an operation outside ONNX; None if it is not attention, or unknown."""
    rule = _RULES.get((domain, op))
    if rule is None or not domain:
        return None
    try:
        found = rule(a, operands)
    except UNKNOWN_SIZE_ERRORS:
        return None
    return (*found.leading, found.values)


def heads_of(a: Attributes, query: Shape | None) -> int:
    """Number of heads of queries; 0 if unknown."""
    heads = a.get("q_num_heads") or a.get("num_heads") or 0
    heads = min(max(heads, 0), MOST_SIZE) if isinstance(heads, int) else 0
    return heads or (query[1] if query and len(query) == 4 else 0)
