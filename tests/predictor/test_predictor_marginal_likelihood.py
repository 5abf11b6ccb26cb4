"""The evidence against SciPy's density, its gradient by finite differences, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import OptimizeResult
from scipy.stats import multivariate_normal, norm

import nasbuild.predictor.additive_gp._marginal_likelihood as evidence
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER, maximise_evidence


def term_kernels(rng: np.random.Generator, count: int, n: int, rank: int) -> np.ndarray:
    found = []
    for _ in range(count):
        rows = rng.normal(size=(n, rank))
        rows -= rows.mean(axis=0)
        kernel = rows @ rows.T
        found.append(kernel / np.diag(kernel).mean())
    return np.stack(found)


def even(count: int) -> np.ndarray:
    """Equal variances that sum to 1."""
    return np.full(count, -np.log(count))


@pytest.fixture
def problem(monkeypatch):
    """Kernels, values, and the objective that is handed to the optimiser."""
    rng = np.random.default_rng(0)
    kernels, values = term_kernels(rng, 3, 12, 4), rng.normal(size=12)
    caught = []

    def catching(objective, start, **options):
        caught.append((objective, start, options))
        return OptimizeResult(x=start, fun=objective(start)[0])

    with monkeypatch.context() as patch:
        patch.setattr(evidence, "minimize", catching)
        maximise_evidence([(Kernels.of(kernels), values)], centre=even(len(kernels)), width=2.5, iterations=7)
    return kernels, values, *caught[0]


def slow(kernels, values, log, width) -> float:
    """Minus the logarithm of likelihood and prior, constants of the prior left out."""
    theta = np.exp(log)
    total = sum(t * k for t, k in zip(theta, kernels, strict=False)) + (theta[-1] + JITTER) * np.eye(
        len(values)
    )
    centre = np.append(even(len(kernels)), np.log(0.1))
    prior = norm.logpdf(log, centre, width) - norm.logpdf(0, 0, width)
    likelihood = multivariate_normal.logpdf(values, np.zeros(len(values)), total)
    return -likelihood - prior.sum() - 0.5 * len(values) * np.log(2 * np.pi)


@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_scipys_and_its_gradient_that_of_finite_differences(problem, seed):
    kernels, values, objective, *_ = problem
    log = np.random.default_rng(seed).uniform(-4, 1, 4)
    value, slope = objective(log)
    assert value == pytest.approx(slow(kernels, values, log, 2.5))
    for i, step in enumerate(1e-5 * np.eye(4)):
        rise = slow(kernels, values, log + step, 2.5) - slow(kernels, values, log - step, 2.5)
        assert slope[i] == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-5)


def test_the_search_begins_at_the_mean_of_the_prior_within_bounds(problem):
    *_, start, options = problem
    assert start == pytest.approx([*[np.log(1 / 3)] * 3, np.log(0.1)])
    assert options["options"] == {"maxiter": 7}
    assert all(low < s < high for s, (low, high) in zip(start, options["bounds"], strict=True))


def test_what_is_found_is_a_minimum():
    rng = np.random.default_rng(1)
    kernels, values = term_kernels(rng, 2, 30, 5), rng.normal(size=30)
    log, value = maximise_evidence(
        [(Kernels.of(kernels), values)], centre=even(len(kernels)), width=3.0, iterations=200
    )
    assert value == pytest.approx(slow(kernels, values, log, 3.0))
    for step in (*(0.05 * np.eye(3)), *(-0.05 * np.eye(3))):
        assert slow(kernels, values, log + step, 3.0) > value
    # From elsewhere, a start beyond the bounds included, the same is found.
    other, again = maximise_evidence(
        [(Kernels.of(kernels), values)],
        centre=even(2),
        start=np.array([-99.0, 3, 1]),
        width=3.0,
        iterations=200,
    )
    assert again == pytest.approx(value, abs=1e-3)
    assert other == pytest.approx(log, abs=0.1)


def test_known_variances_are_found():
    rng = np.random.default_rng(2)
    n, truth = 150, np.array([0.7, 0.05, 0.25])
    kernels = term_kernels(rng, 2, n, 30)
    total = truth[0] * kernels[0] + truth[1] * kernels[1] + truth[2] * np.eye(n)
    values = np.linalg.cholesky(total) @ rng.normal(size=n)
    log, _ = maximise_evidence(
        [(Kernels.of(kernels), values)], centre=even(len(kernels)), width=3.0, iterations=30
    )
    assert np.exp(log) == pytest.approx(truth, rel=0.7)
    # A kernel that had no part in it is told from those that had.
    values = np.linalg.cholesky(total - truth[1] * kernels[1]) @ rng.normal(size=n)
    log, _ = maximise_evidence(
        [(Kernels.of(kernels), values)], centre=even(len(kernels)), width=3.0, iterations=30
    )
    assert np.exp(log)[1] < 0.03 < 0.3 < np.exp(log)[0]


def test_the_prior_holds_where_there_is_little_to_learn_from():
    kernels, values = np.zeros((2, 3, 3)), np.array([1.0, -1.0, 0.0])
    log, _ = maximise_evidence(
        [(Kernels.of(kernels), values)], centre=even(len(kernels)), width=1.0, iterations=50
    )
    assert np.exp(log[:2]) == pytest.approx([0.5, 0.5], rel=1e-3)
    assert 0.1 < np.exp(log[2]) < 1


def test_the_prior_expects_what_it_is_reported():
    kernels, values = np.zeros((2, 3, 3)), np.array([1.0, -1.0, 0.0])
    centre = np.log([0.9, 0.01])
    log, _ = maximise_evidence([(Kernels.of(kernels), values)], centre=centre, width=1.0, iterations=50)
    assert log[:2] == pytest.approx(centre, abs=1e-3)


def test_parts_add_up_and_the_prior_counts_once():
    rng = np.random.default_rng(3)
    parts = [(term_kernels(rng, 2, n, 4), rng.normal(size=n)) for n in (8, 15)]
    seen = [(Kernels.of(kernels), values) for kernels, values in parts]
    log, value = maximise_evidence(seen, centre=even(2), width=3.0, iterations=200)
    prior = (norm.logpdf(log, [*even(2), np.log(0.1)], 3.0) - norm.logpdf(0, 0, 3.0)).sum()
    assert value == pytest.approx(sum(slow(*part, log, 3.0) for part in parts) + prior)
    for step in (*(0.05 * np.eye(3)), *(-0.05 * np.eye(3))):
        moved = log + step
        moved_prior = (norm.logpdf(moved, [*even(2), np.log(0.1)], 3.0) - norm.logpdf(0, 0, 3.0)).sum()
        assert sum(slow(*part, moved, 3.0) for part in parts) + moved_prior > value


def test_a_kernel_that_has_no_factor_is_no_trouble():
    # Not positive definite: as bad as can be, without an error.
    kernels = np.array([[[1.0, 2.0], [2.0, 1.0]]])
    log, value = maximise_evidence(
        [(Kernels.of(kernels), np.array([1.0, -1.0]))],
        centre=even(1),
        start=np.array([1.0, -9.0]),
        width=3.0,
        iterations=5,
    )
    assert np.isfinite(log).all()
    assert np.isfinite(value)
