"""Soft ranks against the definition: the projection onto the permutahedron, checked with all its vertices."""

from __future__ import annotations

from itertools import chain, combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from nasbuild.predictor import soft_rank

values = st.lists(st.floats(-20, 20) | st.integers(-3, 3).map(float), min_size=1, max_size=6)


@given(values, st.sampled_from([0.01, 0.3, 1.0, 4.0, 100.0]))
@settings(deadline=None)
def test_it_is_the_nearest_point_of_the_permutahedron(v, strength):
    z = np.array(v) / strength
    p = soft_rank(torch.tensor(v, dtype=torch.float64), strength).numpy()
    n, scale = len(z), 1e-9 * (1 + np.abs(z).max())
    # In the polytope: no k coordinates sum to less than the k smallest ranks do (Rado), and all sum alike.
    for subset in chain.from_iterable(combinations(range(n), k) for k in range(1, n)):
        k = len(subset)
        assert p[list(subset)].sum() >= k * (k + 1) / 2 - scale
    assert p.sum() == pytest.approx(n * (n + 1) / 2, abs=scale)
    # And nearest: no vertex lies on the far side of the plane through p across the way from z.
    vertices = np.array(list(permutations(range(1, n + 1))))
    assert ((vertices - p) @ (z - p)).max() <= scale * n


@given(st.lists(st.integers(-100, 100), min_size=1, max_size=40, unique=True), st.floats(1e-6, 0.999))
def test_a_small_strength_gives_hard_ranks(v, strength):
    assert soft_rank(torch.tensor(v, dtype=torch.float64), strength).numpy() == pytest.approx(rankdata(v))


def test_ties_share_their_mean_rank():
    ranks = soft_rank(torch.tensor([5.0, 1.0, 5.0, 1.0, 1.0, 9.0]), 1e-3)
    assert ranks.tolist() == pytest.approx([4.5, 2.0, 4.5, 2.0, 2.0, 6.0])


def test_a_large_strength_is_affine():
    v = torch.tensor([3.0, -1.0, 0.5, 2.0], dtype=torch.float64)
    assert torch.allclose(soft_rank(v, 100.0), 2.5 + (v - v.mean()) / 100)


@pytest.mark.parametrize("gap", [0.0, 0.2, 0.9, 1.0, 1.5])
def test_two_values_have_a_closed_form(gap):
    low, high = soft_rank(torch.tensor([0.0, gap])).tolist()
    assert (low, high) == pytest.approx((1.5 - min(gap, 1) / 2, 1.5 + min(gap, 1) / 2))


@pytest.mark.parametrize("strength", [0.1, 1.0, 3.0])
def test_the_gradient_is_that_of_finite_differences(strength):
    torch.manual_seed(0)
    v = (2 * torch.randn(4, 7, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: soft_rank(x, strength), v)


def test_rows_do_not_see_each_other():
    torch.manual_seed(1)
    v = torch.randn(2, 3, 9, dtype=torch.float64, requires_grad=True)
    g = torch.randn(2, 3, 9, dtype=torch.float64)
    together = soft_rank(v)
    (gradient,) = torch.autograd.grad(together, v, g)
    for i in range(2):
        for j in range(3):
            alone = v[i, j].detach().clone().requires_grad_()
            ranks = soft_rank(alone)
            (own,) = torch.autograd.grad(ranks, alone, g[i, j])
            # Sums of 9 terms below 20, in double precision: 9 * 20 * 2e-16.
            assert torch.allclose(ranks, together[i, j], rtol=0, atol=4e-14)
            assert torch.allclose(own, gradient[i, j], rtol=0, atol=4e-14)


@given(values, st.floats(-100, 100))
def test_only_differences_count(v, shift):
    a = torch.tensor(v, dtype=torch.float64)
    assert torch.allclose(soft_rank(a + shift), soft_rank(a), atol=1e-9)


def test_single_precision_stays_single():
    v = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    ranks = soft_rank(v, 0.5)
    ranks[0].backward()
    assert ranks.dtype == v.grad.dtype == torch.float32


@pytest.mark.parametrize("strength", [0, -1.0])
def test_the_strength_is_above_0(strength):
    with pytest.raises(ValueError, match="above 0"):
        soft_rank(torch.ones(3), strength)
