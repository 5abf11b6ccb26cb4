"""Search with an evaluator that fails in a part of the space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbuild.search import SearchSettings, parse_goal, search
from nasbuild.space import Metric, enumerate_architectures, space_from_dict

STAGE = {"depth": [1, 2], "features": {"width": [16, 32, 64, 128]}}
SPACE = space_from_dict({"name": "failing", "stages": [{"name": f"s{n}", **STAGE} for n in range(3)]})
GOAL = parse_goal(SPACE, ["acc"], [], {"acc": Metric("acc", "maximize")})
SETTINGS = SearchSettings(budget=120, population=30)


def width(architecture):
    return sum(layer[0] for module in architecture.modules for layer in module)


MOST = float(np.quantile([width(a) for a in enumerate_architectures(SPACE)], 2 / 3))
BEST = max(width(a) for a in enumerate_architectures(SPACE) if width(a) <= MOST)


def evaluate(architectures):
    """More is better, but a third is too much."""
    return [{"acc": None if width(a) > MOST else float(width(a))} for a in architectures]


@pytest.mark.parametrize("seed", range(3))
def test_later_generations_rarely_fail_and_approach_the_best(seed, monkeypatch):
    found = search(SPACE, evaluate, GOAL, replace(SETTINGS, seed=seed))
    failed = np.isnan(found.values[:, 0])
    assert failed[found.generation == 0].mean() > 0.15
    assert failed[found.generation > 0].mean() <= 0.2
    assert np.nanmax(found.values) >= 0.97 * BEST
    monkeypatch.setattr("nasbuild.search._search_loop.fit_failures", lambda *_: None)
    blind = search(SPACE, evaluate, GOAL, replace(SETTINGS, seed=seed))
    first = found.generation == 0
    assert np.array(blind.architectures)[first].tolist() == np.array(found.architectures)[first].tolist()
    assert np.isnan(blind.values[blind.generation > 0]).mean() > failed[found.generation > 0].mean()


def test_without_failures_nothing_changes(monkeypatch):
    def fine(architectures):
        return [{"acc": float(width(a))} for a in architectures]

    found = search(SPACE, fine, GOAL, SETTINGS)
    monkeypatch.setattr("nasbuild.search._search_loop.fit_failures", lambda *_: None)
    assert search(SPACE, fine, GOAL, SETTINGS).architectures == found.architectures
