"""Hypervolume against its definition, and what counts as within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from search_samples import METRICS

from nasbuild.search import parse_goal
from nasbuild.search._goal import Box
from nasbuild.space import Metric, load_space

SPACE = load_space("digits-macro")


@pytest.mark.parametrize("targets", [1, 2, 3])
def test_the_volume_is_the_dominated_share_of_the_box(targets):
    rng = np.random.default_rng(targets)
    first = rng.normal(size=(20, targets)) * [1.0, 50.0, 0.01][:targets]
    box = Box.of(first)
    later = first + rng.normal(size=first.shape) * first.std(axis=0) * 0.3
    points = first.max(axis=0) - 1.5 * np.ptp(first, axis=0) * rng.random((200_000, targets))
    beaten = (later[:, None] <= points[None]).all(axis=2).any(axis=0)
    assert box.volume(later) == pytest.approx(beaten.mean() * 1.5**targets, abs=0.01)


def test_the_box_ignores_failures_and_constant_targets():
    box = Box.of(np.array([[1.0, 5.0], [2.0, 5.0], [np.nan, 0.0]]))
    assert box.volume(np.array([[1.5, 4.0]])) == pytest.approx(0.5)
    assert Box.of(np.full((3, 2), np.nan)).volume(np.array([[1.0, 1.0]])) == 0
    assert box.volume(np.zeros((0, 2))) == 0


def test_a_target_named_layers_is_measured():
    metrics = {**METRICS, "layers": Metric("layers", "minimize")}
    assert parse_goal(SPACE, ["layers"], ["cost <= 2"], metrics).metrics == ("layers", "cost")
    assert parse_goal(SPACE, ["worth"], ["layers <= 2"], metrics).metrics == ("worth",)


def test_unknown_values_are_not_within_bounds():
    goal = parse_goal(SPACE, ["worth", "-cost"], ["cost <= 2", "worth >= 0.5"], METRICS)
    assert goal.metrics == ("worth", "cost")
    columns = {
        "worth": np.array([1.0, 1.0, 0.4, np.nan, 1.0]),
        "cost": np.array([2.0, 2.1, 1.0, 1.0, np.nan]),
    }
    assert goal.within(columns).tolist() == [True, False, False, False, False]
    excess = goal.excess(columns)
    assert excess[:3] == pytest.approx(np.array([[0, -1], [0.05, -1], [-0.5, 0.2]]))
    values = goal.values(columns)
    assert values[0].tolist() == [1.0, -2.0]
    # An equation is maximised, like a metric that is to be large.
    assert goal.losses(values)[0].tolist() == [-1.0, 2.0]
