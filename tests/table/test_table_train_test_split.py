"""Splits into training and held-out rows are disjoint and complete."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import TableError
from nasbuild.table import k_fold, random_split, stratified_split
from strategies import relaxed

SHARES = st.floats(0.001, 0.999)
SEEDS = st.integers(0, 2**32 - 1)


def check(n: int, learn: np.ndarray, test: np.ndarray) -> None:
    """Disjoint, complete, ascending, none of them empty."""
    assert sorted([*learn, *test]) == list(range(n))
    assert len(learn) > 0
    assert len(test) > 0
    assert (np.diff(learn) > 0).all()
    assert (np.diff(test) > 0).all()
    assert learn.dtype.kind == test.dtype.kind == "i"


@relaxed
@given(st.integers(2, 300), SHARES, SEEDS)
def test_a_random_split_holds_out_its_share(n: int, share: float, seed: int):
    learn, test = random_split(n, share, np.random.default_rng(seed))
    check(n, learn, test)
    assert abs(len(test) - n * share) <= 1
    again = random_split(n, share, np.random.default_rng(seed))
    np.testing.assert_array_equal(again[1], test)


def test_random_splits_differ_and_hold_out_every_row_equally_often():
    counts = np.zeros(20)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        counts[random_split(20, 0.25, rng)[1]] += 1
    # Mean 500, standard deviation 19.
    assert counts.min() > 400
    assert counts.max() < 600


@relaxed
@given(st.lists(st.floats(-1e9, 1e9) | st.sampled_from([1.0, 2.0]), min_size=2, max_size=200), SHARES, SEEDS)
def test_a_stratified_split_is_spread_over_the_labels(labels: list[float], share: float, seed: int):
    values = np.array(labels)
    learn, test = stratified_split(values, share, np.random.default_rng(seed))
    check(len(values), learn, test)
    assert abs(len(test) - len(values) * share) <= 1
    # However the labels are cut, as many are held out of the lower part as its share, up to one.
    ranks = np.empty(len(values), dtype=int)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    held = np.sort(ranks[test])
    for cut in range(len(values) + 1):
        assert abs((held < cut).sum() - cut * len(test) / len(values)) <= 1 + len(test) / len(values)
    again = stratified_split(values, share, np.random.default_rng(seed))
    np.testing.assert_array_equal(again[1], test)


@pytest.mark.parametrize(("n", "share"), [(20, 0.25), (13, 0.75), (19, 0.1), (7, 0.5)])
def test_stratified_splits_hold_out_every_row_equally_often(n: int, share: float):
    counts = np.zeros(n)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        counts[stratified_split(np.arange(float(n))[::-1], share, rng)[1]] += 1
    expected = 2000 * round(n * share) / n
    assert counts.min() > expected * 0.75
    assert counts.max() < min(expected * 1.25, 2000)


@relaxed
@given(st.integers(2, 12), st.integers(0, 100), SEEDS)
def test_folds_hold_out_each_row_once(folds: int, more: int, seed: int):
    n = folds + more
    splits = k_fold(n, folds, np.random.default_rng(seed))
    assert len(splits) == folds
    for learn, test in splits:
        check(n, learn, test)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(n))
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1
    again = k_fold(n, folds, np.random.default_rng(seed))
    for one, other in zip(splits, again, strict=True):
        np.testing.assert_array_equal(one[1], other[1])


def test_folds_are_random():
    rng = np.random.default_rng(0)
    first = {tuple(k_fold(10, 5, rng)[0][1]) for _ in range(30)}
    assert len(first) > 10


@pytest.mark.parametrize("share", [0, 1, -0.1, 10, float("nan")])
def test_a_share_is_between_0_and_1(share: float):
    message = f"{share} is not a share of rows to hold out; allowed: a number between 0 and 1"
    for split in (random_split, lambda n, *a: stratified_split(np.arange(float(n)), *a)):
        with pytest.raises(TableError) as caught:
            split(10, share, np.random.default_rng(0))
        assert str(caught.value) == message


def test_too_few_rows():
    rng = np.random.default_rng(0)
    for few in (
        lambda: random_split(1, 0.5, rng),
        lambda: stratified_split(np.array([1.0]), 0.5, rng),
        lambda: k_fold(1, 2, rng),
    ):
        with pytest.raises(TableError, match="the table has 1 usable rows, at least 2 are needed to hold"):
            few()
    with pytest.raises(TableError, match="the table has 3 usable rows, at least 4"):
        k_fold(3, 4, rng)
    with pytest.raises(TableError, match="1 folds; allowed: 2 or more"):
        k_fold(3, 1, rng)


def test_smallest_splits():
    for share in (0.01, 0.99):
        learn, test = random_split(2, share, np.random.default_rng(0))
        assert sorted([*learn, *test]) == [0, 1]
        assert len(test) == 1
