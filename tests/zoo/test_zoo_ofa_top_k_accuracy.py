"""Accuracy of a network, and folding of its batch norms."""

from __future__ import annotations

import pytest
import torch
from ofa_samples import random_supernet, tiny

from nasbuild.zoo.ofa import accuracy, recalibrate
from nasbuild.zoo.ofa.top_k_accuracy import fold_batch_norms


@pytest.fixture
def network():
    found = random_supernet(tiny()).extract(tiny().largest)
    torch.manual_seed(0)
    recalibrate(found, [(torch.randn(50, 1, 8, 8), torch.zeros(50))])
    return found


def test_measuring_accuracy_does_not_change_the_network(network):
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    accuracy(network, [(torch.randn(9, 1, 8, 8), torch.zeros(9, dtype=torch.int64))])
    assert network.training
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_accuracy_returns_top_1_top_5_and_the_mean_loss(network):
    x, y = torch.randn(60, 1, 8, 8), torch.arange(60) % 3
    found = accuracy(network, [(x[:25], y[:25]), (x[25:], y[25:])])
    with torch.no_grad():
        logits = network.eval()(x)
    assert found.top1 == pytest.approx(100 * float((logits.argmax(1) == y).float().mean()), abs=1e-4)
    assert found.top5 == 100  # of three classes
    assert found.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, y)), rel=1e-4)


def test_folding_batch_norms_keeps_the_outputs(network):
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.uniform_(part.bias, -0.5, 0.5)
    x = torch.randn(20, 1, 8, 8)
    recalibrate(network, [(x, torch.zeros(20))])
    with torch.no_grad():
        before = network.eval()(x)
        after = fold_batch_norms(network)(x)
    assert torch.allclose(before, after, rtol=1e-4, atol=1e-5)
    assert 0.1 < before.std() < 100
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules())
    assert any(
        part.conv.bias is not None
        for part in network.modules()
        if hasattr(part, "conv") and hasattr(part, "bn")
    )
