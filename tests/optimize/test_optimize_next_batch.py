"""Round summaries by hand, and the candidates of a round."""

from __future__ import annotations

import numpy as np
import pytest
from optimize_samples import space, value

from nasbuild.builder import best_by_prediction, build
from nasbuild.optimize import BUILT, PROPOSED, RANDOM, Candidate, RoundPlan, next_batch, random_batch
from nasbuild.optimize._round_summary import gather_rounds
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.search import parse_goal
from nasbuild.space import enumerate_architectures, sample, to_dict
from nasbuild.table import table_from_evaluations

SPACE = space()
EVERY = list(enumerate_architectures(SPACE))


@pytest.fixture(scope="module")
def fitted():
    some = sample(SPACE, 24, np.random.default_rng(0))
    table = table_from_evaluations(SPACE, {a: value(to_dict(SPACE, a)) for a in some})
    return fit(table, ["loss", "cost"], recipe=recipe("ridge"), baselines=False)


def test_round_summaries_follow_each_targets_direction():
    a, b, c, d, e = EVERY[:5]
    goal = parse_goal(SPACE, ["loss", "-cost"], (), SPACE.metrics)
    nothing = np.full((3, 2), np.nan)
    rounds = [
        RoundPlan(tuple(Candidate(x, RANDOM) for x in (a, b, c)), nothing, nothing),
        RoundPlan(
            (Candidate(d, BUILT), Candidate(e, PROPOSED)),
            np.array([[0.4, -3.0], [0.2, -5.0]]),
            np.array([[0.1, 0.5], [0.3, 0.7]]),
            "a note",
        ),
    ]
    metrics = {
        a: {"loss": 1.0, "cost": 4.0},
        b: {"loss": 0.5, "cost": 8.0},
        c: {"loss": None, "cost": 1.0},
        d: {"loss": 0.6, "cost": 2.0},
    }
    found = gather_rounds(goal, rounds, metrics, SPACE)
    assert found.architectures == (a, b, c, d)
    assert found.origins == (RANDOM, RANDOM, RANDOM, BUILT)
    assert found.rounds.tolist() == [0, 0, 0, 1]
    first, second = found.summaries
    assert (first.number, first.done, first.failed, first.note) == (0, 2, 1, "")
    assert np.isnan(first.predicted).all()
    assert first.found == first.best == (0.5, -1.0)
    assert (second.number, second.done, second.failed, second.note) == (1, 1, 0, "a note")
    # Only what was evaluated of a round counts.
    assert (second.predicted, second.std) == ((0.4, -3.0), (0.1, 0.5))
    assert (second.found, second.best) == ((0.6, -2.0), (0.5, -1.0))
    # Losses (1, 4) and (0.5, 8) span a box of 0.5 x 4; d fills 0.4 x 6 of its 2.
    assert first.volume == pytest.approx(0.0)
    assert second.volume == pytest.approx(0.4 * 6 / 2)


def test_a_batch_is_half_built_half_proposed_and_new(fitted):
    failed = [a for a in EVERY if a not in fitted.table.row_of][:5]
    seen = [*fitted.table.architectures, *failed]
    single = type(fitted)(fitted.table, fitted.recipe, fitted.seed, fitted.targets[:1], fitted.max_modules)
    asked = next_batch(single, 8, seen)
    assert [one.origin for one in asked] == [BUILT, PROPOSED] * 4
    assert len({one.architecture for one in asked}) == 8
    assert not {one.architecture for one in asked} & set(seen)
    (target_fit,) = single.targets
    new = [one for one in build(target_fit, len(EVERY)) if one.architecture not in seen]
    best = [one.architecture for one in best_by_prediction(target_fit, new, 4)]
    assert [one.architecture for one in asked if one.origin == BUILT] == best
    assert [one.origin for one in next_batch(single, 6, seen, share=1.0)] == [BUILT] * 6
    assert [one.origin for one in next_batch(single, 6, seen, share=0.0)] == [PROPOSED] * 6


def test_a_batch_of_two_targets_contains_the_best_of_each(fitted):
    seen = fitted.table.architectures
    asked = [one.architecture for one in next_batch(fitted, 12, seen)]
    assert len(set(asked)) == 12
    assert not set(asked) & set(seen)
    new = [a for a in EVERY if a not in fitted.table.row_of]
    for target_fit in fitted.targets:
        predicted, among = target_fit.scorer.predict(asked)[0], target_fit.scorer.predict(new)[0]
        assert predicted.min() <= np.quantile(among, 0.02)


def test_a_random_batch_is_new_and_ends_with_the_space():
    rng = np.random.default_rng(0)
    seen = EVERY[:-3]
    assert {one.architecture for one in random_batch(SPACE, 5, seen, rng)} == set(EVERY[-3:])
    assert random_batch(SPACE, 5, EVERY, rng) == []
    drawn = random_batch(SPACE, 10, EVERY[:20], rng)
    assert len({one.architecture for one in drawn} - set(EVERY[:20])) == 10
