"""Example inputs of networks: a tensor, a tuple of arguments, or a dict of keyword arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def call_arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments with which a module is called.

    Examples
    --------
    >>> call_arguments({"ids": 1})
    ((), {'ids': 1})
    >>> call_arguments((1, None))
    ((1, None), {})
    """
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)), {}


def call_module(module: nn.Module, inputs: Any) -> Any:
    """The output of a module for its inputs."""
    args, kwargs = call_arguments(inputs)
    return module(*args, **kwargs)


def map_tensors(inputs: Any, change: Callable[[Tensor], Any]) -> Any:
    """A copy of the inputs with ``change`` applied to every tensor, in nested lists and dicts, too."""
    from torch import Tensor
    from torch.utils._pytree import tree_map_only

    return tree_map_only(Tensor, change, dict(inputs) if isinstance(inputs, Mapping) else inputs)


def tensors_of(inputs: Any) -> list[Tensor]:
    """All tensors in the inputs, in order."""
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    leaves = tree_leaves(dict(inputs) if isinstance(inputs, Mapping) else inputs)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]
