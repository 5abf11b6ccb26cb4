"""Fronts with deep stages against the predictions of all architectures."""

from __future__ import annotations

from dataclasses import replace

import moocore
import numpy as np
import pytest
from deep_samples import deep_space, deep_table

from nasbuild.builder import Bound, build_front, build_within
from nasbuild.predictor import recipe
from nasbuild.score import fit, score_stages
from nasbuild.space import enumerate_architectures


def loss(codes: np.ndarray) -> float:
    width = codes[:, 0] + 1
    return float(
        4 - np.log(width * np.linspace(0.5, 2, len(width))).sum() / 6 + 0.02 * (width[1:] < width[:-1]).sum()
    )


def latency(codes: np.ndarray) -> float:
    # Wide layers in a row no longer fit a cache.
    width = codes[:, 0] + 1.0
    return float(
        1 + width.sum() + 0.4 * (width**2).sum() + 2 * np.maximum(width[1:] * width[:-1] - 4, 0).sum()
    )


@pytest.fixture(scope="module")
def fitted():
    space = deep_space([5, 3], 3, ["loss", "latency", "params"])
    values = {"loss": loss, "latency": latency, "params": lambda codes: float((codes[:, 0] + 1).sum())}
    few = recipe("default", samples=4, folds=2, iterations=40)
    whole = fit(deep_table(space, 150, values, seed=3), ["loss", "latency"], recipe=few, baselines=False)
    parts = tuple(
        replace(one, stages=tuple(score_stages(one.scorer, max_modules=20))) for one in whole.targets
    )
    return replace(whole, targets=parts, max_modules=20)


@pytest.fixture(scope="module")
def everything(fitted):
    """Predictions of all architectures, to be small, (architectures, targets), and their parameters."""
    every = list(enumerate_architectures(fitted.space))
    value = np.column_stack([one.scorer.predict(every)[0] for one in fitted.targets])
    return value, np.array([sum(layer[0] for m in a for layer in m) for a in every])


@pytest.mark.parametrize(
    "bounds", [(), (Bound("params", 1, 15),), (Bound("params", 1, 18), Bound("latency", 1, 60))]
)
def test_a_front_reaches_the_hypervolume_of_all_predictions(fitted, everything, bounds):
    assert all(stage.searched for one in fitted.targets for stage in one.stages)
    value, params = everything
    inside = np.ones(len(params), dtype=bool)
    for bound in bounds:
        inside &= (params if bound.name == "params" else value[:, 1]) <= bound.value
    front = build_front(fitted, 200, bounds=bounds)
    volumes = [
        moocore.hypervolume(-v, ref=-value.max(axis=0), maximise=True)
        for v in (front.prediction, value[inside])
    ]
    assert 0.99 * volumes[1] <= volumes[0] <= volumes[1] * (1 + 1e-9)
    assert all(sum(layer[0] for m in a for layer in m) <= 18 for a in front.architectures if bounds)
    # No hole: neighbours on the front are never much further apart than on that of all.
    best = value[inside][moocore.is_nondominated(value[inside], keep_weakly=False)]
    gap, most = (np.diff(np.sort(v[:, 1])).max() for v in (front.prediction, best))
    assert gap <= 2 * most


def test_under_four_bounds_a_deep_stage_equals_many_stages(fitted, everything):
    value, params = everything
    bounds = [
        Bound("params", 1, 17),
        Bound("params", -1, 13),
        Bound("latency", 1, 70),
        Bound("layers", 1, 8),
    ]
    found = build_within(fitted, "loss", 5, bounds)
    assert found.built
    sums = np.column_stack(
        [one.scorer.shares(list(enumerate_architectures(fitted.space))).sum(axis=1) for one in fitted.targets]
    )
    inside = (params <= 17) & (params >= 13) & (sums[:, 1] <= fitted.of("latency").scorer.sum_at(70) + 1e-9)
    assert [one.score for one in found.built] == pytest.approx(np.sort(sums[inside, 0])[:5], abs=1e-8)
    assert value[inside].size
