"""Initial weights from a separate random generator, so that neither other threads nor the caller's state are affected."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from nasbuild.predictor.gnn._convolution import GCN, GATv2
from nasbuild.predictor.gnn._network import Network, Shape
from nasbuild.space import GraphSchema


class NoDraws(TorchFunctionMode):
    """Within it, this thread's new layers leave their weights undrawn.

    On the meta device, PyTorch imports its compiler to draw normal numbers, which takes longer than a small fit.
    """

    _DRAWS = frozenset(
        (
            nn.init.kaiming_uniform_,
            nn.init.normal_,
            nn.init.uniform_,
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
        )
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self._DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def empty_network(schema: GraphSchema, shape: Shape) -> Network:
    """A network with uninitialised weights; no random numbers are used."""
    with NoDraws():
        return Network(schema, shape)


def initialized_network(schema: GraphSchema, shape: Shape, seed: int) -> Network:
    """A network with the weights that it would have after ``torch.manual_seed(seed)``."""
    network, generator = empty_network(schema, shape), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _draw(network, generator)
    return network


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    """Initialise in the order of the constructors: children first, then what a layer resets."""
    for part in module.children():
        _draw(part, generator)
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
        if module.bias is not None:
            end = 1 / math.sqrt(module.in_features) if module.in_features else 0.0
            nn.init.uniform_(module.bias, -end, end, generator=generator)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, generator=generator)
    elif isinstance(module, nn.BatchNorm1d):
        module.reset_parameters()
    elif isinstance(module, GATv2):
        for linear in (module.left, module.right):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
        nn.init.xavier_uniform_(module.attention[None], generator=generator)
        nn.init.zeros_(module.bias)
    elif isinstance(module, GCN):
        nn.init.xavier_uniform_(module.linear.weight, generator=generator)
        nn.init.zeros_(module.bias)
