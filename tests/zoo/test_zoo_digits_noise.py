"""Differences of architectures against noise of seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasbuild.zoo.digits.noise import noise_of, srcc


def test_noise_recovers_known_deviations():
    rng = np.random.default_rng(0)
    y = 5 + rng.normal(0, 3, (20_000, 1)) + np.array([[-1.0, 0.0, 1.0]]) + rng.normal(0, 0.5, (20_000, 3))
    noise = noise_of(y)
    assert noise.mean == pytest.approx(5, abs=0.1)
    assert noise.between == pytest.approx(3, rel=0.03)
    assert noise.rest == pytest.approx(0.5, rel=0.03)
    assert noise.seed == pytest.approx((1 + 0.25) ** 0.5, rel=0.03)  # the shifts -1, 0, 1 have variance 1
    assert noise.reliability == pytest.approx(9 / (9 + 0.25 / 3), rel=0.003)
    # Cronbach's alpha in its textbook form.
    alpha = 3 / 2 * (1 - y.var(axis=0, ddof=1).sum() / y.sum(axis=1).var(ddof=1))
    assert noise.reliability == pytest.approx(alpha, abs=1e-12)


def test_srcc_equals_that_of_scipy():
    a, b = np.random.default_rng(1).integers(0, 9, (2, 50))
    assert srcc(a, b) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)
    assert math.isnan(srcc(a, np.ones(50)))


def test_the_noise_of_a_constant_is_undefined():
    noise = noise_of(np.ones((4, 2)))
    assert noise.between == noise.seed == 0
    assert math.isnan(noise.ratio)
    assert math.isnan(noise.reliability)
    assert math.isnan(noise.srcc)


def test_one_seed_has_no_noise_estimate():
    noise = noise_of([[1.0], [3.0]])
    assert noise.between == pytest.approx(2**0.5)
    assert math.isnan(noise.seed)
    assert math.isnan(noise.reliability)
