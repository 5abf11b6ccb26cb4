"""Several networks trained as one: the first dimension of every tensor is the members.

On few graphs, the overhead of calling operations dominates, so a step of five members takes little longer than of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch.nn.functional import leaky_relu, pad

from nasbuild.predictor.gnn._color_refinement import Kinds, node_kinds
from nasbuild.predictor.gnn._network import Network
from nasbuild.space import Graphs


class Stack:
    """Networks of equal shape with ``gatv2`` convolutions, in training on the same graphs.

    Parameters
    ----------
    networks
        The members; `unstack` copies the trained weights back to them.
    graphs
        The graphs from which any member learns.
    learn
        Which graphs each member learns from, (members, graphs) bool. Its batch norms use only these.

    Attributes
    ----------
    weights
        All parameters of each member, concatenated, (members, weights).
    """

    def __init__(self, networks: Sequence[Network], graphs: Graphs, learn: np.ndarray) -> None:
        self.networks = networks
        self.members, self.hops = len(networks), len(networks[0].convolutions)
        self._shapes = {name: p.shape for name, p in networks[0].named_parameters()}
        every = [
            torch.cat([n.get_parameter(name).detach().ravel() for name in self._shapes]) for n in networks
        ]
        self.weights = torch.stack(every).requires_grad_()
        kinds = node_kinds(graphs, self.hops)
        first = torch.from_numpy(kinds[0].first)
        self._categories = torch.from_numpy(graphs.categories)[first]
        self._numbers = torch.from_numpy(graphs.numbers)[first]
        # The mean over a graph's nodes is a product with shares of kinds.
        sizes = np.diff(graphs.offsets)
        self._means = [torch.from_numpy((k.count / sizes[:, None]).astype(np.float32)) for k in kinds]
        self._edges = [self._flat(now, len(before.first)) for before, now in pairwise(kinds)]
        nodes = learn @ sizes
        self._shares = [
            torch.from_numpy((learn @ k.count / nodes[:, None]).astype(np.float32))[:, None]
            for k in kinds[1:]
        ]
        # Variances are kept without bias, as torch's batch norm does.
        self._unbiased = torch.from_numpy((nodes / np.maximum(nodes - 1, 1)).astype(np.float32))[:, None]
        norm = networks[0].norms[0]
        assert isinstance(norm, torch.nn.BatchNorm1d)
        self._epsilon, self._momentum = norm.eps, norm.momentum or 0.0
        kept = ("running_mean", "running_var")
        self._statistics = [
            [torch.stack([n.get_buffer(f"norms.{m}.{name}") for n in networks]) for name in kept]
            for m in range(self.hops)
        ]
        self._now: dict[str, torch.Tensor] = {}
        self.steps = 0

    def _flat(self, kinds: Kinds, before: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Source, target and own kind, with the members concatenated."""
        member = np.arange(self.members)[:, None]
        parts = ((kinds.source, before), (kinds.target, len(kinds.first)), (kinds.own, before))
        source, target, own = (torch.from_numpy((member * n + index).ravel()) for index, n in parts)
        return source, target, own

    def step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Outputs in training mode: y', (members, graphs), and graph norms, (members, M + 1, graphs)."""
        self.steps += 1
        self._now = self._named()
        h, norms = self._embedding(), []
        for m in range(self.hops + 1):
            if m:
                h = self._hop(m - 1, h)
            norms.append(h.sum(2) @ self._means[m].T)
        hidden = self._linear("head.0", self._means[-1] @ h).relu()
        return self._linear("head.2", hidden).squeeze(2), torch.stack(norms, 1)

    def _named(self) -> dict[str, torch.Tensor]:
        """Every parameter by its name in `Network`, (members, ...)."""
        parts = self.weights.split([shape.numel() for shape in self._shapes.values()], 1)
        named = zip(self._shapes.items(), parts, strict=True)
        return {name: part.view(self.members, *shape) for (name, shape), part in named}

    def _embedding(self) -> torch.Tensor:
        """0-hop embeddings of kinds, (members, kinds, features), as `FeatureEmbedding`."""
        columns, at = [], "embedding"
        for f in range(self._categories.shape[1]):
            table = self._scalars(f"{at}.choices.{f}", self._now[f"{at}.embeddings.{f}.weight"])
            columns.append(pad(table, (1, 0)).index_select(1, self._categories[:, f]))
        for f, column in enumerate(self._numbers.T):
            columns.append(self._scalars(f"{at}.numbers.{f}", column[:, None].expand(self.members, -1, -1)))
        return torch.stack(columns, 2)

    def _scalars(self, name: str, x: torch.Tensor) -> torch.Tensor:
        hidden = self._linear(f"{name}.0", x).relu()
        return self._linear(f"{name}.2", hidden).squeeze(2).abs()

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self._now[f"{name}.weight"], self._now[f"{name}.bias"]
        return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))

    def _hop(self, m: int, before: torch.Tensor) -> torch.Tensor:
        """ReLU(BN(conv(h))) and the residual: (members, kinds, width) one hop on."""
        x, own = self._attend(m, before), self._edges[m][2]
        share, weight, bias = self._shares[m], *(self._now[f"norms.{m}.{p}"] for p in ("weight", "bias"))
        mean = share @ x
        centred = x - mean
        variance = share @ centred.square()
        with torch.no_grad():
            kept_mean, kept_variance = self._statistics[m]
            kept_mean.lerp_(mean[:, 0], self._momentum)
            kept_variance.lerp_(variance[:, 0] * self._unbiased, self._momentum)
        scaled = centred * ((variance + self._epsilon).rsqrt() * weight[:, None])
        h = (scaled + bias[:, None]).relu()
        return h + before.flatten(0, 1).index_select(0, own).view_as(h) if m else h

    def _attend(self, m: int, x: torch.Tensor) -> torch.Tensor:
        """`GATv2` on kinds: (members, kinds before, inputs) to (members, kinds, width)."""
        name, (source, target, at) = f"convolutions.{m}", self._edges[m]
        left, right = self._linear(f"{name}.left", x), self._linear(f"{name}.right", x)
        attention = self._now[f"{name}.attention"][:, :, None]

        def logit(z: torch.Tensor) -> torch.Tensor:
            return (leaky_relu(z, 0.2) @ attention).flatten()

        own = logit(left + right).index_select(0, at)
        left, right = left.flatten(0, 1), right.flatten(0, 1)
        message, receiver = left.index_select(0, source), right.index_select(0, at)
        arriving = message + receiver.index_select(0, target)
        edge = logit(arriving.view(self.members, -1, arriving.shape[1]))
        top = own.detach().scatter_reduce(0, target, edge.detach(), "amax")
        edge, own = (edge - top.index_select(0, target)).exp(), (own - top).exp()
        total = own.index_add(0, target, edge)
        edge, own = edge / total.index_select(0, target), own / total
        kept = (own[:, None] * left.index_select(0, at)).index_add(0, target, edge[:, None] * message)
        return kept.view(self.members, -1, kept.shape[1]) + self._now[f"{name}.bias"][:, None]

    def unstack(self) -> None:
        """Copy weights and batch norm statistics back to the networks."""
        for k, network in enumerate(self.networks):
            state = {name: value[k].detach().clone() for name, value in self._named().items()}
            for m, (mean, variance) in enumerate(self._statistics):
                state |= {f"norms.{m}.running_mean": mean[k], f"norms.{m}.running_var": variance[k]}
                state[f"norms.{m}.num_batches_tracked"] = torch.tensor(self.steps)
            network.load_state_dict(state)
