"""Finds and changes tensors in nested lists, dicts and dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor


def mapped(data: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with every tensor changed."""
    if isinstance(data, Tensor):
        return change(data)
    if isinstance(data, Mapping):
        return {key: mapped(value, change) for key, value in data.items()}
    if isinstance(data, tuple | list):
        changed = [mapped(value, change) for value in data]
        return changed if isinstance(data, list) else tuple(changed)
    return data


def tensors(data: Any) -> list[Tensor]:
    """All tensors, in order."""
    return [tensor for _, tensor in named(data)]


def named(data: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors with their paths."""
    if isinstance(data, Tensor):
        yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from named(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, tuple | list):
        for position, value in enumerate(data):
            yield from named(value, f"{path}.{position}" if path else str(position))
    elif dataclasses.is_dataclass(data) and not isinstance(data, type):
        for field in dataclasses.fields(data):
            yield from named(getattr(data, field.name), f"{path}.{field.name}" if path else field.name)
