"""Effects of choices by hand, on scores that are exactly additive over layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_samples import SPACE

from nasbuild.predictor import recipe, single_changes
from nasbuild.score import ChoiceScore, Scorer, choice_effects, choice_scores, fit_scorers
from nasbuild.space import Architecture, Space, changed_sample, features_by_name, sample
from strategies import architectures, relaxed, spaces

MEMBERS = 3


def worth(space: Space, stage: int, f: int, choice: int, member: int) -> float:
    """What a layer with a choice is worth by member 0 (the scorer), 1, 2, 3: any numbers."""
    return float(np.sin(1.0 + 7 * stage + 3 * f + 2 * choice)) + 0.1 * member * choice * (1 + len(space.name))


@dataclass(frozen=True)
class Additive(Scorer):
    """A module's score is the mean worth of its layers."""

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray

    @property
    def members(self) -> int:
        return MEMBERS

    def _of(self, stage, codes, member):
        total = np.zeros(len(codes))
        for n, code in enumerate(codes):
            for f in range(code.shape[1]):
                total[n] += sum(worth(self.space, stage, f, int(c), member) for c in code[:, f]) / len(code)
        return total

    def score(self, stage, codes):
        return self._of(stage, codes, 0), np.zeros(len(codes))

    def member_scores(self, stage, codes):
        return np.stack([self._of(stage, codes, k) for k in range(1, MEMBERS + 1)])

    def predict_unlimited(self, architectures):
        n = len(architectures)
        return np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)


def scorer_of(space: Space, some) -> Additive:
    return Additive(space, tuple(some), np.zeros(len(some)))


def slow_effects(scorer: Additive) -> dict[tuple, tuple[list[float], int]]:
    """By stage (None for all), feature and choice: the effect by each member, and layers of the table.

    A layer of a module of d layers has 1 / d of its worth; a shared feature stands in all of them.
    """
    space, found = scorer.space, {}
    for u, stage in enumerate(space.stages):
        modules = {a.modules[u] for a in scorer.architectures}
        for f, feature in enumerate(stage.features):
            layers = [layer[f] for a in scorer.architectures for layer in a.modules[u]]
            codes = [feature.index(c) for c in layers]
            known = sorted(set(codes))
            if len(known) < 2:
                continue
            # Averaged over all layers of the modules, one at a time: each has weight 1 / depth.
            places = 1 if feature.name in stage.shared else None
            weight = sum(1 if places else len(m) * (1 / len(m)) for m in modules)
            weight /= sum(1 if places else len(m) for m in modules)
            values = np.array([[worth(space, u, f, c, k) for k in range(MEMBERS + 1)] for c in known])
            values = weight * (values - _zero(scorer, u, f, known, values))
            for c, row in zip(known, values, strict=True):
                choice = feature.choices[c]
                found[u, feature.name, type(choice), choice] = (row.tolist(), codes.count(c), len(codes))
    for name, feature in features_by_name(space.stages).items():
        for choice in feature.choices:
            own = [
                v
                for (u, n, t, c), v in found.items()
                if (n, t, c) == (name, type(choice), choice) and u is not None
            ]
            if own:
                each = np.average([v[0] for v in own], axis=0, weights=[v[2] for v in own])
                found[None, name, type(choice), choice] = (each.tolist(), sum(v[1] for v in own), 0)
    return found


def _zero(scorer: Additive, u: int, f: int, known: list[int], values: np.ndarray) -> np.ndarray:
    """What effects are compared with: the reference's choice in a table of single changes, else the mean over choices."""
    changes = single_changes(scorer.space, scorer.architectures)
    feature = scorer.space.stages[u].features[f]
    used = [] if changes is None else [feature.index(layer[f]) for layer in changes.reference.modules[u]]
    agreed = len(set(used)) == 1 and used[0] in known
    return values[known.index(used[0])] if agreed else values.mean(axis=0)


def check(space: Space, some) -> list[ChoiceScore]:
    scorer = scorer_of(space, some)
    found, expected = choice_effects(scorer), slow_effects(scorer)
    by_key = {(e.stage, e.feature, type(e.choice), e.choice): e for e in found}
    assert len(by_key) == len(found)
    assert set(by_key) == set(expected)
    for key, (each, count, _) in expected.items():
        one = by_key[key]
        assert one.score == one.effect == pytest.approx(each[0], abs=1e-9)
        assert one.member_effects == pytest.approx(each[1:], abs=1e-9)
        assert one.effect_std == pytest.approx(np.std(each[1:]), abs=1e-9)
        assert one.nodes == count
    return found


def test_effects_of_additive_scores_are_the_worths():
    check(SPACE, sample(SPACE, 40, np.random.default_rng(0)))


@given(st.data())
@relaxed
def test_effects_in_any_space(data):
    space = data.draw(spaces(most_modules=40))
    check(space, data.draw(st.lists(architectures(space), min_size=1, max_size=8)))


def test_choices_that_the_table_lacks_are_left_out():
    some = [a for a in sample(SPACE, 60, np.random.default_rng(1)) if all(k == 3 for k, _ in a.modules[0])]
    found = check(SPACE, some)
    assert not [e for e in found if e.stage == 0 and e.feature == "kernel"]
    assert [e for e in found if e.stage == 0 and e.feature == "op"]


def test_equal_seeds_give_equal_effects_though_modules_are_drawn():
    space = SPACE
    some = sample(space, 90, np.random.default_rng(2))
    scorer = scorer_of(space, some)
    assert choice_effects(scorer, seed=4) == choice_effects(scorer, seed=4)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_importances_of_ped_anova_stand_in_for_effects():
    rng = np.random.default_rng(3)
    some = tuple(sample(SPACE, 40, rng))
    labels = np.array([float(sum(k == 7 for k, _ in a.modules[1])) for a in some]) + 0.01 * rng.normal(
        size=40
    )
    asked = recipe("ped-anova", folds=2)
    scorer = fit_scorers(SPACE, [(some, labels)], asked)[0].scorer
    found = choice_scores(scorer, asked, 1, 0)
    assert {(e.stage, e.feature, e.choice) for e in found} == {
        (e.stage, e.feature, e.choice) for e in choice_effects(scorer)
    }
    best = max((e for e in found if e.stage is not None), key=lambda e: e.score)
    assert (best.stage, best.feature, best.choice) == (1, "kernel", 7)
    assert all((e.effect_std, e.member_effects) == (0.0, ()) for e in found)


def test_effects_of_single_changes_are_against_the_reference():
    space = replace(SPACE, reference=sample(SPACE, 1, np.random.default_rng(3))[0])
    assert space.reference is not None
    rows = [space.reference, *changed_sample(space, space.reference, 9, changes=(1, 1))]
    found = check(space, rows)
    used = {
        (u, f.name, layer[n])
        for u, m in enumerate(space.reference.modules)
        for layer in m
        for n, f in enumerate(space.stages[u].features)
    }
    zeros = [
        e
        for e in found
        if e.stage is not None and (e.stage, e.feature, e.choice) in used and e.effect == 0 == e.effect_std
    ]
    assert zeros
