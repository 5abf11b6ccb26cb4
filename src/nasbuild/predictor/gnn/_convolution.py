"""Message passing (eq. 1) in plain torch; each layer equals its namesake in torch_geometric."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn

Convolution = Literal["gatv2", "graphconv", "gcn", "gin"]


def convolution(kind: Convolution, inputs: int, outputs: int) -> nn.Module:
    """A message-passing layer, (nodes, inputs) to (nodes, outputs).

    Raises
    ------
    ValueError
        If there is no such convolution.

    Examples
    --------
    >>> from nasbuild.predictor import convolution
    >>> layer = convolution("gin", inputs=4, outputs=8)
    >>> x, source, target = torch.rand(3, 4), torch.tensor([0, 1]), torch.tensor([1, 2])
    >>> tuple(layer(x, source, target).shape)
    (3, 8)
    """
    if kind not in _KINDS:
        raise ValueError(f"unknown convolution {kind!r}; allowed: {', '.join(get_args(Convolution))}")
    return _KINDS[kind](inputs, outputs)


def _receive(messages: torch.Tensor, target: torch.Tensor, nodes: int) -> torch.Tensor:
    """Sum of the messages (edges, ...) that arrive at each node."""
    return messages.new_zeros(nodes, *messages.shape[1:]).index_add(0, target, messages)


class GATv2(nn.Module):
    """Dynamic graph attention with one head and self-loops (Brody et al., ICLR 2022, eq. 7).

    x_i' = b + sum over j in N(i) and i of a_ij W_l x_j, with
    a_ij = softmax over j of a . LeakyReLU(W_l x_j + W_r x_i), slope 0.2.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.left = nn.Linear(inputs, outputs)
        self.right = nn.Linear(inputs, outputs)
        self.attention = nn.Parameter(torch.empty(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        for linear in (self.left, self.right):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.xavier_uniform_(self.attention[None])

    def forward(self, x: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        left, right = self.left(x), self.right(x)
        message = left.index_select(0, source)
        edge = self._logit(message + right.index_select(0, target))
        own = self._logit(left + right)
        # Softmax over a node's in-edges and itself, with the largest logit subtracted.
        top = own.detach().scatter_reduce(0, target, edge.detach(), "amax")
        edge, own = (edge - top.index_select(0, target)).exp(), (own - top).exp()
        total = own.index_add(0, target, edge)
        edge, own = edge / total.index_select(0, target), own / total
        kept = torch.addcmul(self.bias, own[:, None], left)
        return kept.index_add(0, target, edge[:, None] * message)

    def _logit(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.leaky_relu(x, 0.2) @ self.attention


class GraphConv(nn.Module):
    """x_i' = W_1 x_i + W_2 sum over N(i) of x_j + b (Morris et al., AAAI 2019)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.root = nn.Linear(inputs, outputs, bias=False)
        self.neighbours = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.root(x) + self.neighbours(_receive(x.index_select(0, source), target, len(x)))


class GCN(nn.Module):
    """x_i' = b + sum over j in N(i) and i of W x_j / sqrt(d_i d_j), d counting self-loops (Kipf, ICLR 2017).

    Degrees are those of arriving edges, as the graphs are directed.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, x: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        degree = 1 + _receive(torch.ones_like(target, dtype=x.dtype), target, len(x))
        scaled = self.linear(x) * degree.rsqrt()[:, None]
        total = scaled + _receive(scaled.index_select(0, source), target, len(x))
        return total * degree.rsqrt()[:, None] + self.bias


class GIN(nn.Module):
    """x_i' = MLP(x_i + sum over N(i) of x_j), two linear layers (Xu et al., ICLR 2019, eps = 0)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))

    def forward(self, x: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.mlp(x + _receive(x.index_select(0, source), target, len(x)))


_KINDS: dict[str, type[nn.Module]] = {"gatv2": GATv2, "graphconv": GraphConv, "gcn": GCN, "gin": GIN}
