"""The scale of labels: its evidence against SciPy's density, and which power the search ends at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gp_samples import SPACE
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.predictor.additive_gp._warp_power import Scale, Scales
from nasbuild.space import sample

RECIPE = AdditiveRecipe(iterations=200)


@pytest.fixture
def scales() -> Scales:
    """Labels of 40 architectures, 25 of which are looked at."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 40, 3))
    kernels = features @ features.transpose(0, 2, 1)
    kernels /= np.trace(kernels, axis1=1, axis2=2)[:, None, None] / 40
    hidden = features.sum(axis=0) @ rng.normal(size=3) + 0.1 * rng.normal(size=40)
    rows = np.sort(rng.permutation(40)[:25])
    seen = kernels[:, rows][:, :, rows]
    return Scales(
        Kernels.of(seen), np.exp(hidden / 2), rows, np.log([0.5, 0.5]), RECIPE, np.ones(25, dtype=bool)
    )


def whole(kernels: Kernels) -> np.ndarray:
    """(kernels, rows, rows)."""
    found = np.zeros((len(kernels), kernels.rows, kernels.rows))
    lower = np.tril_indices(kernels.rows)
    found[:, lower[0], lower[1]] = found[:, lower[1], lower[0]] = kernels.halves
    return found


def slow(scales: Scales, scale: Scale) -> float:
    """-log density of the labels themselves and of the variances, by differences instead of a Jacobian."""
    labels, theta = scales.labels, np.exp(scale.log)
    total = np.tensordot(theta[:-1], whole(scales.kernels), 1) + (theta[-1] + JITTER) * np.eye(
        len(scales.rows)
    )
    step = 1e-6 * labels.std()
    # Beyond the labels the scale is another one: at the ends, towards the middle alone.
    below, above = np.maximum(labels - step, labels.min()), np.minimum(labels + step, labels.max())
    stretch = (scale.warp.forward(above) - scale.warp.forward(below)) / (above - below)
    centre = np.append(scales.centre, np.log(0.1))
    density = multivariate_normal.logpdf(scale.warp.forward(labels)[scales.rows], cov=total)
    prior = norm.logpdf(scale.log, centre, RECIPE.prior_width).sum()
    return -density - np.log(stretch[scales.rows]).sum() - prior


def test_scales_compare_by_the_density_of_the_labels(scales):
    tried = [scales.attempt(power) for power in (-1.0, 0.0, 0.5, 1.0, 2.5)]
    constant = [one.objective - slow(scales, one) for one in tried]
    assert constant == pytest.approx([constant[0]] * 5, abs=1e-4)


def test_rows_that_say_nothing_of_the_scale_are_given(scales):
    """What the others are told by them: a conditional density is a quotient of two."""
    tells = np.arange(25) % 3 > 0
    given = replace(scales, informative=tells)
    alone = replace(
        scales,
        kernels=scales.kernels.among(np.flatnonzero(~tells)),
        rows=scales.rows[~tells],
        informative=np.ones(9, bool),
    )
    assert whole(alone.kernels) == pytest.approx(whole(scales.kernels)[:, ~tells][:, :, ~tells])
    differences = []
    for power in (-1.0, 0.5, 2.5):
        one = given.attempt(power)
        # The prior of the variances is in both of the quotient.
        centre = np.append(scales.centre, np.log(0.1))
        prior = norm.logpdf(one.log, centre, RECIPE.prior_width).sum()
        differences.append(one.objective - (slow(scales, one) - slow(alone, one) - prior))
    assert differences == pytest.approx([differences[0]] * 3, abs=1e-4)


def test_the_likeliest_power_of_a_grid_is_found(scales):
    found = scales.best(1.0, (1.0, 0.5, 0.25))
    grid = {power: scales.attempt(power).objective for power in np.arange(-3, 5.01, 0.25)}
    assert found.warp.power == min(grid, key=lambda power: grid[power])
    assert found.objective == pytest.approx(min(grid.values()), abs=1e-3)


@given(st.floats(-6, 8), st.sampled_from([1.0, 0.5, -0.25]))
def test_the_search_ends_beside_the_minimum_and_tries_nothing_twice(minimum, start):
    asked = []

    class Known(Scales):
        def attempt(self, power, start=None):  # noqa: ARG002
            asked.append(power)
            return Scale(Warp.of(self.labels, power), np.zeros(1), (power - minimum) ** 2)

    nothing = np.zeros(0)
    found = Known(nothing, np.arange(5.0), nothing, nothing, RECIPE, nothing).best(start, (1.0, 0.5, 0.125))
    assert len(asked) == len(set(asked))
    assert all(-3 <= power <= 5 for power in asked)
    # The ends can be a step away, as steps go beyond them.
    inside = float(np.clip(minimum, -3, 5))
    assert abs(found.warp.power - inside) <= (0.0626 if inside == minimum else 1)


@pytest.mark.parametrize("crossed", [False, True])
def test_what_stages_do_to_each_other_does_not_bend_the_scale(crossed):
    """Labels of a product of stages are a logarithm of sums, or, where they can be told, interactions."""
    rng = np.random.default_rng(1)
    architectures = sample(SPACE, 150, rng)
    worth = {7: 1.0, 5: 0.2, 3: -0.6}
    each = np.array(
        [[sum(worth[layer[0]] for layer in m) / len(m) for m in a.modules[:3]] for a in architectures]
    )
    centred = each - each.mean(axis=0)
    labels = centred.sum(axis=1) + 1.5 * (centred[:, 0] * centred[:, 1] + centred[:, 1] * centred[:, 2])
    labels += 0.02 * rng.normal(size=150)
    process = fit_additive_gp(SPACE, architectures, labels, AdditiveRecipe(samples=2, interaction=crossed))
    assert (abs(process.warp.power - 1) <= 0.25) == crossed
