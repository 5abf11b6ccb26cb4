"""The scale of labels against SciPy, its inverse, and its density by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import yeojohnson

from nasbuild.predictor.additive_gp._warp import STEEPEST, Warp, yeo_johnson, yeo_johnson_inverse

POWERS = st.sampled_from([-3.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 5.0]) | st.floats(-3, 5).map(
    lambda p: round(p, 3)
)
NEAR = st.lists(st.floats(-6, 6), min_size=2, max_size=12)


@given(NEAR, st.sampled_from([-3.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 5.0]))
def test_values_are_scipys(values, power):
    u = np.array(values)
    assert yeo_johnson(u, power) == pytest.approx(yeojohnson(u, power), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("power", [0.0, 2.0])
def test_powers_beside_the_logarithm_are_nearly_it(power):
    u = np.linspace(-4, 4, 41)
    for near in (power - 1e-9, power + 1e-9):
        assert yeo_johnson(u, near) == pytest.approx(yeo_johnson(u, power), abs=1e-7)
        assert yeo_johnson_inverse(yeo_johnson(u, near), near) == pytest.approx(u, abs=1e-6)


@given(NEAR, POWERS)
def test_values_come_back(values, power):
    u = np.array(values)
    assert yeo_johnson_inverse(yeo_johnson(u, power), power) == pytest.approx(u, rel=1e-6, abs=1e-6)


@given(NEAR, POWERS)
def test_the_order_stays(values, power):
    u = np.sort(values)
    assert (np.diff(yeo_johnson(u, power)) >= 0).all()
    apart = np.diff(u) > 1e-3
    assert (np.diff(yeo_johnson(u, power))[apart] > 0).all()


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), POWERS)
def test_any_value_is_taken_back_to_a_number_in_order(a, b, power):
    low, high = yeo_johnson_inverse(np.sort([a, b]), power)
    assert np.isfinite([low, high]).all()
    assert low <= high


def test_what_no_label_has_is_taken_back_to_the_end():
    # With power -1 no value exceeds 1.
    assert yeo_johnson_inverse(np.array([1.0, 5.0, 50.0]), -1.0).tolist() == pytest.approx(
        [np.expm1(20)] * 3, rel=1e-6
    )


@given(NEAR, POWERS, st.floats(-1e4, 1e4), st.sampled_from([1e-6, 0.1, 1.0, 300.0]))
def test_labels_are_standardised_and_come_back(values, power, middle, scale):
    u = np.array(values)
    assume(np.std(u) > 0.1)
    labels = middle + scale * u
    warp = Warp.of(labels, power)
    z = warp.forward(labels)
    assert z.mean() == pytest.approx(0, abs=1e-7)
    assert z.std() == pytest.approx(1)
    assert warp.back(z) == pytest.approx(labels, rel=1e-6, abs=1e-5 * scale)


@given(NEAR, POWERS)
def test_the_density_is_that_of_finite_differences(values, power):
    labels = 70 + 3 * np.array(values)
    assume(np.std(values) > 0.1)
    warp = Warp.of(labels, power)
    step = 1e-5
    # Beyond the labels the scale is another one: at the ends, towards the middle alone.
    below, above = np.maximum(labels - step, labels.min()), np.minimum(labels + step, labels.max())
    slopes = (warp.forward(above) - warp.forward(below)) / (above - below)
    # A density whose curvature jumps at the mean is not told there to more digits.
    assert warp.log_jacobian(labels) == pytest.approx(np.log(slopes).sum(), abs=1e-3)


def test_power_1_is_standardising_alone():
    labels = np.array([3.0, 5.0, 10.0])
    warp = Warp.of(labels, 1.0)
    assert warp.forward(labels) == pytest.approx((labels - 6) / np.std(labels))
    assert warp.log_jacobian(labels) == pytest.approx(-3 * np.log(np.std(labels)))


def test_powers_stretch_the_tail_that_they_should():
    # Power 0 is a logarithm of large labels: those of a log-normal become normal.
    labels = np.exp(np.random.default_rng(0).normal(size=4000))

    def skew(z):
        return (z**3).mean()

    plain, bent = (skew(Warp.of(labels, p).forward(labels)) for p in (1.0, -0.5))
    assert plain > 3
    assert abs(bent) < 0.5
    assert skew(Warp.of(-labels, 2.5).forward(-labels)) == pytest.approx(-bent, abs=1e-6)


@given(NEAR, POWERS, st.floats(0.01, 50))
def test_beyond_the_labels_the_scale_is_a_straight_line(values, power, far):
    labels = 20 + 3 * np.array(values)
    assume(np.std(values) > 0.1)
    warp = Warp.of(labels, power)
    low, high = labels.min(), labels.max()
    ends = warp.forward(np.array([low, high]))
    average = (high - low) / (ends[1] - ends[0])
    for end, at, sign in ((low, ends[0], -1), (high, ends[1], 1)):
        one, two = warp.back(at + sign * far * np.array([1.0, 2.0]))
        # The derivative of the transform's inverse at the end, by its formula.
        u = (end - warp.mean) / warp.std
        own = warp.std * warp.spread * (1 + abs(u)) ** ((1 - power) * np.sign(u))
        slope = min(own, STEEPEST * average)
        assert one - end == pytest.approx(sign * far * slope, rel=1e-6)
        assert two - one == pytest.approx(one - end, rel=1e-6)
        assert warp.forward(np.array([one]))[0] == pytest.approx(at + sign * far, rel=1e-6, abs=1e-6)
        assert warp.beyond(np.array([one]))[0] == pytest.approx(abs(one - end), rel=1e-9)


def test_what_powers_blow_up_stays_near_the_labels():
    labels = np.exp(np.random.default_rng(0).normal(size=200))
    warp = Warp.of(labels, -3.0)
    span = np.ptp(warp.forward(labels))
    beyond = warp.back(warp.forward(np.array([labels.max()])) + span)[0] - labels.max()
    assert beyond <= STEEPEST * np.ptp(labels) * (1 + 1e-9)
