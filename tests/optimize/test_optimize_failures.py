"""The loop with an evaluator that fails in a part of the space."""

from __future__ import annotations

import json

import numpy as np
import pytest
from optimize_samples import MEMORY, space, yearning

from nasbuild.optimize import BUILT, FAILURE_LIMITS, PROPOSED, RANDOM, LoopSettings
from nasbuild.score import load_fit
from nasbuild.space import enumerate_architectures, to_dict

SPACE = space(depths=(1, 2, 3))
TRUE = {a: yearning(to_dict(SPACE, a)) for a in enumerate_architectures(SPACE)}


def settings(seed, rounds=2):
    return LoopSettings(rounds=rounds, batch=10, first=24, seed=seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_later_rounds_mostly_succeed_and_report_expected_failures(loop, tmp_path, seed):
    end = loop(settings(seed), function="hungry", of=SPACE)
    found = end.evaluated
    fails = np.array([TRUE[a]["cost"] > MEMORY for a in found.architectures])
    assert found.known.tolist() == (~fails).tolist()
    first, later = fails[found.rounds == 0], fails[found.rounds > 0]
    assert 0.25 < first.mean() < 0.75
    assert later.mean() <= 0.3
    # One of the sixteen best of those that don't fail; the best of all do.
    possible = sorted(v["loss"] for v in TRUE.values() if v["cost"] <= MEMORY)
    assert (
        min(v["loss"] for v in TRUE.values()) < possible[0] <= np.nanmin(found.values[:, 0]) <= possible[15]
    )
    assert end.failures is not None
    assert end.failures.failed == fails.sum()
    told = json.loads((tmp_path / "out" / "loop.json").read_text())
    asked = [row["failing"] for one in told["rounds"] for row in one["asked"]]
    assert asked[:24] == [None] * 24
    assert [np.nan if f is None else f for f in asked] == pytest.approx(found.failing.tolist(), nan_ok=True)
    for one in found.summaries:
        own = found.failing[found.rounds == one.number]
        assert one.expected == pytest.approx(own.sum(), nan_ok=True)
    known = ~np.isnan(found.failing)
    assert known[found.rounds > 1].all()
    for why, most in zip((BUILT, PROPOSED), FAILURE_LIMITS, strict=True):
        own = found.failing[known & (np.array(found.origins) == why)]
        assert len(own)
        assert (own <= most + 1e-9).all()
    # The run folder is that of the fit, as ever.
    assert load_fit(tmp_path / "out" / "fit").failures is None


def test_a_stopped_loop_with_failures_ends_the_same(loop, tmp_path):
    class Stopped(Exception):
        pass

    def stop(state):
        if len(state.evaluated.summaries) > 1:
            raise Stopped

    loop(settings(2), function="hungry", of=SPACE, out="whole", store="whole.db")
    with pytest.raises(Stopped):
        loop(settings(2), function="hungry", of=SPACE, on_round=stop)
    loop(settings(2), function="hungry", of=SPACE)
    one, other = (json.loads((tmp_path / name / "loop.json").read_text()) for name in ("out", "whole"))
    for content in (one, other):
        del content["versions"]
    assert one == other


def test_random_failures_change_nothing(loop):
    end = loop(settings(3), function="unlucky", of=SPACE)
    found = end.evaluated
    assert (~found.known).any()
    assert end.failures is None
    assert np.isnan(found.failing).all()
    assert np.isnan([one.expected for one in found.summaries]).all()
    assert np.nanmin(found.values[:, 0]) == pytest.approx(min(v["loss"] for v in TRUE.values()))


def test_failure_limits_combine_with_bounds_and_are_loosened(loop):
    end = loop(settings(1), function="hungry", of=SPACE, bounds=["layers <= 4"])
    assert end.failures is not None
    assert all(sum(map(len, a.modules)) <= 4 for a in end.evaluated.architectures)
    assert (~end.evaluated.known[end.evaluated.rounds > 0]).mean() <= 0.3


def test_risky_candidates_follow_once_safe_ones_are_exhausted(loop):
    # A third of 27 fails; in the end all are evaluated.
    small = space(depths=(1,), stages=3)
    end = loop(LoopSettings(rounds=2, batch=3, first=21, seed=3), function="hungry_for_c", of=small)
    found = end.evaluated
    assert end.exhausted
    assert set(found.architectures) == set(enumerate_architectures(small))
    rows = found.rounds > 0
    assert found.failing[rows].max() > FAILURE_LIMITS[1]


def test_random_rounds_avoid_likely_failures(loop):
    # A target that can't be learnt, as it is the same everywhere, leaves random rounds.
    end = loop(LoopSettings(rounds=1, batch=10, first=30, seed=1), function="hungry_and_flat", of=SPACE)
    found = end.evaluated
    assert set(found.origins) == {RANDOM}
    assert end.failures is not None
    assert (found.failing[found.rounds > 0] <= FAILURE_LIMITS[1]).all()
    assert (~found.known[found.rounds > 0]).mean() <= 0.2 < (~found.known[found.rounds == 0]).mean()
