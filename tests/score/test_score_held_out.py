"""Evidence by SciPy's correlation, calibrated deviations, and tied modules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr
from score_samples import SPACE

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp
from nasbuild.score import (
    DEVIATIONS,
    HeldOut,
    Scorer,
    evidence_of,
    fit_additive,
    member_scores_at,
    n_tied,
    score_stage,
    score_stages,
)
from nasbuild.score._additive_scorer import (
    _FoldResiduals,
    _made_distinct,
    calibration_factor,
    folds,
    interaction_share,
)
from nasbuild.score._held_out import INTERVAL
from nasbuild.space import Architecture, Space, sample
from nasbuild.table import k_fold

QUICK = AdditiveRecipe(samples=6, folds=4, iterations=15)


def part(rng, test, labels, inside=None) -> HeldOut:
    def near(noise: float) -> np.ndarray:
        return labels[test] + noise * rng.normal(size=len(test))

    return HeldOut(np.array(test), near(0.1), near(1), (near(3), near(2)), inside)


def test_evidence_is_scipys_correlation_part_by_part():
    rng = np.random.default_rng(0)
    labels = rng.normal(size=20)
    first, second = np.arange(0, 12), np.arange(8, 16)
    inside = [np.arange(12) > 2, np.arange(8) > 0]
    parts = [part(rng, t, labels, i) for t, i in zip((first, second), inside, strict=True)]
    found = evidence_of(parts, labels)
    told = [
        (found.prediction, lambda p: p.prediction),
        (found.modules, lambda p: p.sums),
        *((hop, lambda p, m=m: p.hops[m]) for m, hop in enumerate(found.hops)),
    ]
    assert len(told) == 4
    for agreement, of in told:
        each = [spearmanr(of(p), labels[p.test]).statistic for p in parts]
        assert agreement.values == pytest.approx(each)
        assert (agreement.mean, agreement.std) == (pytest.approx(np.mean(each)), pytest.approx(np.std(each)))
    # 9 of 12 and 7 of 8; rows 8 to 11 were held out twice.
    assert (found.coverage, found.held_out, found.tested) == (16 / 20, 10, 16)
    assert evidence_of([replace(p, inside=None) for p in parts], labels).coverage is None


def test_ninety_per_cent_of_a_normal():
    assert norm.cdf(DEVIATIONS) - norm.cdf(-DEVIATIONS) == pytest.approx(INTERVAL) == 0.9


def test_widening_by_hand():
    # Of 10 rows that are 2 x 1.645 off, and 10 that are counted as right: half way.
    assert calibration_factor(np.full(10, 2 * DEVIATIONS)) == pytest.approx(1.5)
    assert calibration_factor(np.full(1000, 2 * DEVIATIONS)) == pytest.approx(2, rel=0.01)
    assert calibration_factor(np.full(1000, 9 * DEVIATIONS)) == 3.0
    assert calibration_factor(np.zeros(1000)) == 0.5
    # Deviations that are right stay.
    misses = np.abs(np.random.default_rng(0).normal(size=5_000))
    assert calibration_factor(misses) == pytest.approx(1, abs=0.03)


@given(st.lists(st.floats(0, 9), min_size=1, max_size=20), st.floats(1, 3))
def test_worse_misses_never_narrow(misses, factor):
    assert calibration_factor(factor * np.array(misses)) >= calibration_factor(np.array(misses)) - 1e-12


@pytest.fixture(scope="module")
def additive():
    rng = np.random.default_rng(1)
    some = sample(SPACE, 32, rng)
    labels = np.array([len(a.modules[0]) + 0.5 * len(a.modules[1]) for a in some]) + 0.2 * rng.normal(size=32)
    done = []
    found = fit_additive(SPACE, some, labels, QUICK, seed=3, step_done=lambda: done.append(1))
    return some, labels, *found, len(done)


def test_each_fold_is_predicted_by_a_gp_that_held_it_out(additive):
    some, labels, scorer, parts, steps = additive
    assert steps == 5
    splits = k_fold(32, 4, np.random.default_rng(3))
    misses, crossed, expected = [], [], []
    own = {"power": scorer.gp.warp.power, "passing": scorer.gp.passing}
    for held, (train, test) in zip(parts, splits, strict=True):
        process = fit_additive_gp(SPACE, [some[i] for i in train], labels[train], QUICK, seed=3, **own)
        others = [some[i] for i in test]
        assert held.test.tolist() == test.tolist()
        assert held.sums == pytest.approx(process.sums(others))
        assert [h.tolist() for h in held.hops] == [pytest.approx(process.sums(others, m)) for m in (0, 1)]
        mean, deviation = process.sum_latent(others)
        at, (latent, variance) = process.warp.forward(labels[test]), process.latent(others)
        misses.append(np.abs(at - mean) / deviation)
        crossed.append(_FoldResiduals(process.warp, mean, latent - mean, at - mean, np.sqrt(variance)))
        expected.append(lambda share, p=process, m=mean, z=latent: p.warp.back(m + share * (z - m)))
    for k, held in enumerate(parts):
        share = interaction_share([c for j, c in enumerate(crossed) if j != k])
        assert held.prediction == pytest.approx(expected[k](share))
        wider = calibration_factor(np.concatenate([m for j, m in enumerate(misses) if j != k]))
        assert held.inside is not None
        assert held.inside.tolist() == (misses[k] <= DEVIATIONS * wider).tolist()
    assert scorer.gp.spread == pytest.approx(calibration_factor(np.concatenate(misses)))
    assert scorer.gp.interaction_share == pytest.approx(interaction_share(crossed))


def test_no_label_decides_how_wide_its_own_interval_is(monkeypatch):
    asked = []

    def wide(misses: np.ndarray) -> float:
        asked.append(len(misses))
        return [0.0, 1e9][len(asked) % 2]

    monkeypatch.setattr("nasbuild.score._additive_scorer.calibration_factor", wide)
    some = sample(SPACE, 13, np.random.default_rng(2))
    scorer, parts = fit_additive(SPACE, some, np.arange(13.0) ** 2, QUICK)
    sizes = [len(p.test) for p in parts]
    assert sorted(sizes) == [3, 3, 3, 4]
    assert asked == [*(13 - n for n in sizes), 13]
    assert [p.inside.all() for p in parts if p.inside is not None] == [True, False, True, False]
    assert scorer.gp.spread == 1e9


def test_the_whole_is_fitted_on_all_rows(additive):
    some, labels, scorer, *_ = additive
    process = replace(
        fit_additive_gp(SPACE, some, labels, QUICK, seed=3), interaction_share=scorer.gp.interaction_share
    )
    others = sample(SPACE, 9, np.random.default_rng(4))
    value, std = scorer.predict(others)
    assert value == pytest.approx(process.predict(others)[0])
    assert scorer.shares(others).sum(axis=1) == pytest.approx(process.sums(others))
    assert scorer.members == 6
    codes = np.zeros((2, 2, 2), dtype=np.int16)
    assert scorer.score(0, codes)[0] == pytest.approx(process.score(0, codes)[0])
    assert scorer.score(0, codes)[1] == pytest.approx(process.score(0, codes)[1] * scorer.gp.spread)
    assert scorer.member_scores(0, codes).std(axis=0) == pytest.approx(scorer.score(0, codes)[1])
    assert (std > 0).all()


def test_folds_of_equal_labels_are_learnt_from():
    some = sample(SPACE, 6, np.random.default_rng(0))
    labels = np.array([0.0, 0, 0, 0, 0, 1])
    _, parts = fit_additive(SPACE, some, labels, replace(QUICK, folds=3))
    assert all(np.isfinite(p.sums).all() and np.isfinite(p.prediction).all() for p in parts)
    apart = _made_distinct(labels, np.arange(5))
    assert 0 < np.ptp(apart) < 1e-8
    assert _made_distinct(labels, np.arange(6)).tolist() == labels.tolist()
    assert len(folds(SPACE, some[:3], 9, 0)) == 3


@dataclass(frozen=True)
class Made(Scorer):
    """Scores by the number of layers and of kernel 5, by each member with noise of its own."""

    space: Space = SPACE
    architectures: tuple[Architecture, ...] = ()
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0))
    noise: float = 0.0

    @property
    def members(self) -> int:
        return 20

    def member_scores(self, stage, codes):
        first = codes[:, :, 0].sum(axis=1) + 10.0 * codes.shape[1]
        seeds = [int(c.sum()) + 100 * c.shape[0] + int(c[0, -1]) for c in codes]
        drawn = np.stack([np.random.default_rng([7, stage, s]).normal(size=20) for s in seeds], axis=1)
        return first + self.noise * drawn

    def score(self, stage, codes):
        return self.member_scores(stage, codes).mean(axis=0), self.member_scores(stage, codes).std(axis=0)

    def predict_unlimited(self, architectures):
        return (np.zeros(len(architectures)),) * 2 + (np.zeros(len(architectures), dtype=bool),)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("noise", [0.0, 0.5, 20.0])
def test_modules_that_one_in_ten_members_ranks_first_are_tied(sign, noise):
    scorer = Made(noise=noise)
    for u, scores in enumerate(score_stages(scorer)):
        ranks = scores.best(sign)
        modules = [scores.module(SPACE, int(r)) for r in ranks]
        each = np.stack(
            [scorer.member_scores(u, SPACE.stages[u].encode(m)[None])[:, 0] for m in modules], axis=1
        )
        assert member_scores_at(scorer, scores, ranks) == pytest.approx(each)
        expected = 0
        for n in range(1, len(modules)):
            behind = sum(sign * row[n] < sign * row[0] for row in each)
            expected += behind < 18
        assert n_tied(scorer, scores, sign) == expected


def test_equal_modules_are_tied_and_certain_ones_are_not():
    stage = score_stage(Made(), 0)
    # Two layers of kernel 5: with op conv or skip in either, four modules are equal to the best.
    assert n_tied(Made(), stage, 1) == 3
    two = score_stage(Made(), 2)
    assert len(two) == 2
    assert n_tied(Made(), two, 1) == 0
