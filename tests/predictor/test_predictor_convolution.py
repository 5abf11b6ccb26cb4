"""Message passing against torch_geometric's layers of the same names, with equal weights."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from predictor_samples import random_graphs

from nasbuild.predictor import GraphBatch, convolution

INPUTS, OUTPUTS = 5, 4


@pytest.fixture(scope="module")
def geometric():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch_geometric.nn", exc_type=ImportError)


def oracle(geometric, kind: str, ours: torch.nn.Module) -> tuple[torch.nn.Module, dict[str, str]]:
    """torch_geometric's layer with our weights, and its name of each of them."""
    if kind == "gatv2":
        layer = geometric.GATv2Conv(INPUTS, OUTPUTS, heads=1, add_self_loops=True)
        names = {
            f"lin_{a}.{p}": f"{b}.{p}" for a, b in (("l", "left"), ("r", "right")) for p in ("weight", "bias")
        }
        names |= {"att": "attention", "bias": "bias"}
    elif kind == "graphconv":
        layer = geometric.GraphConv(INPUTS, OUTPUTS, aggr="add")
        names = {"lin_rel.weight": "neighbours.weight", "lin_rel.bias": "neighbours.bias"}
        names |= {"lin_root.weight": "root.weight"}
    elif kind == "gcn":
        layer = geometric.GCNConv(INPUTS, OUTPUTS)
        names = {"lin.weight": "linear.weight", "bias": "bias"}
    else:
        mlp = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, OUTPUTS), torch.nn.ReLU(), torch.nn.Linear(OUTPUTS, OUTPUTS)
        )
        layer = geometric.GINConv(mlp, eps=0.0)
        names = {f"nn.{i}.{p}": f"mlp.{i}.{p}" for i in (0, 2) for p in ("weight", "bias")}
    layer = layer.double()
    own = dict(ours.named_parameters())
    theirs = dict(layer.named_parameters())
    assert set(theirs) == set(names)
    assert sorted(names.values()) == sorted(own)
    with torch.no_grad():
        for name, parameter in theirs.items():
            parameter.copy_(own[names[name]].reshape(parameter.shape))
    return layer, names


@pytest.mark.parametrize("kind", ["gatv2", "graphconv", "gcn", "gin"])
@pytest.mark.parametrize("seed", range(5))
def test_values_and_gradients_are_torch_geometrics(geometric, kind, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    batch = GraphBatch.of(random_graphs(rng, 7, edges=(0.0, 0.2, 0.5, 0.9, 1.0)[seed]))
    ours = convolution(kind, INPUTS, OUTPUTS).double()
    with torch.no_grad():
        for parameter in ours.parameters():
            # Biases begin at 0, where a wrong one would not be seen.
            parameter.copy_(torch.randn_like(parameter))
    layer, names = oracle(geometric, kind, ours)
    x = torch.randn(len(batch.categories), INPUTS, dtype=torch.float64, requires_grad=True)
    z = x.detach().clone().requires_grad_()
    weight = torch.randn(len(x), OUTPUTS, dtype=torch.float64)
    found = ours(x, batch.source, batch.target)
    expected = layer(z, torch.stack([batch.source, batch.target]))
    assert torch.allclose(found, expected, atol=1e-10)
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.allclose(x.grad, z.grad, atol=1e-10)
    own = dict(ours.named_parameters())
    for name, parameter in layer.named_parameters():
        assert torch.allclose(
            own[names[name]].grad, parameter.grad.reshape(own[names[name]].shape), atol=1e-9
        )


@pytest.mark.parametrize("kind", ["gatv2", "graphconv", "gcn", "gin"])
def test_several_edges_between_two_nodes_each_bring_a_message(geometric, kind):
    torch.manual_seed(0)
    ours = convolution(kind, INPUTS, OUTPUTS).double()
    layer, _ = oracle(geometric, kind, ours)
    x = torch.randn(3, INPUTS, dtype=torch.float64)
    edges = torch.tensor([[0, 0, 0, 1], [2, 2, 1, 2]])
    assert torch.allclose(ours(x, *edges), layer(x, edges), atol=1e-12)
    assert not torch.allclose(ours(x, *edges), ours(x, *edges[:, 1:]))


@pytest.mark.parametrize("kind", ["gatv2", "graphconv", "gcn", "gin"])
def test_messages_run_along_the_edges_only(kind):
    torch.manual_seed(0)
    layer = convolution(kind, INPUTS, OUTPUTS)
    x = torch.randn(3, INPUTS)
    changed = torch.cat([x[:2], x[2:] + 1])
    source, target = torch.tensor([0, 1]), torch.tensor([1, 2])
    before, after = layer(x, source, target), layer(changed, source, target)
    assert torch.equal(before[:2], after[:2])
    assert not torch.allclose(before[2], after[2])


def test_attention_does_not_overflow():
    torch.manual_seed(0)
    layer = convolution("gatv2", INPUTS, OUTPUTS)
    x = 1e6 * torch.randn(4, INPUTS)
    found = layer(x, torch.tensor([0, 1, 2]), torch.tensor([3, 3, 3]))
    assert torch.isfinite(found).all()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'sage'; allowed: gatv2, graphconv, gcn, gin"):
        convolution("sage", 2, 2)  # pyright: ignore[reportArgumentType]
