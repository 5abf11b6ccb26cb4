"""What the schema of a dispatched operation says: the operands it writes to, and the results that are views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from nasbuild.ir.torch._nested_tensors import tensors
from nasbuild.ir.torch._op_names import OVERWRITES


@dataclass(frozen=True)
class Dispatched:
    """One call of the dispatcher.

    Attributes
    ----------
    op
        Its name, without the underscore of in-place operations.
    args, kwargs
        The given arguments, without those that are only filled (``out=``).
    read
        The tensors whose numbers it reads.
    written
        The tensors it writes to, each with the position of the result that is the same tensor, or -1.
    viewed
        Whether results share the memory of the first operand.
    turned
        Whether it changes the shape of its operand in place, and no numbers.
    """

    domain: str
    op: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    read: list[Tensor]
    written: list[tuple[Tensor, int]]
    viewed: bool
    turned: bool


@dataclass(frozen=True)
class _Schema:
    domain: str
    op: str
    written: tuple[tuple[int, str, bool, int], ...]
    viewed: bool
    turned: bool


def dispatched(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Dispatched:
    """Classify the operands of a call."""
    schema = _schema_of(func)
    written = [
        (tensor, result)
        for position, name, _, result in schema.written
        for tensor in tensors(args[position] if position < len(args) else kwargs.get(name))
    ]
    filled = {name for _, name, is_filled, _ in schema.written if is_filled}
    kwargs = {name: value for name, value in kwargs.items() if name not in filled}
    overwritten = bool(written) and not filled and schema.op in OVERWRITES
    read = tensors((args[1:] if overwritten else args, kwargs))
    return Dispatched(schema.domain, schema.op, args, kwargs, read, written, schema.viewed, schema.turned)


@cache
def _schema_of(func: Any) -> _Schema:
    schema = func._schema
    domain, _, op = schema.name.partition("::")
    # With lists among the results, positions are ambiguous.
    plain = not any("[]" in str(returned.type) for returned in schema.returns)
    written = tuple(
        (
            position,
            argument.name,
            argument.kwarg_only,
            next((i for i, returned in enumerate(schema.returns) if plain and _same(returned, argument)), -1),
        )
        for position, argument in enumerate(schema.arguments)
        if _writes(argument)
    )
    viewed = any(returned.alias_info is not None and not _writes(returned) for returned in schema.returns)
    turned = torch.Tag.inplace_view in func.tags
    return _Schema(domain, op.rstrip("_") if written and op.endswith("_") else op, written, viewed, turned)


def _writes(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _same(returned: Any, argument: Any) -> bool:
    return _writes(returned) and bool(returned.alias_info.before_set & argument.alias_info.before_set)
