"""Lazy k-best sums, against enumeration."""

from __future__ import annotations

from itertools import islice, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import nasbuild.builder._k_best_sums as best
from nasbuild.builder import k_best_sums
from strategies import relaxed

ties = st.integers(-2, 2).map(float)
columns = st.lists(
    st.lists(ties | st.floats(-1e9, 1e9), min_size=1, max_size=5).map(
        lambda v: np.array(sorted(v, reverse=True))
    ),
    min_size=1,
    max_size=4,
)


def summed(columns, positions) -> float:
    total = 0.0
    for column, position in zip(columns, positions, strict=True):
        total += float(column[position])
    return total


@given(columns)
@relaxed
def test_all_combinations_come_by_sum_then_by_position(columns):
    everything = product(*(range(len(column)) for column in columns))
    expected = sorted(((summed(columns, p), p) for p in everything), key=lambda e: (-e[0], e[1]))
    assert [(total, positions) for total, positions in k_best_sums(columns)] == expected


def test_no_columns_make_one_empty_sum_and_an_empty_column_none():
    assert list(k_best_sums([])) == [(0.0, ())]
    assert list(k_best_sums([np.array([1.0]), np.array([])])) == []


def pushes(monkeypatch, columns, n: int) -> int:
    """How many states are put on the heap for the first ``n`` sums."""
    count = 0
    plain = best.heapq.heappush

    def counting(heap, state):
        nonlocal count
        count += 1
        plain(heap, state)

    with monkeypatch.context() as patch:
        patch.setattr(best.heapq, "heappush", counting)
        assert len(list(islice(k_best_sums(columns), n))) == n
    return count


def test_work_grows_with_what_is_taken_not_with_the_space(monkeypatch):
    rng = np.random.default_rng(0)
    small, large = ([np.sort(rng.normal(size=size))[::-1] for _ in range(10)] for size in (20, 7_371))
    for columns in (small, large):
        for n in (1, 100, 1_000):
            assert pushes(monkeypatch, columns, n) <= 10 * n
    # Ties everywhere are no trap either.
    assert pushes(monkeypatch, [np.zeros(7_371)] * 10, 1_000) <= 10 * 1_000
