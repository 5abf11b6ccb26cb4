"""Interactions between stages against a sum over pairs, and apart from what a stage does alone."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from gp_samples import SPACE, Dense

from nasbuild.predictor.additive_gp._design_matrix import design
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._term_rows import Rows, StageRows
from nasbuild.predictor.additive_gp._terms import REACH_LAYER, reach
from nasbuild.space import sample

TABLE = sample(SPACE, 25, np.random.default_rng(0))


@pytest.fixture(scope="module")
def made():
    table = design(SPACE, TABLE)
    theta = np.random.default_rng(1).uniform(0.01, 1, len(table.terms))
    theta[1] = 5e-4  # too little to be looked at
    return table, theta, Interaction.of(table.terms, table.values, theta)


def slow_kernel(table, theta) -> np.ndarray:
    """Sum over pairs of stages of the products of their additive kernels, before it is scaled."""
    slow, n, stages = Dense(SPACE, TABLE), len(TABLE), len(SPACE.stages)
    own = np.zeros((stages, n, n))
    for term, variance in zip(table.terms, theta, strict=True):
        if reach(term.name) == REACH_LAYER and variance > 1e-3:
            for u in range(stages):
                rows = slow.stages[term.name][:, u]
                own[u] += variance * rows @ rows.T
    return sum(own[u] * own[v] for u, v in combinations(range(stages), 2))


def test_the_kernel_is_the_sum_over_pairs(made):
    table, theta, interaction = made
    kernel, expected = (
        interaction.kernel(interaction.features, interaction.features),
        slow_kernel(table, theta),
    )
    size = np.diag(expected).mean()
    assert interaction.size == pytest.approx(size)
    assert kernel == pytest.approx(expected / size, abs=1e-9)
    assert interaction.diagonal(interaction.features) == pytest.approx(np.diag(kernel))
    assert np.linalg.eigvalsh(kernel).min() > -1e-9


def test_terms_that_look_further_and_tiny_ones_are_left_out(made):
    table, theta, interaction = made
    for term, before, after in zip(table.terms, theta, interaction.theta, strict=True):
        assert after == (before if reach(term.name) == REACH_LAYER and before > 1e-3 else 0)
    assert interaction.theta[1] == 0 < np.count_nonzero(interaction.theta) < len(theta)


def test_the_table_has_no_more_of_it_than_of_any_other_module(made):
    *_, interaction = made
    # Over all ways in which the other stages of the table can be combined, the mean is 0.
    rng = np.random.default_rng(2)
    n, weights = len(TABLE), rng.normal(size=len(TABLE))
    first = tuple(np.repeat(f[:1], n, axis=0) for f in interaction.features)
    for u in range(len(SPACE.stages)):
        others = [v for v in range(len(SPACE.stages)) if v != u]
        total = np.zeros(n)
        # Products with one other stage at a time: its mean over the table is all that is needed.
        for v in others:
            parts = [np.zeros_like(f) for f in interaction.features]
            parts[u], parts[v] = first[u], interaction.features[v]
            total += interaction.kernel(parts, interaction.features) @ weights
        assert abs(total.mean()) < 1e-9
        assert np.abs(total).max() > 1e-3


def test_other_architectures_are_centred_by_the_table(made):
    table, _, interaction = made
    some = [4, 2]
    parts = []
    for part in table.values.stages:
        at = [np.flatnonzero(part.rows == row) for row in some]
        own = np.concatenate(at)
        parts.append(StageRows(np.repeat([0, 1], [len(a) for a in at]), part.columns[own], part.values[own]))
    again = interaction.at(Rows(tuple(parts), table.values.first, len(some)))
    for a, b in zip(again, interaction.features, strict=True):
        assert a == pytest.approx(b[[4, 2]])
        assert b.sum(axis=0) == pytest.approx(0, abs=1e-9)


def test_without_terms_there_is_nothing():
    table = design(SPACE, TABLE)
    nothing = Interaction.of(table.terms, table.values, np.zeros(len(table.terms)))
    assert nothing.size == 0
    assert [f.shape for f in nothing.features] == [(25, 0)] * len(SPACE.stages)
