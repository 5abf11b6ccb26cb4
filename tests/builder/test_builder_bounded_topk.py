"""The best picks under bounds against brute force and integer programs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import nasbuild.builder._bounded_topk as bounded
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._dual_prices import price_bounds
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._swapped_picks import swapped_picks


@st.composite
def problems(draw) -> Problem:
    """Whole numbers, so that ties and bounds met exactly are common."""
    stages, bounds = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    sizes = draw(st.lists(st.integers(1, 5), min_size=stages, max_size=stages))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = tuple(rng.integers(-9, 9, s).astype(float) for s in sizes)
    costs = tuple(rng.integers(-3, 9, (s, bounds)).astype(float) for s in sizes)
    return Problem(scores, costs, rng.integers(-4, 20, bounds).astype(float))


def brute(problem: Problem, n: int, apart: int) -> list[tuple[int, ...]]:
    every = []
    for pick in product(*(range(len(s)) for s in problem.scores)):
        cost = sum((c[p] for c, p in zip(problem.costs, pick, strict=True)), np.zeros(len(problem.bounds)))
        if (cost <= problem.bounds).all():
            every.append((-sum(s[p] for s, p in zip(problem.scores, pick, strict=True)), pick))
    kept: list[tuple[int, ...]] = []
    for _, pick in sorted(every):
        if len(kept) < n and all(sum(a != b for a, b in zip(pick, k, strict=True)) >= apart for k in kept):
            kept.append(pick)
    return kept


@settings(deadline=None, max_examples=150)
@given(problems(), st.integers(1, 30), st.integers(1, 3))
def test_picks_match_brute_force(problem, n, apart):
    found = bounded_topk(problem, n, apart)
    assert [tuple(p) for p in found.picks.tolist()] == brute(problem, n, apart)
    assert found.n_proven == len(found)


@settings(deadline=None, max_examples=40)
@given(problems(), st.integers(1, 5))
def test_integer_programs_find_the_same_values(problem, n):
    expected = brute(problem, n, 1)
    nothing = np.empty((0, problem.stages), dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "_MAX_PROGRAMS", 99)
        found = bounded._solve_programs(problem, n, 1, nothing, 0).picks
    assert problem.feasible(found).all()
    assert problem.values(found) == pytest.approx(
        problem.values(np.array(expected, int).reshape(found.shape))
    )
    assert len({tuple(p) for p in found.tolist()}) == len(found)


@pytest.mark.parametrize("count", [1, 2])
def test_the_limit_of_a_value_is_that_of_the_linear_relaxation(count):
    rng = np.random.default_rng(count)
    for stages in (1, 3, 6):
        sizes = rng.integers(2, 9, stages)
        scores, costs = (tuple(rng.normal(size=(s, *more)) for s in sizes) for more in ((), (count,)))
        limit = sum(c.mean(axis=0) for c in costs)
        priced = price_bounds(Problem(scores, costs, limit))
        # The share of every module, those of a stage with sum 1.
        one_each = np.repeat(np.eye(stages), sizes, axis=1)
        oracle = linprog(
            -np.concatenate(scores),
            A_ub=np.concatenate(costs).T,
            b_ub=limit,
            A_eq=one_each,
            b_eq=[1] * stages,
        )
        assert priced is not None
        assert priced[1] == pytest.approx(-oracle.fun, abs=1e-6)


def test_integer_programs_take_over_if_there_are_too_many_picks(monkeypatch):
    rng = np.random.default_rng(0)
    problem = Problem(
        tuple(rng.normal(size=12) for _ in range(4)),
        tuple(rng.normal(size=(12, 2)) for _ in range(4)),
        np.array([-1.0, -2.0]),
    )
    expected = bounded_topk(problem, 20).picks
    assert len(expected) == 20
    monkeypatch.setattr(bounded, "_MAX_COMBINATIONS", 60)
    found = bounded_topk(problem, 20)
    assert 1 <= found.n_proven < 20
    assert found.picks[: found.n_proven].tolist() == expected[: found.n_proven].tolist()
    assert problem.feasible(found.picks).all()
    assert len({tuple(p) for p in found.picks.tolist()}) == len(found)


def test_each_pick_differs_from_all_earlier_ones():
    problem = Problem(tuple(np.array([3.0, 2, 1]) for _ in range(3)), (np.zeros((3, 0)),) * 3, np.zeros(0))
    found = bounded_topk(problem, 99, apart=3)
    assert found.picks.tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_an_infeasible_bound_gives_no_picks():
    problem = Problem((np.ones(3),), (np.arange(3.0)[:, None],), np.array([-1.0]))
    assert len(bounded_topk(problem, 5)) == 0
    # Feasible for fractions of modules only.
    problem = Problem(
        (np.array([0.0, 1.0]),) * 2,
        (np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros((2, 2))),
        np.array([0.5, 0.5]),
    )
    assert len(bounded_topk(problem, 5)) == 0


def test_unproven_picks_are_not_counted_as_proven(monkeypatch):
    # Five bounds that have nothing to do with each other, in a space of 10^11: prices leave a wide gap.
    rng = np.random.default_rng(1)
    scores = tuple(rng.normal(size=150) for _ in range(5))
    costs = tuple(s[:, None] * rng.uniform(0.2, 1, 5) + rng.normal(size=(150, 5)) for s in scores)
    problem = Problem(scores, costs, np.full(5, 1.0))
    monkeypatch.setattr(bounded, "_MAX_COMBINATIONS", 100_000)
    found = bounded_topk(problem, 100)
    assert 1 <= found.n_proven < len(found) == 100
    assert problem.feasible(found.picks).all()
    values = problem.values(found.picks)
    assert (np.diff(values) <= 1e-9).all()
    monkeypatch.undo()
    # With more patience all are proven, and the first one was right.
    sure = bounded_topk(problem, 100)
    assert sure.n_proven == 100
    assert problem.values(sure.picks)[0] == pytest.approx(values[0])
    assert (problem.values(sure.picks) >= values - 1e-9).all()


@settings(deadline=None, max_examples=60)
@given(problems(), st.integers(1, 30))
def test_neighbours_of_a_pick_match_brute_force(problem, count):
    [pick] = brute(problem, 1, 1) or [None]
    if pick is None:
        return
    every = [
        p for p in brute(problem, 10_000, 1) if 1 <= sum(a != b for a, b in zip(p, pick, strict=True)) <= 2
    ]
    found = swapped_picks(problem, np.array(pick), count)
    assert problem.feasible(found).all()
    assert len({tuple(p) for p in found.tolist()} & set(every)) == len(found) == min(count, len(every))
    expected = np.sort([problem.values(np.array([p]))[0] for p in every])[::-1][:count]
    assert problem.values(found) == pytest.approx(expected)


def test_as_many_as_asked_for_are_found_where_far_too_many_are_nearly_best():
    """287 layers with equal costs: nothing can be listed, one programme proves the best, its neighbours follow."""
    rng = np.random.default_rng(0)
    scores = tuple(np.append(0.04 + 1e-4 * rng.normal(), 0.0) for _ in range(287))
    problem = Problem(scores, (np.array([[4.0], [3.0]]),) * 287, np.array([1004.0]))
    found = bounded_topk(problem, 20)
    assert len({tuple(p) for p in found.picks.tolist()}) == len(found) == 20
    assert problem.feasible(found.picks).all()
    # The best has the 143 largest gains; the second best swaps the least of these for the next one.
    gains = np.sort([own[0] for own in scores])[::-1]
    values = problem.values(found.picks)
    assert values[0] == pytest.approx(gains[:143].sum())
    assert values[1] == pytest.approx(gains[:142].sum() + gains[143])
    assert found.n_proven >= 1
