"""y' as sums over stages and pairs of stages, against the prediction itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gp_samples import SPACE

from nasbuild.predictor import AdditiveGP, AdditiveRecipe, Pairs, fit_additive_gp
from nasbuild.space import Architecture, sample

RNG = np.random.default_rng(5)
MODULES = [
    [one.modules[u] for one in sample(SPACE, 12 + u, np.random.default_rng(u))]
    for u in range(len(SPACE.stages))
]
CODES = [[stage.encode(m) for m in modules] for stage, modules in zip(SPACE.stages, MODULES, strict=True)]
PICKS = np.column_stack([RNG.integers(0, len(own), 40) for own in MODULES])


def architectures(picks: np.ndarray) -> list[Architecture]:
    return [Architecture(tuple(MODULES[u][m] for u, m in enumerate(pick))) for pick in picks]


@pytest.fixture(scope="module")
def process() -> AdditiveGP:
    found = sample(SPACE, 60, np.random.default_rng(1))
    labels = [
        len(a.modules[0]) * (a.modules[3][0][0] == 224) + len(a.modules[0]) + 0.5 * a.modules[2][0][0]
        for a in found
    ]
    process = fit_additive_gp(
        SPACE, found, np.array(labels, dtype=float), AdditiveRecipe(samples=4, rows=60, radial=False)
    )
    assert process.interaction_variance > 1e-3
    return process


def test_sums_and_pairs_are_the_prediction(process):
    assert process.exact_pairs
    pairs = process.pairs(CODES)
    added = pairs.values(PICKS)
    assert np.ptp(added) > 0.05
    total = process.sums(architectures(PICKS)) + added
    expected = process.predict(architectures(PICKS))[0]
    assert process.labels_at(total) == pytest.approx(expected)
    assert process.sums(architectures(PICKS)) != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("stage", range(len(SPACE.stages)))
def test_swaps_are_values_of_changed_picks(process, stage):
    pairs = process.pairs(CODES)
    found = pairs.swaps(PICKS, stage)
    assert found.shape == (len(PICKS), len(MODULES[stage]))
    for module in range(len(MODULES[stage])):
        changed = PICKS.copy()
        changed[:, stage] = module
        assert found[:, module] == pytest.approx(pairs.values(changed), abs=1e-12)


def test_without_interactions_pairs_add_nothing(process):
    pairs = replace(process, interaction_variance=0.0).pairs(CODES)
    assert not pairs.values(PICKS).any()
    assert pairs.swaps(PICKS, 1).shape == (len(PICKS), len(MODULES[1]))
    assert not pairs.swaps(PICKS, 1).any()
    assert Pairs.none([2, 3]).swaps(np.array([[1, 2]]), 0).shape == (1, 2)
