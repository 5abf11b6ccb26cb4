"""Soft ranks against a projection computed another way, and against hard ranks."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.stats import rankdata, spearmanr

from nasbuild.predictor import autobuild_loss, pearson, soft_rank, spearman

VALUES = st.lists(st.floats(-5, 5).map(lambda v: round(v, 3)), min_size=2, max_size=5)


def brute_force(values: np.ndarray, strength: float) -> np.ndarray:
    """Nearest point to values / strength among all convex combinations of the permutations of 1..n."""
    vertices = np.array(list(permutations(range(1, len(values) + 1))), dtype=float).T
    # Non-negative least squares; a heavy last row makes the weights sum to 1.
    heavy = 1e4
    a = np.vstack([vertices, np.full(vertices.shape[1], heavy)])
    weights, _ = nnls(a, np.append(values / strength, heavy), maxiter=10_000)
    return vertices @ (weights / weights.sum())


@settings(deadline=None, max_examples=60)
@given(VALUES, st.sampled_from([0.1, 0.5, 1.0, 3.0]))
def test_projection_onto_the_permutahedron(values, strength):
    given_values = torch.tensor(values, dtype=torch.float64)
    assert np.allclose(soft_rank(given_values, strength), brute_force(np.array(values), strength), atol=1e-4)


def test_hard_ranks_where_values_lie_far_apart():
    values = torch.tensor(np.random.default_rng(0).permutation(50), dtype=torch.float64)
    assert np.allclose(soft_rank(values, 0.5), rankdata(values.numpy()))


def test_affine_where_the_strength_is_large():
    values = torch.randn(20, dtype=torch.float64)
    ranks = soft_rank(values, 1e4)
    assert torch.allclose(ranks, (values - values.mean()) / 1e4 + 10.5)


@settings(deadline=None, max_examples=30)
@given(VALUES)
def test_ranks_sum_to_that_of_1_to_n(values):
    n = len(values)
    assert float(soft_rank(torch.tensor(values, dtype=torch.float64)).sum()) == pytest.approx(n * (n + 1) / 2)


def test_rows_of_a_batch_are_ranked_alone():
    rows = torch.randn(3, 4, 7, dtype=torch.float64)
    one_by_one = torch.stack([torch.stack([soft_rank(r) for r in block]) for block in rows])
    assert torch.equal(soft_rank(rows), one_by_one)


@pytest.mark.parametrize("strength", [0.3, 1.0, 4.0])
def test_gradient_is_exact(strength):
    torch.manual_seed(0)
    values = torch.randn(3, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: soft_rank(v, strength), values)


def test_gradient_of_the_correlation_is_exact():
    torch.manual_seed(1)
    values = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    labels = torch.randn(8, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: spearman(v, labels), values)


def test_strength_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        soft_rank(torch.zeros(3), 0)


def test_spearman_equals_scipy_where_ranks_are_hard():
    rng = np.random.default_rng(2)
    values, labels = rng.permutation(40).astype(float), rng.integers(0, 9, 40).astype(float)
    ours = spearman(torch.from_numpy(values), torch.from_numpy(labels), strength=0.1)
    assert float(ours) == pytest.approx(spearmanr(values, labels).statistic, abs=1e-9)


def test_label_variant_correlates_ranks_with_labels_as_they_are():
    values, labels = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.0, 0.0, 0.0, 9.0])
    ours = float(spearman(values, labels, strength=0.01, ranking="label"))
    assert ours == pytest.approx(np.corrcoef([1, 2, 3, 4], [0, 0, 0, 9])[0, 1], abs=1e-5)


def test_no_spread_gives_0_and_a_finite_gradient():
    values = torch.zeros(2, 5, requires_grad=True)
    found = spearman(values, torch.arange(5.0))
    found.sum().backward()
    assert found.tolist() == [0, 0]
    assert torch.isfinite(values.grad).all()
    assert float(pearson(torch.arange(5.0), torch.ones(5))) == 0


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.5])
def test_loss_is_equation_4(weight):
    torch.manual_seed(3)
    prediction, labels, norms = torch.randn(12), torch.randn(12), torch.rand(5, 12) * 100
    expected = float(((labels - prediction) ** 2).mean())
    for hop in norms:
        ranks = soft_rank(hop, 1.0).numpy()
        rho = np.corrcoef(ranks, rankdata(labels.numpy()))[0, 1]
        expected += weight * (1 - rho) / 5
    assert float(autobuild_loss(prediction, norms, labels, weight=weight)) == pytest.approx(expected, abs=1e-5)
