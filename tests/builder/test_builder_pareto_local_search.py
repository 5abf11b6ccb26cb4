"""Pareto local search against all combinations of small tables."""

from __future__ import annotations

from itertools import combinations

import moocore
import numpy as np
import pytest
from builder_samples import EVERY, SIZES, predicted

from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._pareto_local_search import pareto_local_search


def slow_values(what: PairwisePrediction, pick: np.ndarray) -> list[float]:
    found = []
    for t, pair in enumerate(what.pairs):
        total = sum(what.scores[u][m, t] for u, m in enumerate(pick))
        for u, v in combinations(range(len(SIZES)), 2):
            total += pair.factors[u][pick[u]] @ pair.links[u, v] @ pair.factors[v][pick[v]]
        found.append(total)
    return found


def starts(what: PairwisePrediction, signs: np.ndarray, picks: np.ndarray = EVERY) -> np.ndarray:
    """The best picks by some weighted sums of scores."""
    sums = sum(score[picks[:, u], : len(signs)] for u, score in enumerate(what.scores)) * signs
    weights = np.random.default_rng(0).dirichlet(np.ones(len(signs)), 12)
    return picks[np.unique(np.argmax(sums @ weights.T, axis=0))]


def volume(values: np.ndarray, low: np.ndarray) -> float:
    return moocore.hypervolume(values, ref=low, maximise=True)


def test_values_and_swaps_are_sums_of_scores_and_pairs():
    what = predicted(0)
    picks = EVERY[::37]
    assert what.values(picks) == pytest.approx(np.array([slow_values(what, p) for p in picks]))
    for u in range(len(SIZES)):
        swapped = what.swaps(picks, u)
        for module in range(SIZES[u]):
            changed = picks.copy()
            changed[:, u] = module
            assert swapped[:, module] == pytest.approx(what.values(changed))


@pytest.mark.parametrize("targets", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_nearly_all_of_the_front_is_reached_from_additive_starts(seed, targets):
    what, signs = predicted(seed, targets), np.array([1.0, -1.0, 1.0])[:targets]
    begun = starts(what, signs)
    found = pareto_local_search(what, signs, begun)
    values, every = what.values(found) * signs, what.values(EVERY) * signs
    low = every.min(axis=0)
    assert moocore.is_nondominated(values, maximise=True).all()
    assert volume(values, low) > 0.99 * volume(every, low)
    before = volume(what.values(begun) * signs, low)
    assert volume(values, low) - before > 0.8 * (volume(every, low) - before)


@pytest.mark.parametrize("seed", range(4))
def test_bounds_on_costs_and_on_predictions_hold(seed):
    rng = np.random.default_rng(seed + 50)
    costs = tuple(np.column_stack([rng.integers(1, 9, size), np.zeros(size)]) for size in SIZES)
    plain = predicted(seed, 3)
    limit = float(np.median(plain.values(EVERY)[:, 2]))
    # The second bound is on the third target, which is to be at least that.
    what = predicted(seed, 3, costs=costs, upper=np.array([16.0, -limit]), on_targets=((2, -1, -limit),))
    spent = sum(cost[EVERY[:, u], 0] for u, cost in enumerate(costs))
    inside = EVERY[(spent <= 16) & (plain.values(EVERY)[:, 2] >= limit)]
    signs = np.array([1.0, -1.0])
    found = pareto_local_search(what, signs, starts(what, signs, inside))
    assert {tuple(p) for p in found.tolist()} <= {tuple(p) for p in inside.tolist()}
    values, every = plain.values(found)[:, :2] * signs, plain.values(inside)[:, :2] * signs
    low = every.min(axis=0)
    assert volume(values, low) > 0.98 * volume(every, low)


def test_starts_violating_target_bounds_are_used_if_there_are_no_others():
    plain = predicted(1)
    values = plain.values(EVERY)[:, 0]
    limit = float(values.min()) - 1
    costs = tuple(np.zeros((size, 1)) for size in SIZES)
    what = predicted(1, costs=costs, upper=np.array([limit]), on_targets=((0, 1, limit),))
    assert not what.within(what.values(EVERY)).any()
    assert len(pareto_local_search(what, np.array([1.0, -1.0]), EVERY[:1])) > 0
    # Its sums are within the bound, all that can be held.
    what = predicted(1, costs=costs, upper=np.array([0.0]), on_targets=((0, 1, 0.0),))
    beyond = EVERY[values > 0][:2]
    assert len(pareto_local_search(what, np.array([1.0, -1.0]), beyond)) > 2
