"""A training step on large graphs: our GATv2 against torch_geometric's with equal weights, and memory by number of nodes.

    python benchmarks/graph_step.py

A batch is 128 graphs of 200 nodes; the network has four hops with batch norm and residuals. Steps of both are interleaved and
measured by the CPU time of one thread. Memory is the peak of the tensors that a forward pass keeps for its backward pass.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn
from torch_geometric.nn import GATv2Conv

from _common import arguments, resume, save
from nasbuild.predictor.gnn._convolution import GATv2

GRAPHS, NODES, WIDTH, HOPS, REPEATS = 128, 200, 32, 4, 15


class Hops(nn.Module):
    """Hops of either kind of convolution."""

    def __init__(self, theirs: bool) -> None:
        super().__init__()
        self.theirs = theirs
        make = GATv2Conv if theirs else GATv2
        self.convolutions = nn.ModuleList(make(WIDTH, WIDTH) for _ in range(HOPS))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in range(HOPS))

    def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        for m, (conv, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = norm(conv(x, edges) if self.theirs else conv(x, edges[0], edges[1])).relu()
            x = y + x if m else y
        return x


def drawn(graphs: int, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Chains with shortcuts, packed: node features and edges."""
    rng = np.random.default_rng(0)
    edges = []
    for g in range(graphs):
        for i in range(1, nodes):
            edges.append((g * nodes + i - 1, g * nodes + i))
            if rng.random() < 0.3 and i > 2:
                edges.append((g * nodes + int(rng.integers(max(0, i - 8), i - 1)), g * nodes + i))
    return torch.randn(graphs * nodes, WIDTH, generator=torch.Generator().manual_seed(0)), torch.tensor(
        edges
    ).T


def equal() -> tuple[Hops, Hops]:
    torch.manual_seed(0)
    ours, theirs = Hops(False), Hops(True)
    for a, b in zip(ours.convolutions, theirs.convolutions, strict=True):
        for mine, other in ((a.left, b.lin_l), (a.right, b.lin_r)):
            other.load_state_dict(mine.state_dict())
        b.att.data.copy_(a.attention.view_as(b.att))
        b.bias.data.copy_(a.bias)
    return ours, theirs


def kept(nodes: int) -> int:
    """Bytes that a forward pass keeps."""
    x, edges = drawn(8, nodes)
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        Hops(False)(x, edges)
    return sum(sizes.values())


def main() -> None:
    options = arguments("training steps on large graphs", "graph_step").parse_args()
    torch.set_num_threads(1)
    ours, theirs = equal()
    x, edges = drawn(GRAPHS, NODES)
    with torch.no_grad():
        difference = float((ours(x, edges) - theirs(x, edges)).abs().max())
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for repeat in range(REPEATS + 2):
        for name, module in (("ours", ours), ("theirs", theirs)):
            start = time.thread_time()
            module.zero_grad()
            module(x, edges).square().mean().backward()
            if repeat > 1:
                times[name].append(time.thread_time() - start)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    memory = {nodes: kept(nodes) for nodes in (100, 200, 400, 800, 1600)}
    result = resume(options.out) | {
        "graphs": GRAPHS,
        "nodes": NODES,
        "edges": int(edges.shape[1]),
        "largest difference of outputs": difference,
        "seconds a step": {name: round(v, 4) for name, v in medians.items()},
        "theirs by ours": round(medians["theirs"] / medians["ours"], 2),
        "bytes kept a node": {str(n): round(v / (8 * n)) for n, v in memory.items()},
    }
    save(options.out, result)
    print(result)


if __name__ == "__main__":
    main()
