"""Message passing against torch_geometric, with equal weights, on random directed graphs."""

from __future__ import annotations

import warnings

import pytest
import torch

from nasbuild.predictor import convolution

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what another library says on import is not ours to mend
    geometric = pytest.importorskip("torch_geometric.nn")

NODES, INPUTS, OUTPUTS = 30, 5, 8


def random_graph(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Forward edges, with branches, joins, isolated nodes and sources."""
    torch.manual_seed(seed)
    pairs = torch.triu(torch.rand(NODES, NODES) < 0.12, diagonal=1).nonzero().T
    return torch.randn(NODES, INPUTS, requires_grad=True), pairs[0].contiguous(), pairs[1].contiguous()


def copied(kind: str):
    ours = convolution(kind, INPUTS, OUTPUTS)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.randn_like(parameter))
    if kind == "gatv2":
        theirs = geometric.GATv2Conv(INPUTS, OUTPUTS)
        state = {
            "att": ours.attention.reshape(1, 1, -1),
            "bias": ours.bias,
            "lin_l.weight": ours.left.weight,
            "lin_l.bias": ours.left.bias,
            "lin_r.weight": ours.right.weight,
            "lin_r.bias": ours.right.bias,
        }
    elif kind == "graphconv":
        theirs = geometric.GraphConv(INPUTS, OUTPUTS)
        state = {
            "lin_rel.weight": ours.neighbours.weight,
            "lin_rel.bias": ours.neighbours.bias,
            "lin_root.weight": ours.root.weight,
        }
    elif kind == "gcn":
        theirs = geometric.GCNConv(INPUTS, OUTPUTS)
        state = {"lin.weight": ours.linear.weight, "bias": ours.bias}
    else:
        mlp = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, OUTPUTS), torch.nn.ReLU(), torch.nn.Linear(OUTPUTS, OUTPUTS)
        )
        theirs = geometric.GINConv(mlp)
        state = {f"nn.{name}": value for name, value in ours.mlp.state_dict().items()}
    missing = theirs.load_state_dict({k: v.detach().clone() for k, v in state.items()}, strict=False)
    assert not missing.unexpected_keys
    assert set(missing.missing_keys) <= {"eps"}
    return ours, theirs


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["gatv2", "graphconv", "gcn", "gin"])
def test_equals_torch_geometric(kind, seed):
    ours, theirs = copied(kind)
    x, source, target = random_graph(seed)
    mine = ours(x, source, target)
    (grad,) = torch.autograd.grad(mine.square().sum(), x)
    other = theirs(x, torch.stack([source, target]))
    (other_grad,) = torch.autograd.grad(other.square().sum(), x)
    assert torch.allclose(mine, other, atol=1e-5)
    assert torch.allclose(grad, other_grad, rtol=1e-3, atol=1e-3)


def test_gatv2_stays_finite_with_large_logits():
    ours, _ = copied("gatv2")
    x, source, target = random_graph(0)
    assert torch.isfinite(ours(x * 1e4, source, target)).all()


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(ValueError, match="gatv2, graphconv, gcn, gin"):
        convolution("cnn", 1, 1)
