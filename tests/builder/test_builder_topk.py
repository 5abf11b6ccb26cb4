"""The best architectures of any scores, against listing them all."""

from __future__ import annotations

import math
from itertools import islice, product

import numpy as np
import pytest
from builder_samples import made_up
from hypothesis import assume, given
from hypothesis import strategies as st

import nasbuild.builder._k_best_sums as best
from nasbuild.builder import SELECTION_STD_FACTOR, build, count_buildable, k_best_sums
from nasbuild.space import contains, count_architectures, encode, load_space
from strategies import relaxed, spaces

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


@given(
    spaces(most_stages=2, most_modules=20),
    st.integers(0, 99),
    st.booleans(),
    st.booleans(),
    st.integers(1, 30),
)
@relaxed
def test_the_best_of_any_space_are_built(space, seed, minimize, ties, n):
    assume(count_architectures(space) <= 3_000)
    target_fit = made_up(space, seed, minimize=minimize, ties=ties)
    built = build(target_fit, n)
    sums = [sum(c) for c in product(*(stage.score.tolist() for stage in target_fit.stages))]
    expected = sorted(sums, reverse=not minimize)[:n]
    assert [b.score for b in built] == pytest.approx(expected)
    assert len({b.architecture for b in built}) == len(built) == min(n, len(sums))
    for b in built:
        assert contains(space, b.architecture)
        assert b.score == pytest.approx(sum(b.shares))
        assert all(type(v) is float for v in (b.score, *b.shares, b.prediction, b.std))
        for stage, module, share in zip(target_fit.stages, b.architecture, b.shares, strict=True):
            ranks = [r for r in range(len(stage)) if stage.module(space, r) == module]
            assert share in [stage.score[r] for r in ranks]
    # A minimised target's scores ascend, a maximised one's descend; never by a rounding the other way.
    ordered = [b.score for b in built]
    assert ordered == sorted(ordered, reverse=not minimize)


@given(spaces(), st.integers(0, 99), st.booleans(), st.integers(1, 3))
@relaxed
def test_k_modules_a_stage_make_k_to_the_stages(space, seed, minimize, k):
    target_fit = made_up(space, seed, minimize=minimize)
    possible = math.prod(min(k, len(stage)) for stage in target_fit.stages)
    built = build(target_fit, 10_000, k=k)
    assert len(built) == possible
    for u, stage in enumerate(target_fit.stages):
        ends = range(len(stage))[-k:] if minimize else range(len(stage))[:k]
        assert {b.architecture.modules[u] for b in built} == {stage.module(space, r) for r in ends}


def test_predictions_are_the_ensembles():
    space = load_space("nas-bench-macro")
    target_fit = made_up(space, 3)
    built = build(target_fit, 20)
    value, std = target_fit.scorer.ensemble.predict(encode(space, [b.architecture for b in built]))
    assert [b.prediction for b in built] == pytest.approx(value.tolist(), rel=1e-6)
    assert [b.std for b in built] == pytest.approx((SELECTION_STD_FACTOR * std).tolist(), rel=1e-6)
    assert np.ptp(value) > 0


@given(spaces(), st.integers(0, 9))
@relaxed
def test_what_can_be_built_is_counted(space, seed):
    assert count_buildable(made_up(space, seed)) == count_architectures(space)
    searched = made_up(space, seed, kept=2)
    assert count_buildable(searched) == math.prod(len(stage) for stage in searched.stages)
    if count_buildable(searched) < 300:
        assert len(build(searched, 301)) == count_buildable(searched)


def test_a_large_space_is_counted_exactly():
    assert count_buildable(made_up(load_space("ofa-mobilenet-v3"), 0)) == 7_371**5
