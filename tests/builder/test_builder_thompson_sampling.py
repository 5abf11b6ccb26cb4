"""Thompson sampling: each member's best by brute force, and its benefit over chance."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from builder_samples import QUICK

from nasbuild.builder import (
    SELECTION_STD_FACTOR,
    Bound,
    build,
    expected_values,
    propose,
    propose_within,
    within_bounds,
)
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import (
    Architecture,
    contains,
    count_architectures,
    enumerate_architectures,
    enumerate_modules,
    group_modules,
)
from nasbuild.table import load_builtin


@pytest.fixture(scope="module")
def table():
    return load_builtin("digits-macro")


@pytest.fixture(scope="module")
def fitted(table):
    return fit(table.select(range(0, 1728, 40)), ["loss", "acc"], recipe=QUICK["default"], baselines=False)


@pytest.mark.parametrize("target", ["loss", "acc"])
def test_members_take_turns_with_their_best(fitted, target):
    target_fit = fitted.of(target)
    scorer, sign = target_fit.scorer, target_fit.target.sign
    modules = [list(enumerate_modules(stage)) for stage in fitted.space.stages]
    stages = range(len(modules))
    each = [
        np.column_stack(
            [scorer.member_scores(u, fitted.space.stages[u].encode(m)[None])[:, 0] for m in modules[u]]
        )
        for u in stages
    ]
    passed, expected = set(scorer.architectures), []
    for member in [*range(scorer.members), *range(scorer.members)]:
        sums = {
            Architecture(tuple(modules[u][p] for u, p in enumerate(picks))): sign
            * sum(each[u][member, p] for u, p in enumerate(picks))
            for picks in product(*(range(len(m)) for m in modules))
        }
        best = max((a for a in sums if a not in passed), key=lambda a: sums[a])
        passed.add(best)
        expected.append(best)
    found = propose(target_fit, len(expected))
    assert [one.architecture for one in found] == expected
    for one in found[:5]:
        assert contains(fitted.space, one.architecture)
        assert one.shares == pytest.approx(scorer.shares([one.architecture])[0])
        assert one.score == pytest.approx(sum(one.shares))
        value, std = scorer.predict([one.architecture])
        assert (one.prediction, one.std) == (
            pytest.approx(value[0]),
            pytest.approx(SELECTION_STD_FACTOR * std[0]),
        )


@pytest.mark.parametrize("names", [("macs", "layers"), ("acc",)])
def test_members_take_turns_with_their_best_within_bounds(fitted, names):
    """By brute force: of all architectures within the bounds, the best sum of each member's scores."""
    target_fit, other = fitted.of("loss"), fitted.of("acc")
    every = list(enumerate_architectures(fitted.space))
    known = {name: expected_values(fitted, name, every)[0] for name in names}
    bounds = [
        Bound(name, -1 if name == "acc" else 1, float(np.nanquantile(v, 0.6))) for name, v in known.items()
    ]
    by_hand = np.all([b.sign * (known[b.name] - b.value) <= 1e-9 * abs(b.value) for b in bounds], axis=0)
    inside = within_bounds(fitted, every, bounds)
    assert inside.tolist() == by_hand.tolist()
    assert 20 < inside.sum() < 0.61 * len(every)
    for b in bounds:
        if b.name == "acc":
            # A bound on a target is held by the sums of scores as well.
            inside &= other.scorer.shares(every).sum(axis=1) >= other.scorer.sum_at(b.value) - 1e-9
    sums = np.zeros((target_fit.scorer.members, len(every)))
    for u in range(len(fitted.space.stages)):
        modules = group_modules(fitted.space, u, [a.modules[u] for a in every])
        sums -= modules.evaluate(lambda c, u=u: target_fit.scorer.member_scores(u, c).T, (len(sums),)).T
    passed, best = set(target_fit.scorer.architectures), []
    for member in range(8):
        new = [i for i, a in enumerate(every) if inside[i] and a not in passed]
        best.append(every[max(new, key=lambda i: sums[member, i])])
        passed.add(best[-1])
    assert [one.architecture for one in propose_within(fitted, "loss", 8, bounds)] == best


def test_proposals_within_bounds_end_with_the_space(fitted):
    every = list(enumerate_architectures(fitted.space))
    for bounds in ([Bound("layers", 1, 3)], [Bound("layers", 1, 2)]):
        wanted = within_bounds(fitted, every, bounds) & [a not in fitted.table.row_of for a in every]
        found = propose_within(fitted, "loss", 60, bounds)
        assert len(found) == min(60, wanted.sum())


def test_nothing_is_proposed_twice_until_the_space_ends(fitted):
    target_fit = fitted.of("loss")
    size = count_architectures(fitted.space)
    known = 30
    scorer = replace(target_fit.scorer, architectures=target_fit.scorer.architectures[:known])
    found = propose(replace(target_fit, scorer=scorer), size + 10)
    chosen = [one.architecture for one in found]
    assert len(chosen) == len(set(chosen)) == size - known
    assert not set(chosen) & set(scorer.architectures)


def test_network_recipes_propose_as_well(table):
    quick = recipe("paper", epochs=1, repeats=1)
    target_fit = fit(table.select(range(0, 1728, 40)), ["loss"], recipe=quick, baselines=False).of("loss")
    best = []
    for u, stage in enumerate(table.space.stages):
        modules = list(enumerate_modules(stage))
        scores = [target_fit.scorer.member_scores(u, stage.encode(m)[None])[0, 0] for m in modules]
        best.append(modules[int(np.argmin(scores))])
    assert propose(target_fit, 4)[0].architecture == Architecture(tuple(best))


def test_proposals_are_better_than_random(table):
    """Three rounds of eight: the mean label of what is proposed beats that of what is drawn."""
    labels = table.columns["loss"]
    rng = np.random.default_rng(0)
    rows = list(rng.permutation(len(table))[:24])
    for _ in range(3):
        target_fit = fit(table.select(sorted(rows)), ["loss"], recipe=QUICK["default"], baselines=False).of(
            "loss"
        )
        rows += [table.row_of[one.architecture] for one in propose(target_fit, 8)]
    proposed = labels[rows[24:]]
    assert len(set(rows)) == 48
    assert np.median(proposed) < np.quantile(labels, 0.05)
    assert proposed.min() < np.quantile(labels, 0.005)


def test_an_invalid_number_is_refused(fitted):
    with pytest.raises(NasbuildError, match="the number of architectures is 0"):
        propose(fitted.of("loss"), 0)


def test_proposals_are_more_diverse_than_the_best(fitted):
    target_fit = fitted.of("loss")
    ways = [
        {one.architecture.modules[u] for one in propose(target_fit, 8)}
        for u in range(len(fitted.space.stages))
    ]
    assert sum(map(len, ways)) > len(ways)
    assert build(target_fit, 1)[0].architecture in {
        one.architecture for one in propose(target_fit, 40)
    } | set(target_fit.scorer.architectures)
