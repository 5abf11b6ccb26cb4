"""Tensors in whatever a module takes and gives: lists, dicts, dataclasses within each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor


def mapped(told: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same with every tensor changed."""
    if isinstance(told, Tensor):
        return change(told)
    if isinstance(told, Mapping):
        return {key: mapped(value, change) for key, value in told.items()}
    if isinstance(told, tuple | list):
        changed = [mapped(value, change) for value in told]
        return changed if isinstance(told, list) else tuple(changed)
    return told


def tensors(told: Any) -> list[Tensor]:
    """All tensors in it, in order."""
    return [tensor for _, tensor in named(told)]


def named(told: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in it with their paths."""
    if isinstance(told, Tensor):
        yield path, told
    elif isinstance(told, Mapping):
        for key, value in told.items():
            yield from named(value, f"{path}.{key}" if path else str(key))
    elif isinstance(told, tuple | list):
        for position, value in enumerate(told):
            yield from named(value, f"{path}.{position}" if path else str(position))
    elif dataclasses.is_dataclass(told) and not isinstance(told, type):
        for field in dataclasses.fields(told):
            yield from named(getattr(told, field.name), f"{path}.{field.name}" if path else field.name)
