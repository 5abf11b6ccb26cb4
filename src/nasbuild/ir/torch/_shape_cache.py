"""Caches the result shapes of operations, as networks of one space repeat a few calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

MOST = 20_000
"""Maximum number of distinct calls in the cache."""
_Layout: TypeAlias = tuple[torch.Size, tuple[int, ...], torch.dtype]
_MADE: dict[Any, tuple[bool, list[_Layout]]] = {}


def cached_call(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """``func(*args, **kwargs)``; on ``meta`` tensors, from the cache if the same call was made before.

    Operations that write to an operand, or whose result shares memory with it, are always called.
    """
    key = _key(func, args, kwargs)
    if key is None:
        return func(*args, **kwargs)
    if key in _MADE:
        several, layouts = _MADE[key]
        fresh = [
            torch.empty_strided(size, stride, dtype=dtype, device="meta") for size, stride, dtype in layouts
        ]
        return tuple(fresh) if several else fresh[0]
    found = func(*args, **kwargs)
    results = list(found) if isinstance(found, tuple) else [found]
    if results and all(type(r) is Tensor and r.is_meta for r in results):
        if len(_MADE) >= MOST:
            _MADE.clear()
        _MADE[key] = (isinstance(found, tuple), [(r.shape, r.stride(), r.dtype) for r in results])
    return found


def _key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    schema = func._schema
    shares = any(argument.alias_info is not None for argument in (*schema.arguments, *schema.returns))
    if shares or not schema.name.startswith("aten::"):
        return None
    parts = [_part(argument) for argument in (*args, *kwargs.values())]
    if None in parts or not any(isinstance(part[0], torch.Size) for part in parts if part):
        return None
    return func, tuple(kwargs), tuple(parts)


def _part(argument: Any) -> tuple[Any, ...] | None:
    """An argument as far as it affects shapes; None if it can't be a key."""
    if isinstance(argument, Tensor):
        plain = type(argument) in (Tensor, nn.Parameter) and argument.is_meta
        return (argument.shape, argument.stride(), argument.dtype) if plain else None
    if isinstance(argument, list | tuple):
        parts = tuple(_part(item) for item in argument)
        return None if None in parts else (type(argument), parts)
    if argument is None or isinstance(
        argument, bool | int | float | str | torch.dtype | torch.device | torch.layout
    ):
        # 1, 1.0 and True are equal, but lead to different types.
        return (type(argument), argument)
    return None
