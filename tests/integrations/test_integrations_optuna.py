"""Optuna's own studies: sampling, and importance whose truth is known."""

from __future__ import annotations

import doctest

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import nasbuild as nb
from nasbuild.errors import NasbuildError
from nasbuild.integrations import _study_importance, _study_sampler
from nasbuild.integrations._study_space import Parameter
from nasbuild.integrations.optuna import NasbuildImportanceEvaluator, NasbuildSampler

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("module", [_study_importance, _study_sampler])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def conditional(trial):
    """``c`` exists for one kind only, ``depth`` for another."""
    rate = np.log10(trial.suggest_float("rate", 1e-5, 1e-1, log=True)) + 3
    value = rate**2 + 0.1 * (trial.suggest_int("n", 1, 12) - 8) ** 2
    kind = trial.suggest_categorical("kind", ["svm", "forest", "none"])
    if kind == "svm":
        return value + 2 * (np.log10(trial.suggest_float("c", 1e-2, 1e2, log=True)) - 1) ** 2
    if kind == "forest":
        return value + 0.5 + 0.05 * trial.suggest_int("depth", 1, 10)
    return value + 2


def true_shares():
    """Variances of the additive parts of `conditional` under uniform parameters, as shares of their sum."""
    grid = np.linspace(-2, 2, 2001)
    c, depth = 2 * (grid - 1) ** 2, 0.5 + 0.05 * np.arange(1, 11)
    variances = {
        "rate": np.var(grid**2),
        "n": np.var(0.1 * (np.arange(1, 13) - 8) ** 2),
        "kind": np.var([c.mean(), depth.mean(), 2]),
        "c": np.var(c) / 3,
        "depth": np.var(depth) / 3,
    }
    return {name: value / sum(variances.values()) for name, value in variances.items()}


@pytest.fixture(scope="module")
def study():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(conditional, n_trials=150)
    return study


def test_importance_of_a_conditional_study_is_the_known_one(study):
    truth = true_shares()

    def error(evaluator):
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return sum(abs(found.get(name, 0.0) - share) for name, share in truth.items()), found

    ours, found = error(NasbuildImportanceEvaluator())
    assert list(found) == sorted(truth, key=lambda name: -truth[name])
    assert ours < 0.15
    # Others see no conditional parameter (fANOVA), or only what the best trials have (PED-ANOVA).
    assert ours < error(optuna.importance.FanovaImportanceEvaluator(seed=0, n_trees=16))[0] / 2
    assert ours < error(optuna.importance.PedAnovaImportanceEvaluator())[0] / 2


def test_importance_takes_parameters_and_a_target(study):
    evaluator = NasbuildImportanceEvaluator()
    found = optuna.importance.get_param_importances(
        study, evaluator=evaluator, params=["n", "rate"], target=lambda trial: 5.0 * trial.params["n"]
    )
    assert found["n"] == pytest.approx(1.0, abs=1e-3)
    assert list(found) == ["n", "rate"]
    with pytest.raises(NasbuildError, match="no trial has the parameter 'm'"):
        evaluator.evaluate(study, params=["m"])
    with pytest.raises(NasbuildError, match="0 trials are complete"):
        evaluator.evaluate(optuna.create_study())
    with pytest.raises(NasbuildError, match="2 objectives"):
        evaluator.evaluate(optuna.create_study(directions=["minimize"] * 2))


def test_sampling_a_conditional_study_finds_more_than_chance(study):
    sampled = optuna.create_study(sampler=NasbuildSampler(seed=0, n_candidates=60))
    sampled.optimize(conditional, n_trials=22)
    values = [trial.value for trial in study.trials]
    chance = [min(values[start : start + 22]) for start in range(0, 132, 22)]
    assert sampled.best_value < np.median(chance)
    assert np.median([t.value for t in sampled.trials[10:]]) < 0.7 * np.median(values)


def test_several_objectives_spread_along_their_front():
    def both(trial):
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_categorical("y", ["a", "b", "c"])
        return x + (y != "b"), (1 - x) + (y != "b")

    study = optuna.create_study(directions=["minimize"] * 2, sampler=NasbuildSampler(seed=1, n_candidates=60))
    study.optimize(both, n_trials=20)
    late = study.trials[10:]
    assert sum(t.params["y"] == "b" for t in late) >= 7
    assert np.ptp([t.params["x"] for t in late]) > 0.4


def test_sampling_is_repeatable_and_stays_in_range():
    def objective(trial):
        n = trial.suggest_int("n", 8, 512, log=True)
        step = trial.suggest_float("step", 0.1, 0.7, step=0.2)
        width = trial.suggest_categorical("width", [16, 32, 64])
        only = trial.suggest_categorical("only", ["one"])
        # A range that changes is sampled by itself.
        dynamic = trial.suggest_int("dynamic", 0, trial.number + 1)
        assert 8 <= n <= 512
        assert any(step == pytest.approx(value) for value in (0.1, 0.3, 0.5, 0.7))
        assert only == "one"
        return n / width + step + dynamic

    values = []
    for _ in range(2):
        study = optuna.create_study(sampler=NasbuildSampler(seed=5, n_startup_trials=4, n_candidates=40))
        study.optimize(objective, n_trials=8)
        values.append([trial.params for trial in study.trials])
    assert values[0] == values[1]


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(-3, 5),
        FloatDistribution(1e-6, 1, log=True),
        FloatDistribution(0, 1, step=0.25),
        IntDistribution(1, 7),
        IntDistribution(1, 1000, log=True),
        IntDistribution(0, 1000, step=10),
        CategoricalDistribution([True, 2, None, "a"]),
        CategoricalDistribution([1, 2, 4]),
    ],
    ids=str,
)
def test_values_of_a_level_are_nearest_to_it_and_allowed(distribution):
    one, rng = Parameter("p", distribution, conditional=True), np.random.default_rng(0)
    assert len(set(one.features[0].choices)) == one.size
    for level in range(one.size):
        value = one.value(level, rng)
        assert distribution._contains(distribution.to_internal_repr(value))
        # Whole numbers and steps may round to a value between two levels.
        assert abs(one.level(value) - level) <= (one.size > 12)


def test_the_room_is_reached_from_the_package():
    assert nb.integrations.optuna.NasbuildSampler is NasbuildSampler
    with pytest.raises(AttributeError, match="no attribute 'wandb'"):
        _ = nb.integrations.wandb
