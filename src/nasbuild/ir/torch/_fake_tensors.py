"""Replaces the tensors of a module by tensors without contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn


def tensor_emptier(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """A function that maps tensors to tensors without contents; shared memory stays shared."""
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
    # Sparse and custom tensors may have no storage.
    try:
        return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else None
    except (NotImplementedError, RuntimeError):
        return None
