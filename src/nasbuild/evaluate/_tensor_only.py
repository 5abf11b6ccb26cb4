"""Wraps modules so that they take and return plain tensors, as exporters require."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from nasbuild.evaluate._example_inputs import call_module, tensors_of


class TensorOnlyModule(nn.Module):
    """A module whose arguments are the tensors of its inputs, in order; other inputs are constants.

    Parameters
    ----------
    inputs
        A tensor, a tuple of arguments, or a dict of keyword arguments.
    """

    def __init__(self, module: nn.Module, inputs: Any) -> None:
        super().__init__()
        self.module = module
        self._leaves, self._form = tree_flatten(dict(inputs) if isinstance(inputs, Mapping) else inputs)

    def forward(self, *tensors: Tensor) -> Any:
        remaining = iter(tensors)
        leaves = [next(remaining) if isinstance(leaf, Tensor) else leaf for leaf in self._leaves]
        with _ExpandGroupedQueries():
            found = call_module(self.module, tree_unflatten(leaves, self._form))
        return found if isinstance(found, Tensor) else tuple(tensors_of(found))


class _ExpandGroupedQueries(TorchFunctionMode):
    """Repeats keys and values of grouped-query attention, which exporters don't support, for each query head."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        options = dict(kwargs or {})
        if func is nn.functional.scaled_dot_product_attention and options.pop("enable_gqa", False):
            order = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
            named = dict(zip(order, args, strict=False)) | options
            heads = named["query"].shape[-3]
            for name in ("key", "value"):
                named[name] = named[name].repeat_interleave(heads // named[name].shape[-3], -3)
            return func(**named)
        return func(*args, **(kwargs or {}))
