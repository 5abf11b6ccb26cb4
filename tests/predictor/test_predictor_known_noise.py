"""Known noise of each row, against scikit-learn's Gaussian process with a variance for each row."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct

from nasbuild.predictor import (
    AdditiveRecipe,
    Warp,
    additive_gp_from_arrays,
    additive_gp_to_arrays,
    fit_additive_gp,
    fit_with_proxy,
)
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.table import load_builtin

TABLE = load_builtin("digits-macro")
ROWS = np.random.default_rng(0).permutation(len(TABLE))
OWN, OTHERS = ([TABLE.architectures[i] for i in ROWS[some]] for some in (slice(40), slice(40, 70)))
LABELS = TABLE.columns["loss"][ROWS[:40]]
NOISE = np.random.default_rng(1).uniform(0, 0.5, size=40) * LABELS.var() * (np.arange(40) % 2)
PLAIN = AdditiveRecipe(samples=2, interaction=False)


def test_rows_with_known_noise_are_those_of_scikit_learn():
    gp = fit_additive_gp(TABLE.space, OWN, LABELS, PLAIN, noise=NOISE)
    known = gp.warp.variances(LABELS, NOISE)
    np.testing.assert_array_equal(gp.known, known)

    def features(architectures):
        design = gp.design_of(architectures)
        return np.hstack(
            [np.sqrt(v) * (design.values.dense(t) - gp.means[t].sum(axis=0)) for t, v in enumerate(gp.theta)]
        )

    z, inside = gp.warp.forward(LABELS), features(OWN)
    other = GaussianProcessRegressor(
        DotProduct(0.0, sigma_0_bounds="fixed"), alpha=gp.noise + JITTER + known, optimizer=None
    ).fit(inside, z)
    mean, std = other.predict(features(OWN), return_std=True)
    found, variance = gp.latent(OWN)
    np.testing.assert_allclose(found, mean, atol=1e-6)
    np.testing.assert_allclose(variance - gp.noise - known.mean(), std**2, atol=1e-6)
    kernels = Kernels.of([inside @ inside.T]).with_known(known)
    value, _ = kernels.minus_log_density(z, np.ones(1), gp.noise + JITTER)
    expected = other.log_marginal_likelihood_value_ + len(z) / 2 * np.log(2 * np.pi)
    assert -value == pytest.approx(expected, abs=1e-6)
    some = np.array([0, 3, 7])
    np.testing.assert_array_equal(kernels.among(some).known, known[some])


def test_variances_follow_the_slope_of_the_warp():
    warp = Warp.of(LABELS, power=0.25)
    at = np.array([LABELS.min() - 0.1, *np.quantile(LABELS, [0.2, 0.5, 0.9]), LABELS.max() + 0.2])
    step = 1e-6
    slopes = (warp.forward(at + step) - warp.forward(at - step)) / (2 * step)
    np.testing.assert_allclose(warp.log_slopes(at), np.log(slopes), atol=1e-6)
    np.testing.assert_allclose(warp.variances(at, np.full(5, 0.3)), 0.3 * slopes**2, rtol=1e-5)


def test_no_known_noise_is_as_before_and_zeros_are_no_noise():
    quick = AdditiveRecipe(samples=2, iterations=10)
    one, other = (
        fit_additive_gp(TABLE.space, OWN, LABELS, quick, noise=noise) for noise in (None, np.zeros(40))
    )
    for a, b in zip(one.predict(OTHERS), other.predict(OTHERS), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_noisy_label_counts_for_less_and_is_read_back():
    quick = AdditiveRecipe(samples=2, iterations=10)
    wrong, middle = LABELS.copy(), int(np.argsort(LABELS)[20])
    wrong[middle] += 0.5 * np.ptp(LABELS)
    noise = np.where(np.arange(40) == middle, np.ptp(LABELS) ** 2, 0.0)
    cheap = TABLE.architectures[::20], TABLE.columns["acc"][::20]
    for fit in (
        lambda noise: fit_additive_gp(TABLE.space, OWN, wrong, quick, noise=noise),
        lambda noise: fit_with_proxy(TABLE.space, OWN, wrong, cheap, quick, noise=noise),
    ):
        told, untold = fit(noise), fit(None)
        errors = [abs(gp.predict([OWN[middle]])[0][0] - LABELS[middle]) for gp in (told, untold)]
        assert errors[0] < 0.7 * errors[1]
        proxy = None if told.proxy is None else cheap
        again = additive_gp_from_arrays(additive_gp_to_arrays(told), TABLE.space, OWN, "fit", proxy)
        for a, b in zip(again.predict(OTHERS), told.predict(OTHERS), strict=True):
            assert a.tobytes() == b.tobytes()
