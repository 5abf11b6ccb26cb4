"""Radial kernels against a plain Gaussian process, and what they know that sums do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp
from nasbuild.predictor.additive_gp._rbf_interactions import FLAT_WIDTHS, WIDTHS, Radial
from nasbuild.space import sample, space_from_yaml


def test_kernels_are_those_of_distances_between_rows():
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(30, 4)), rng.normal(size=(8, 4))
    kernel = rows @ rows.T
    made = Radial.of(np.array([0.5, 1e-4]), kernel, WIDTHS)
    assert made is not None
    assert made.theta.tolist() == [0.5, 0]
    apart = cdist(rows, rows, "sqeuclidean")
    median = np.median(apart[np.triu_indices(30, 1)])
    assert made.widths == pytest.approx([0.5 * median, 2 * median])
    cross, a, b = others @ rows.T, (others**2).sum(axis=1), (rows**2).sum(axis=1)
    far = cdist(others, rows, "sqeuclidean")
    for found, width in zip(made.kernels(cross, a, b), made.widths, strict=True):
        assert found == pytest.approx(np.exp(-far / width))


def test_rows_that_do_not_differ_have_no_distance():
    assert Radial.of(np.ones(1), np.zeros((5, 5)), FLAT_WIDTHS) is None
    assert Radial.of(np.ones(1), np.ones((1, 1)), FLAT_WIDTHS) is None


SPACE = space_from_yaml(
    """
    name: round
    metrics: {acc: {direction: maximize}}
    stages:
      - {name: one, depth: 1, features: {a: [1, 2, 3, 4, 5], b: [1, 2, 3, 4, 5]}}
      - {name: two, depth: 1, features: {a: [1, 2, 3, 4, 5], b: [1, 2, 3, 4, 5]}}
      - {name: three, depth: 1, features: {a: [1, 2, 3, 4, 5], b: [1, 2, 3, 4, 5]}}
    """
)


def bent(architectures) -> np.ndarray:
    """A wave along the sum of six numbers: no sum over stages, nor over pairs of them."""
    total = np.array([sum(layer[0] + layer[1] for m in a for layer in m) for a in architectures])
    return np.sin(total / 2.5)


def test_what_is_no_sum_over_pairs_is_predicted():
    rng = np.random.default_rng(1)
    table, others = sample(SPACE, 120, rng), sample(SPACE, 200, rng)
    found = {}
    for radial in (True, False):
        process = fit_additive_gp(
            SPACE, table, bent(table), AdditiveRecipe(samples=2, radial=radial), power=1.0
        )
        assert process.exact_pairs == (not radial)
        found[radial] = spearmanr(process.predict(others)[0], bent(others)).statistic
    assert found[True] > 0.9
    assert found[True] > found[False] + 0.05


def test_sums_and_pairs_alone_are_found_to_be_so():
    rng = np.random.default_rng(2)
    table = sample(SPACE, 100, rng)
    labels = np.array([a.modules[0][0][0] + a.modules[1][0][1] ** 0.5 for a in table])
    process = fit_additive_gp(SPACE, table, labels, AdditiveRecipe(samples=2))
    assert sum(radial.variance for radial in process.radials) < 0.02
