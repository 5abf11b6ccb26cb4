"""A language model in memory whose parts are switched, cut and rounded, and put back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.loaded_model import LoadedModel
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
from nasbuild.zoo.lm.model_shape import ATTENTION
from nasbuild.zoo.lm.tensor_types import rounded, tensor_types

_ATTENTION, _MLP = "self_attn", "mlp"


class ChangedModel:
    """Applies changes to a loaded model, in place; only what differs from the last change is touched.

    Parameters
    ----------
    memory
        Bytes for rounded matrices that are kept, as rounding takes longer than looking up.

    Raises
    ------
    NasbuildError
        If blocks without attention and MLP would not pass their input on, as is seen in a run.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.lm import ChangedModel
    >>> changed, ids = ChangedModel(model), torch.arange(10)[None]
    >>> before = model.network(ids).logits
    >>> changed.apply(change)
    >>> torch.equal(model.network(ids).logits, before)
    False
    >>> changed.apply(shape.unchanged)
    >>> torch.equal(model.network(ids).logits, before)
    True
    """

    def __init__(self, model: LoadedModel, memory: int = 2 << 30) -> None:
        self.model = model
        self.change = model.shape.unchanged
        self._original = {
            (n, name): model.matrix(n, name)
            for n, block in enumerate(model.shape.blocks)
            for name in block.tensors
        }
        self._weights = {place: linear.weight for place, linear in self._original.items()}
        self._biases = {place: linear.bias for place, linear in self._original.items()}
        self._outer = {"token_embd": model.network.get_input_embeddings()}
        if "output" in model.shape.outer:
            self._outer["output"] = model.network.get_output_embeddings()
        self._outer_weights = {name: module.weight for name, module in self._outer.items()}
        self._kept: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()
        self._memory = memory
        self._check_switches()

    def apply(self, change: ModelChange) -> None:
        """Make the model that of a change of the unchanged model."""
        for number, (old, new) in enumerate(zip(self.change.blocks, change.blocks, strict=True)):
            if old != new:
                self._apply_block(number, new)
        for name, module in self._outer.items():
            kind = change.types.get(name)
            if kind != self.change.types.get(name):
                weight = self._outer_weights[name]
                module.weight = _parameter(weight if kind is None else self._rounded((name,), weight, kind))
                if name == "token_embd" and "output" not in self._outer:
                    self.model.network.get_output_embeddings().weight = module.weight
        self.change = change

    def _apply_block(self, number: int, change: BlockChange) -> None:
        block = self.model.blocks[number]
        for name in self.model.shape.blocks[number].tensors:
            if not (change.attention if name in ATTENTION else change.mlp):
                continue  # does not run
            linear, place = self._original[number, name], (number, name)
            weight, bias = self._cut(number, name, change)
            kind = change.types.get(name) or self._type_again(number, name, change)
            if kind is not None:
                whole = weight is self._weights[place]
                weight = self._rounded(place, weight, kind) if whole else rounded(weight, kind)
            linear.weight = _parameter(weight)
            if bias is not None:
                linear.bias = _parameter(bias)
        switch(getattr(block, _ATTENTION), change.attention, _no_attention)
        switch(getattr(block, _MLP), change.mlp, _no_mlp)
        switch(block, change.attention or change.mlp, self.pass_on)

    def _type_again(self, number: int, name: str, change: BlockChange) -> str | None:
        """The unchanged type where kept columns are other groups than before, so that it rounds them again."""
        kind = self.model.shape.blocks[number].tensors[name].type
        cut = change.channels if name == "ffn_down" else change.kv_heads if name == "attn_output" else None
        return kind if cut is not None and kind in tensor_types() and kind != "f32" else None

    def _cut(self, number: int, name: str, change: BlockChange) -> tuple[Tensor, Tensor | None]:
        """A matrix and its bias, cut to kept heads and channels."""
        weight, bias = self._weights[number, name], self._biases[number, name]
        shape = self.model.shape.blocks[number]
        heads, channels = change.kv_heads, change.channels
        if name in ATTENTION and heads is not None:
            width = shape.tensors[name].columns if name == "attn_output" else shape.tensors[name].rows
            kept = kept_of_heads(heads, width // shape.kv_heads).to(weight.device)
        elif name not in ATTENTION and channels is not None:
            kept = torch.tensor(channels, device=weight.device)
        else:
            return weight, bias
        if name in ("attn_output", "ffn_down"):
            return weight.index_select(1, kept), bias
        return weight.index_select(0, kept), None if bias is None else bias.index_select(0, kept)

    def _rounded(self, place: tuple[Any, ...], weight: Tensor, kind: str) -> Tensor:
        key = (*place, kind)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        found = rounded(weight, kind).to(weight.device)
        self._kept[key] = found
        held = sum(one.nbytes for one in self._kept.values())
        while held > self._memory and len(self._kept) > 1:
            held -= self._kept.popitem(last=False)[1].nbytes
        return found

    def _check_switches(self) -> None:
        """Without any part, the last block must return what the first one got."""
        seen: list[Tensor] = []
        tuples: list[bool] = []

        def keep(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            seen.append(args[0] if args else kwargs["hidden_states"])
            seen.append(output[0] if isinstance(output, tuple) else output)
            tuples.append(isinstance(output, tuple))

        blocks = self.model.blocks
        hooks = [blocks[n].register_forward_hook(keep, with_kwargs=True) for n in (0, -1)]
        # Each part by itself as well: whole blocks are passed over without running them.
        for block in blocks:
            switch(getattr(block, _ATTENTION), False, _no_attention)
            switch(getattr(block, _MLP), False, _no_mlp)
        try:
            self.model.network(torch.zeros(1, 2, dtype=torch.long, device=self.device), use_cache=False)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise self._unknown(str(error).partition("\n")[0]) from error
        finally:
            for hook in hooks:
                hook.remove()
            for block in blocks:
                switch(getattr(block, _ATTENTION), True, _no_attention)
                switch(getattr(block, _MLP), True, _no_mlp)
        if not torch.equal(seen[0], seen[-1]):
            raise self._unknown("they change what passes through them")
        self._tuples = tuples[0]

    def pass_on(self, hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> Any:
        """What a block without parts returns, as the model's blocks return it.

        Examples
        --------
        >>> import torch
        >>> from nasbuild.zoo.lm import ChangedModel
        >>> ChangedModel(model).pass_on(torch.ones(1))
        tensor([1.])
        """
        return (hidden_states,) if self._tuples else hidden_states

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self._outer_weights["token_embd"].device

    def _unknown(self, what: str) -> NasbuildError:
        kind = type(self.model.blocks[0]).__name__
        return NasbuildError(
            f"blocks of {kind} without attention and MLP are no identity: {what}",
            todo="give a decoder whose blocks add attention and MLP to their input, such as Llama, Qwen or Mistral",
        )


def switch(module: Any, on: bool, instead: Callable[..., Any]) -> None:
    """Let a module run, or another function in its place."""
    if on:
        module.__dict__.pop("forward", None)
    else:
        module.forward = instead


def kept_of_heads(heads: tuple[int, ...], width: int) -> Tensor:
    """Rows that belong to key-value heads, of which each has ``width`` in a row."""
    return torch.cat([torch.arange(head * width, (head + 1) * width) for head in heads])


def _no_attention(hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, None]:
    return torch.zeros_like(hidden_states), None


def _no_mlp(hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
    return torch.zeros_like(hidden_states)


def _parameter(values: Tensor) -> nn.Parameter:
    return values if isinstance(values, nn.Parameter) else nn.Parameter(values, requires_grad=False)
