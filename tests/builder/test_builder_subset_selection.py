"""Hypervolume subset selection against all subsets."""

from __future__ import annotations

from itertools import combinations

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.builder._subset_selection import largest_hypervolume

POINTS = st.lists(st.lists(st.integers(1, 30), min_size=3, max_size=3), min_size=1, max_size=9)


def front(points, targets):
    values = np.unique(np.array(points, dtype=float)[:, :targets], axis=0)
    return values[moocore.is_nondominated(values, maximise=True, keep_weakly=False)]


def volume(values, low):
    return moocore.hypervolume(values, ref=low, maximise=True)


@given(POINTS, st.integers(1, 5), st.integers(0, 1))
def test_two_targets_are_optimal(points, n, low):
    values, low = front(points, 2), np.full(2, float(low))
    chosen = largest_hypervolume(values, n, low)
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) == min(n, len(values))
    best = max(volume(values[list(some)], low) for some in combinations(range(len(values)), len(chosen)))
    assert volume(values[chosen], low) == pytest.approx(best)


@given(POINTS, st.integers(1, 5))
def test_more_targets_remove_the_smallest_contribution(points, n):
    values, low = front(points, 3), np.zeros(3)
    chosen = largest_hypervolume(values, n, low)
    left = list(range(len(values)))
    while len(left) > n:
        # Of equal losses either may go; then what stays is compared, not which.
        left.remove(max(left, key=lambda i: volume(values[[j for j in left if j != i]], low)))
    assert len(set(chosen.tolist())) == len(left)
    every = [volume(values[list(some)], low) for some in combinations(range(len(values)), len(left))]
    assert volume(values[chosen], low) >= 0.8 * max(every)
    if len(values) == n + 1:
        assert volume(values[chosen], low) == pytest.approx(max(every))


def test_hypervolume_prefers_the_knee():
    values = np.array([[10.0, 1.0], [9.0, 9.0], [8.9, 9.1], [1.0, 10.0]])
    assert largest_hypervolume(values, 1, np.zeros(2)).tolist() == [1]
    assert largest_hypervolume(values, 3, np.zeros(2)).tolist() in ([0, 1, 3], [0, 2, 3])
