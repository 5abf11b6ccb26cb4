"""The front of sums against all picks there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.build import _sums
from nasbuild.build._sums import front_of_sums


@st.composite
def scores(draw):
    """Worth of a few modules of a few stages; whole numbers, so that sums tie."""
    targets = draw(st.integers(2, 3))
    row = st.tuples(*[st.integers(-4, 4)] * targets)
    stages = draw(st.lists(st.lists(row, min_size=1, max_size=5), min_size=1, max_size=4))
    return [np.array(own, dtype=float) for own in stages]


@given(scores())
def test_it_holds_every_sum_that_no_other_beats_once(worth):
    every = [
        sum(own[i] for own, i in zip(worth, pick, strict=True))
        for pick in itertools.product(*(range(len(own)) for own in worth))
    ]
    best = {tuple(a) for a in every if not any((b >= a).all() and (b > a).any() for b in every)}
    picks = front_of_sums(worth)
    assert picks is not None
    found = [tuple(sum(own[i] for own, i in zip(worth, pick, strict=True))) for pick in picks]
    assert len(found) == len(set(found))
    assert set(found) == best
    assert picks.tolist() == sorted(picks.tolist())


def test_what_is_too_large_is_not_listed(monkeypatch):
    worth = [np.array([[0.0, 1.0], [1.0, 0.0]])] * 3
    picks = front_of_sums(worth)
    assert picks is not None
    assert len(picks) == 4
    monkeypatch.setattr(_sums, "_MOST_POINTS", 5)
    assert front_of_sums(worth) is None
    assert front_of_sums([np.zeros((2, 4))]) is None


@pytest.mark.parametrize("targets", [2, 3])
def test_a_front_of_large_stages_holds_the_best_of_all_weighted_sums(targets):
    rng = np.random.default_rng(0)
    worth = [rng.normal(size=(60 if targets == 2 else 12, targets)) for _ in range(4)]
    picks = front_of_sums(worth)
    assert picks is not None
    sums = sum(own[picks[:, u]] for u, own in enumerate(worth))
    for weights in rng.dirichlet(np.ones(targets), 50):
        best = sum((own @ weights).max() for own in worth)
        assert (sums @ weights).max() == pytest.approx(best)
