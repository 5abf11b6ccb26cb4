"""The front of sums against all picks."""

from __future__ import annotations

import itertools

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbuild.builder import _additive_front
from nasbuild.builder._additive_front import additive_front


@st.composite
def scores(draw):
    """Worth of a few modules of a few stages; whole numbers, so that sums tie."""
    targets = draw(st.integers(2, 3))
    row = st.tuples(*[st.integers(-4, 4)] * targets)
    stages = draw(st.lists(st.lists(row, min_size=1, max_size=4), min_size=1, max_size=4))
    return [np.array(own, dtype=float) for own in stages]


@settings(deadline=None)
@given(scores())
def test_it_contains_each_nondominated_sum_once(worth):
    every = np.array([sum(rows) for rows in itertools.product(*worth)])
    above, equal = every[:, None] >= every[None], every[:, None] == every[None]
    best = {
        tuple(a) for a, lost in zip(every, (above.all(-1) & ~equal.all(-1)).any(0), strict=True) if not lost
    }
    picks = additive_front(worth)
    assert picks is not None
    found = [tuple(sum(own[i] for own, i in zip(worth, pick, strict=True))) for pick in picks]
    assert len(found) == len(set(found))
    assert set(found) == best
    assert picks.tolist() == sorted(picks.tolist())


def test_more_than_three_targets_return_none():
    assert additive_front([np.zeros((2, 4))]) is None


@pytest.mark.parametrize(("targets", "most", "share"), [(2, 2_000, 0.99), (3, 6_000, 0.95)])
def test_a_long_front_is_thinned(monkeypatch, targets, most, share):
    rng = np.random.default_rng(1)
    # Nothing in a stage beats anything else in it.
    worth = [np.abs(rng.normal(size=(50, targets))) for _ in range(4)]
    worth = [own / np.linalg.norm(own, axis=1, keepdims=True) * (u + 1) for u, own in enumerate(worth)]
    whole = additive_front(worth)
    monkeypatch.setattr(_additive_front, "_MAX_SUMS", most)
    some = additive_front(worth)
    assert whole is not None
    assert some is not None
    assert len(some) < len(whole)
    every, found = (sum(own[picks[:, u]] for u, own in enumerate(worth)) for picks in (whole, some))
    assert moocore.is_nondominated(found, maximise=True).all()
    assert found.max(axis=0) == pytest.approx(every.max(axis=0))
    low = every.min(axis=0)
    volume = [moocore.hypervolume(v, ref=low, maximise=True) for v in (found, every)]
    assert share < volume[0] / volume[1] <= 1 + 1e-9


@pytest.mark.parametrize("targets", [2, 3])
def test_a_front_of_large_stages_contains_the_best_of_weighted_sums(targets):
    rng = np.random.default_rng(0)
    worth = [rng.normal(size=(60 if targets == 2 else 12, targets)) for _ in range(4)]
    picks = additive_front(worth)
    assert picks is not None
    sums = sum(own[picks[:, u]] for u, own in enumerate(worth))
    for weights in rng.dirichlet(np.ones(targets), 50):
        best = sum((own @ weights).max() for own in worth)
        assert (sums @ weights).max() == pytest.approx(best)
