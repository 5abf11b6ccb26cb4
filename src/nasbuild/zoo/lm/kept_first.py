"""Which channels and key-value heads of each block matter most, so that these are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from nasbuild.zoo.lm.loaded_model import LoadedModel

_INPUTS = {"kv_heads": "attn_output", "channels": "ffn_down"}
"""Width -> the matrix whose columns it is."""


def orders_by_norm(model: LoadedModel) -> list[dict[str, list[int]]]:
    """Heads and channels of each block by the norm of their weights, largest first.

    The norm of a channel is that of its column in ``ffn_down`` times that of its row in ``ffn_up``; of a head that of
    its columns in ``attn_output`` times that of its rows in ``attn_v``.
    """
    rows = {"kv_heads": "attn_v", "channels": "ffn_up"}
    found = []
    for number, shape in enumerate(model.shape.blocks):
        order = {}
        for width, name in _INPUTS.items():
            count = shape.kv_heads if width == "kv_heads" else shape.channels
            out = _by_unit(model.matrix(number, name).weight.square().sum(0), count)
            into = _by_unit(model.matrix(number, rows[width]).weight.square().sum(1), count)
            order[width] = _largest_first(out * into)
        found.append(order)
    return found


def orders_by_activation(model: LoadedModel, batches: Iterable[Tensor]) -> list[dict[str, list[int]]]:
    """Heads and channels of each block by what they add on text, largest first.

    That is the mean square of what enters a column of ``ffn_down`` or ``attn_output``, times the square of the
    column's norm.
    """
    squares: dict[tuple[int, str], Tensor] = {}

    def watch(place: tuple[int, str]) -> Any:
        def hook(_module: Any, args: tuple[Tensor, ...]) -> None:
            squares[place] = squares.get(place, 0) + args[0].double().square().flatten(0, -2).sum(0)

        return hook

    places = [(n, name) for n in range(len(model.blocks)) for name in _INPUTS.values()]
    hooks = [model.matrix(*place).register_forward_pre_hook(watch(place)) for place in places]
    try:
        with torch.inference_mode():
            for ids in batches:
                model.network.model(ids, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    found = []
    for number, shape in enumerate(model.shape.blocks):
        order = {}
        for width, name in _INPUTS.items():
            count = shape.kv_heads if width == "kv_heads" else shape.channels
            weight = model.matrix(number, name).weight.double().square().sum(0)
            order[width] = _largest_first(_by_unit(squares[number, name] * weight, count))
        found.append(order)
    return found


def _by_unit(values: Tensor, count: int) -> Tensor:
    """Sums over each of ``count`` neighbouring parts of equal length."""
    return values.reshape(count, -1).sum(1)


def _largest_first(values: Tensor) -> list[int]:
    return values.argsort(descending=True, stable=True).tolist()
