"""The loss against SciPy's correlations and the letters of eq. 4."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, rankdata, spearmanr

from nasbuild.predictor import autobuild_loss, pearson, soft_rank, spearman

few = st.integers(-4, 4).map(float)
pairs = st.integers(2, 25).flatmap(
    lambda n: st.tuples(st.lists(few, min_size=n, max_size=n), st.lists(few, min_size=n, max_size=n))
)
spread = pairs.filter(lambda p: np.ptp(p[0]) > 0 and np.ptp(p[1]) > 0)


def double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(spread)
@settings(deadline=None)
def test_with_a_small_strength_it_is_spearmans_correlation(pair):
    x, y = pair
    expected = spearmanr(x, y).statistic
    assert float(spearman(double(x), double(y), strength=1e-4)) == pytest.approx(expected, abs=1e-9)


@given(spread)
@settings(deadline=None)
def test_the_authors_variant_correlates_ranks_with_labels(pair):
    x, y = pair
    expected = pearsonr(rankdata(x), y).statistic
    found = spearman(double(x), double(y), strength=1e-4, ranking="label")
    assert float(found) == pytest.approx(expected, abs=1e-9)


@given(spread, st.floats(0.1, 5))
@settings(deadline=None)
def test_with_any_strength_it_correlates_soft_ranks(pair, strength):
    x, y = pair
    expected = pearsonr(soft_rank(double(x), strength).numpy(), rankdata(y)).statistic
    assert float(spearman(double(x), double(y), strength=strength)) == pytest.approx(expected, abs=1e-9)


def test_rows_are_correlated_each_by_itself():
    torch.manual_seed(0)
    x, y = torch.randn(5, 30), torch.randn(30)
    together = spearman(x, y)
    assert together.shape == (5,)
    for row, value in zip(x, together, strict=True):
        assert float(spearman(row, y)) == pytest.approx(float(value), abs=1e-6)


@pytest.mark.parametrize("ranking", ["spearman", "label"])
def test_the_gradient_is_that_of_finite_differences(ranking):
    torch.manual_seed(2)
    x, y = torch.randn(3, 8, dtype=torch.float64, requires_grad=True), torch.randn(8, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: spearman(v, y, ranking=ranking), x)


def test_climbing_it_puts_values_in_the_order_of_the_labels():
    torch.manual_seed(3)
    x, y = torch.randn(20, requires_grad=True), torch.randn(20)
    start = float(spearmanr(x.detach(), y).statistic)
    optimizer = torch.optim.Adam([x], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        (1 - spearman(x, y)).backward()
        optimizer.step()
    assert start < 0.5
    assert float(spearmanr(x.detach(), y).statistic) > 0.99


@pytest.mark.parametrize(("x", "y"), [([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0])])
@pytest.mark.parametrize("ranking", ["spearman", "label"])
def test_a_constant_side_correlates_with_nothing(x, y, ranking):
    values = torch.tensor(x, requires_grad=True)
    found = spearman(values, torch.tensor(y), ranking=ranking)
    found.backward()
    assert found.item() == 0
    assert torch.isfinite(values.grad).all()


def test_no_gradient_flows_into_the_labels():
    y = torch.randn(6, requires_grad=True)
    assert not spearman(torch.randn(6), y).requires_grad


@given(spread)
@settings(deadline=None)
def test_pearson_is_scipys(pair):
    x, y = pair
    assert float(pearson(double(x), double(y))) == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)


def equation_4(prediction, hop_norms, labels, weight, strength):
    """The letters of the paper, one graph and one hop at a time."""
    graphs, hops = len(labels), len(hop_norms)
    squares = sum((labels[g] - prediction[g]) ** 2 for g in range(graphs)) / graphs
    missing = 0.0
    for m in range(hops):
        ranks = soft_rank(double(hop_norms[m]), strength).tolist()
        missing += 1 - np.corrcoef(ranks, rankdata(labels))[0, 1]
    return squares + weight * missing / hops


@pytest.mark.parametrize("weight", [1.0, 0.25, 0.0])
@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_the_loss_is_equation_4(weight, strength):
    rng = np.random.default_rng(4)
    prediction, norms, labels = rng.normal(size=12), rng.uniform(0, 9, (5, 12)), rng.normal(size=12).round(1)
    found = autobuild_loss(
        double(prediction), double(norms), double(labels), weight=weight, strength=strength
    )
    assert float(found) == pytest.approx(equation_4(prediction, norms, labels, weight, strength), rel=1e-9)


def test_the_loss_of_perfect_norms_and_predictions_is_0():
    y = double([0.1, -2.0, 1.0, 3.0])
    assert float(autobuild_loss(y, torch.stack([3 * y, y.exp()]), y, strength=1e-3)) == pytest.approx(
        0, abs=1e-9
    )


def test_without_weight_the_norms_get_no_gradient():
    norms, prediction = torch.rand(5, 4, requires_grad=True), torch.randn(4, requires_grad=True)
    autobuild_loss(prediction, norms, torch.randn(4), weight=0).backward()
    assert norms.grad is None
    assert prediction.grad.abs().min() > 0
