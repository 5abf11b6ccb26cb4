"""Tensors without contents in place of a module's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn


def emptied(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """What makes a tensor without contents of one that has some; weights that share memory go on sharing it."""
    weights = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    several = Counter(_memory(tensor) for tensor in weights.values())
    bytes_of: dict[int, Tensor] = {}

    def empty(tensor: Tensor) -> Tensor:
        memory = _memory(tensor)
        if memory is None or several[memory] < 2:
            return torch.empty_like(tensor, device="meta")
        whole = bytes_of.get(memory)
        if whole is None:
            size = tensor.untyped_storage().nbytes()
            whole = bytes_of[memory] = torch.empty(size, dtype=torch.uint8, device="meta")
        return whole.view(tensor.dtype).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

    return empty


def _memory(tensor: Tensor) -> int | None:
    # Sparse tensors, and such of others' making, may have no memory that can be told.
    try:
        return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else None
    except (NotImplementedError, RuntimeError):
        return None
