"""Trust: measured on what was held out, cautious with few rows, and never better for less."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_rel
from score_samples import SPACE, random_scorer, scorer_of

from nasbuild.predictor import AdditiveRecipe, GraphBatch
from nasbuild.score import (
    Agreement,
    Baseline,
    Evidence,
    GNNScorer,
    Trust,
    better_method,
    evidence_of,
    fit,
    measure_trust,
)
from nasbuild.score._trust import _verdict, trust_level
from nasbuild.space import Architecture, encode, load_space, sample
from nasbuild.table import Table

ORDER = ["none", "low", "fair", "high"]


def trust_of(scorer: GNNScorer) -> Trust:
    return measure_trust(scorer, evidence_of(scorer.held_out(), scorer.labels))


def evidence(modules: float, prediction: float = 0.9, *, std: float = 0.0, fits: int = 5) -> Evidence:
    """Evidence in which each fit agreed equally, but for ``std``, on 200 rows in all."""
    agreed = Agreement(modules, std, (modules,) * fits)
    return Evidence((), Agreement(prediction, 0.0, (prediction,)), agreed, None, 200 / fits, 200)


def literal_norms(network, architectures) -> np.ndarray:
    """Norms of whole graphs at every hop, (architectures, hops), one graph and node at a time."""
    with torch.no_grad():
        hops = [network.hops(GraphBatch.of(encode(SPACE, [a]))) for a in architectures]
    return np.array([[np.mean([float(v.abs().sum()) for v in hop]) for hop in graph] for graph in hops])


def test_agreement_is_measured_member_by_member_on_its_held_out_rows():
    scorer = random_scorer(SPACE, 1, rows=40, members=3)
    trust = trust_of(scorer)
    assert len(trust.hops) == scorer.ensemble.shape.hops + 1
    for k, (network, member) in enumerate(
        zip(scorer.ensemble.networks, scorer.ensemble.members, strict=True)
    ):
        held = [scorer.architectures[i] for i in member.test]
        for n, norms in enumerate(literal_norms(network, held).T):
            expected = spearmanr(norms, scorer.labels[member.test]).statistic
            assert trust.hops[n].values[k] == pytest.approx(expected)
    for hop in (*trust.hops, trust.prediction, trust.modules):
        assert (hop.mean, hop.std) == (pytest.approx(np.mean(hop.values)), pytest.approx(np.std(hop.values)))
    for k, member in enumerate(scorer.ensemble.members):
        expected = spearmanr(scorer.held_out()[k].sums, scorer.labels[member.test]).statistic
        assert trust.modules.values[k] == pytest.approx(expected)
    assert trust.modules.mean == pytest.approx(np.mean(trust.modules.values))
    assert (trust.labels, trust.held_out) == (40, 10)


def test_depths_that_fewer_than_two_architectures_have_are_reported():
    shallow, deep = ((3, "conv"),), ((3, "conv"), (5, "skip"))
    one, three = ((7, True),), ((7, True), (3, True), (3, True))
    rows = [(shallow, one), (shallow, one), (deep, one), (shallow, one), (shallow, three)]
    architectures = [Architecture((a, b, ((192,),))) for a, b in rows]
    trust = trust_of(scorer_of(SPACE, architectures, np.arange(5.0)))
    assert trust.rare_depths == ((0, 2), (1, 3))
    again = [*architectures, Architecture((deep, three, ((192,),)))]
    assert trust_of(scorer_of(SPACE, again, np.arange(6.0))).rare_depths == ()


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 3_000))
def test_a_better_correlation_is_never_believed_less(a, b, tested):
    low, high = sorted((a, b))
    assert ORDER.index(trust_level(low, tested)) <= ORDER.index(trust_level(high, tested))


@given(st.floats(-1, 1), st.integers(0, 3_000), st.integers(0, 3_000))
def test_more_rows_are_never_believed_less(value, a, b):
    few, many = sorted((a, b))
    assert ORDER.index(trust_level(value, few)) <= ORDER.index(trust_level(value, many))


@pytest.mark.parametrize("tested", [0, 1, 3, 5, 8, 12, 20])
@pytest.mark.parametrize("value", [0.8, 0.95, 1.0])
def test_few_rows_are_never_high(tested, value):
    assert trust_level(value, tested) != "high"
    if tested <= 5:
        assert trust_level(value, tested) == "none"


@pytest.mark.parametrize(
    ("value", "tested", "expected"),
    [
        (0.97, 3_000, "high"),
        (0.95, 68, "high"),
        (0.85, 68, "fair"),
        (0.5, 68, "low"),
        (0.3, 68, "none"),
        (0.3, 300, "low"),
        (0.0, 3_000, "none"),
        (-0.9, 3_000, "none"),
        (-1.0, 30, "none"),
    ],
)
def test_levels_by_the_lower_end_of_the_interval(value, tested, expected):
    assert trust_level(value, tested) == expected


@given(st.floats(-1, 1), st.integers(4, 500))
def test_the_lower_end_is_fishers(value, tested):
    bounds = {"high": 0.8, "fair": 0.5, "low": 0.15}
    capped = min(value, 1 - 2 / tested)
    # atanh(x) = log((1 + x) / (1 - x)) / 2
    z = -np.inf if capped <= -1 else np.log((1 + capped) / (1 - capped)) / 2
    e = np.exp(2 * (z - 1.96 / (tested - 3) ** 0.5))
    lower = (e - 1) / (e + 1)
    expected = next((name for name, bound in bounds.items() if lower >= bound - 1e-12), "none")
    near = min(abs(lower - bound) for bound in bounds.values()) < 1e-9
    assert near or trust_level(value, tested) == expected


@pytest.mark.parametrize("level", ORDER)
def test_the_verdict_is_a_sentence_with_the_numbers(level):
    found = Evidence((), Agreement(-0.25, 0.1, ()), Agreement(0.815, 0.1, ()), None, 13.6, 68)
    text = _verdict(level, found, "68 labels", [], None)
    assert re.fullmatch(r"From 68 labels, .*SRCC 0\.8[12] .*-0\.25 .*\(about 14 rows .*\): .*\.", text)
    assert text.count(". ") == 0
    assert len({_verdict(other, found, "68 labels", [], None) for other in ORDER}) == 4


def test_noise_is_not_believed():
    rng = np.random.default_rng(2)
    for seed in range(5):
        architectures = sample(SPACE, 60, rng)
        trust = trust_of(scorer_of(SPACE, architectures, rng.normal(size=60), members=4, seed=seed))
        assert trust.level in ("none", "low")
        assert f"From {trust.labels} labels" in trust.verdict


def test_members_that_are_all_wrong_are_no_trouble():
    # One row held out by each: no order at all. Two: the order may be the wrong one for all.
    for rows in (4, 5, 8):
        architectures = sample(SPACE, rows, np.random.default_rng(rows))
        scorer = scorer_of(SPACE, architectures, np.arange(float(rows)), members=3)
        flipped = scorer.held_out()[0].sums
        labels = scorer.labels.copy()
        labels[scorer.ensemble.members[0].test] = -flipped
        assert trust_of(scorer_of(SPACE, architectures, labels, members=1)).level == "none"


def folds(name: str, mean: float, *away: float) -> Baseline:
    """A baseline whose five folds lie about a mean."""
    return Baseline(name, Agreement.of([0.9] * 5), Agreement.of([mean + a for a in (away or (0.0,) * 5)]))


def test_baselines_are_reported_and_the_better_one_is_recommended():
    scorer = random_scorer(SPACE, 1)
    baselines = [folds("ridge", 0.7), folds("lightgbm", 0.85)]
    trust = measure_trust(scorer, evidence(0.8), baselines=baselines, n_tied=[np.int64(3), 0, 1])
    assert (trust.baselines, trust.n_tied, trust.better) == (tuple(baselines), (3, 0, 1), "lightgbm")
    assert "by other methods: ridge regression 0.70 and LightGBM 0.85." in trust.verdict
    assert trust.verdict.endswith(" On this table, LightGBM is better: fit with --recipe lightgbm.")
    trust = measure_trust(scorer, evidence(0.8), baselines=[folds("ridge", 0.9)])
    assert trust.better == "ridge"
    assert trust.verdict.endswith(" On this table, ridge regression is better: fit with --recipe ridge.")
    # Worse baselines are told and not offered; the level does not go by them.
    trust = measure_trust(scorer, evidence(0.9), baselines=baselines)
    assert (trust.better, trust.level) == (None, measure_trust(scorer, evidence(0.9)).level)
    assert "LightGBM 0.85" in trust.verdict
    assert "--recipe" not in trust.verdict


def test_where_nothing_is_believed_no_baseline_is_either():
    assert (
        measure_trust(random_scorer(SPACE, 1), evidence(0.05), baselines=[folds("ridge", 0.9)]).better is None
    )


@given(st.lists(st.floats(-0.2, 0.2), min_size=5, max_size=5), st.floats(-0.1, 0.3))
def test_a_baseline_is_offered_where_a_paired_t_test_is_sure(away, lead):
    baseline, own = folds("ridge", 0.6 + lead, *away), evidence(0.6)
    assume(np.ptp(away) > 1e-6)
    offered = better_method(own.modules, [baseline], "fair") == "ridge"
    p = float(ttest_rel(baseline.modules.values, own.modules.values).pvalue)  # two-sided
    mean = baseline.modules.mean - 0.6
    assume(abs(p - 0.01) > 1e-6 and abs(mean - 0.01) > 1e-9)
    assert offered == (mean > 0.01 and p < 0.01)


def test_other_folds_are_held_against_each_other_unpaired():
    own = [0.6, 0.62, 0.58, 0.6, 0.61]
    for lead, offered in ((0.02, False), (0.1, True)):
        many = Agreement.of([v + lead for v in own * 4])
        found = Evidence((), Agreement.of(own), Agreement.of(own), None, 40, 200)
        trust = measure_trust(random_scorer(SPACE, 1), found, baselines=[Baseline("ridge", many, many)])
        assert (trust.better == "ridge") == offered


def test_the_verdict_tells_how_many_labels_were_learnt_from():
    space = load_space("digits-macro")
    some = tuple(sample(space, 120, np.random.default_rng(0)))
    values = np.array([sum(map(len, a.modules)) for a in some]) + np.random.default_rng(1).normal(size=120)
    table = Table(space, tuple(f"n{i}" for i in range(120)), some, {"acc": values})
    for most, told in ((120, "From 120 labels, the"), (50, "From 50 labels, drawn at random from 120, the")):
        quick = AdditiveRecipe(samples=16, folds=3, iterations=10, most_rows=most)
        (target_fit,) = fit(table, ["acc"], recipe=quick, baselines=False).targets
        assert told in target_fit.trust.verdict
        assert target_fit.scorer.n_fitted == most
