"""On simulated targets whose truth is known, few labels are enough to find it."""

from __future__ import annotations

import numpy as np
import pytest
from gp_samples import SPACE
from scipy.stats import spearmanr

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp, recipe
from nasbuild.score import evidence_of, fit_additive, fit_baseline, measure_trust
from nasbuild.space import group_codes, load_space, sample
from nasbuild.table import load_builtin
from strategies import all_modules


def worth(space, seed: int):
    """A worth of any module: of its depth, of the choices at its layers, of its first layer."""
    rng = np.random.default_rng(seed)
    of_depth, first = rng.normal(size=(len(space.stages), 10)), rng.normal(size=(10, 100))
    choice = rng.normal(size=(len(space.stages), 10, 100))

    def of(stage: int, module) -> float:
        code = space.stages[stage].encode(module)
        total = 1.5 * of_depth[stage, len(module)]
        for f in range(code.shape[1]):
            total += sum(choice[stage, f, c] for c in code[:, f]) + 0.5 * first[f, code[0, f]]
        return total

    return of


def scores_of(process, stage: int, modules):
    """Scores of modules of any depth."""
    codes = [process.space.stages[stage].encode(m) for m in modules]
    return group_codes(codes).evaluate(lambda some: process.score(stage, some)[0])


@pytest.mark.parametrize("bend", ["plain", "bent"])
def test_the_true_order_of_modules_is_found(bend):
    of = worth(SPACE, 1)
    architectures = sample(SPACE, 100, np.random.default_rng(2))
    total = np.array([sum(of(u, m) for u, m in enumerate(a.modules)) for a in architectures])
    noisy = total + 0.1 * total.std() * np.random.default_rng(3).normal(size=100)
    labels = noisy if bend == "plain" else np.exp(noisy / total.std())
    process = fit_additive_gp(SPACE, architectures, labels, AdditiveRecipe(samples=2))
    assert (process.warp.power < 0.6) == (bend == "bent")
    for u in (0, 1):
        modules = all_modules(SPACE.stages[u])
        scores = scores_of(process, u, modules)
        assert spearmanr(scores, [of(u, m) for m in modules]).statistic > 0.9
    if bend == "plain":
        # In the label's unit: what two modules differ by is what their architectures do.
        modules = all_modules(SPACE.stages[0])
        gaps = np.ptp([of(0, m) for m in modules]) / np.ptp(scores_of(process, 0, modules))
        assert gaps == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("seed", range(2))
def test_trainings_that_went_astray_do_not_hide_the_order(seed):
    """Two real labels of a hundred become those of networks that learnt nothing: the scale pulls them in."""
    whole = load_builtin("digits-macro")
    space, loss = whole.space, whole.columns["loss"]
    rows = np.random.default_rng(seed).permutation(len(whole))[:100]
    architectures, labels = tuple(whole.architectures[i] for i in rows), loss[rows].copy()
    labels[:2] = np.log(10)
    process = fit_additive_gp(space, architectures, labels, AdditiveRecipe(samples=2))
    ridge, _ = fit_baseline(space, architectures, labels, recipe("ridge", folds=2))
    found = {"default": [], "ridge": []}
    for u, stage in enumerate(space.stages):
        modules = all_modules(stage)
        true = [loss[[a.modules[u] == m for a in whole.architectures]].mean() for m in modules]
        scores = scores_of(process, u, modules)
        found["default"].append(spearmanr(scores, true).statistic)
        found["ridge"].append(spearmanr(ridge.score_modules(u, modules)[0], true).statistic)
    assert np.mean(found["default"]) > 0.85
    assert np.mean(found["default"]) > np.mean(found["ridge"])


def test_few_labels_rank_thousands_of_modules():
    space = load_space("ofa-mobilenet-v3")
    of = worth(space, 4)
    rng = np.random.default_rng(5)
    architectures = sample(space, 150, rng)
    labels = np.array([sum(of(u, m) for u, m in enumerate(a.modules)) for a in architectures])
    process = fit_additive_gp(
        space, architectures, labels, AdditiveRecipe(samples=2, iterations=20), power=1.0
    )
    others = sample(space, 200, rng)
    for u in range(len(space.stages)):
        scores = scores_of(process, u, [a.modules[u] for a in others])
        assert spearmanr(scores, [of(u, a.modules[u]) for a in others]).statistic > 0.9


def test_noise_alone_is_not_believed():
    rng = np.random.default_rng(6)
    architectures, labels = tuple(sample(SPACE, 100, rng)), rng.normal(size=100)
    scorer, parts = fit_additive(SPACE, architectures, labels, AdditiveRecipe(samples=2))
    trust = measure_trust(scorer, evidence_of(parts, labels))
    assert trust.level == "none"
    assert 0.8 <= (trust.coverage or 0) <= 1
