"""Our optimizer against torch's clipping and AdamW, a tensor at a time."""

from __future__ import annotations

import pytest
import torch

from nasbuild.predictor.gnn._stacked_adamw import ClippedAdamW


def net(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    layers = (torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2))
    return torch.nn.Sequential(*layers).double()


@pytest.mark.parametrize("clip", [0.01, 5.0, 1e9])
@pytest.mark.parametrize("decay", [0.0, 1e-5, 0.3])
def test_it_steps_as_torchs_adamw_on_a_clipped_gradient(clip, decay):
    ours, theirs = net(), net()
    optimizer = ClippedAdamW(list(ours.parameters()), rate=0.03, decay=decay, clip=clip)
    oracle = torch.optim.AdamW(theirs.parameters(), lr=0.03, weight_decay=decay)
    start = [p.detach().clone() for p in theirs.parameters()]
    for step in range(30):
        x = 10 ** (step % 3 - 1) * torch.randn(8, 3, dtype=torch.float64)
        for model in (ours, theirs):
            model.zero_grad(set_to_none=False)
            model(x).square().sum().backward()
        optimizer.step()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        oracle.step()
    for a, b, before in zip(ours.parameters(), theirs.parameters(), start, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)
        assert not torch.allclose(b, before, atol=1e-3)


def test_networks_side_by_side_are_clipped_and_stepped_each_for_itself():
    def start(k: int) -> torch.Tensor:
        return torch.randn(6, generator=torch.Generator().manual_seed(k), dtype=torch.float64)

    settings = {"rate": 0.03, "decay": 0.1, "clip": 1.0}
    together = torch.stack([start(k) for k in range(3)]).requires_grad_()
    alone = [start(k).requires_grad_() for k in range(3)]
    both = [
        ClippedAdamW([together], members=True, **settings),
        *(ClippedAdamW([a], **settings) for a in alone),
    ]
    for step in range(20):
        # Gradients on either side of the largest norm, in another order at each step.
        scales = torch.tensor([0.05, 1.0, 20.0], dtype=torch.float64).roll(step)
        for optimizer in both:
            optimizer.zero_grad()
        (together.square().sum(1) * scales).sum().backward()
        for a, scale in zip(alone, scales, strict=True):
            (a.square().sum() * scale).backward()
        for optimizer in both:
            optimizer.step()
    assert torch.allclose(together, torch.stack(alone), rtol=1e-12)
    assert not torch.allclose(together, torch.stack([start(k) for k in range(3)]), atol=0.1)


def test_gradients_add_up_until_they_are_forgotten():
    model = net()
    optimizer = ClippedAdamW(list(model.parameters()), rate=0.1, decay=0, clip=5)
    x = torch.randn(4, 3, dtype=torch.float64)
    model(x).sum().backward()
    once = optimizer.gradient.clone()
    model(x).sum().backward()
    assert torch.allclose(optimizer.gradient, 2 * once)
    assert once.abs().max() > 0
    optimizer.zero_grad()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_a_network_that_learns_keeps_its_names_and_values():
    model, other = net(1), net(1)
    ClippedAdamW(list(model.parameters()), rate=0.1, decay=0, clip=5)
    for (name, a), (expected, b) in zip(model.state_dict().items(), other.state_dict().items(), strict=True):
        assert name == expected
        assert torch.equal(a, b)
