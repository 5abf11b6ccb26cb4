"""Trust: measured on what was held out, cautious with few rows, and never better for less."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from score_samples import SPACE, random_scorer, scorer_of

from nasbuild.score import Agreement, measure_trust
from nasbuild.score._trust import _level, _verdict
from nasbuild.space import Architecture, sample

ORDER = ["none", "low", "fair", "high"]


def test_agreement_is_measured_member_by_member_on_its_held_out_rows():
    scorer = random_scorer(SPACE, 1, rows=40, members=3)
    trust = measure_trust(scorer)
    by_hop = np.array([m.srcc for m in scorer.ensemble.members])
    assert len(trust.hops) == by_hop.shape[1] - 1
    for hop, column in zip((*trust.hops, trust.prediction), by_hop.T, strict=True):
        assert hop.each == pytest.approx(column)
        assert (hop.mean, hop.std) == (pytest.approx(np.mean(column)), pytest.approx(np.std(column)))
    for k, member in enumerate(scorer.ensemble.members):
        expected = spearmanr(scorer.held_out_sums(k), scorer.labels[member.test]).statistic
        assert trust.modules.each[k] == pytest.approx(expected)
    assert trust.modules.mean == pytest.approx(np.mean(trust.modules.each))
    assert (trust.labels, trust.held_out) == (40, 10)


def test_depths_that_fewer_than_two_architectures_have_are_told():
    shallow, deep = ((3, "conv"),), ((3, "conv"), (5, "skip"))
    one, three = ((7, True),), ((7, True), (3, True), (3, True))
    rows = [(shallow, one), (shallow, one), (deep, one), (shallow, one), (shallow, three)]
    architectures = [Architecture((a, b, ((192,),))) for a, b in rows]
    trust = measure_trust(scorer_of(SPACE, architectures, np.arange(5.0)))
    assert trust.unseen == ((0, 2), (1, 3))
    again = [*architectures, Architecture((deep, three, ((192,),)))]
    assert measure_trust(scorer_of(SPACE, again, np.arange(6.0))).unseen == ()


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 3_000))
def test_a_better_correlation_is_never_believed_less(a, b, tested):
    low, high = sorted((a, b))
    assert ORDER.index(_level(low, tested)) <= ORDER.index(_level(high, tested))


@given(st.floats(-1, 1), st.integers(0, 3_000), st.integers(0, 3_000))
def test_more_rows_are_never_believed_less(value, a, b):
    few, many = sorted((a, b))
    assert ORDER.index(_level(value, few)) <= ORDER.index(_level(value, many))


@pytest.mark.parametrize("tested", [0, 1, 3, 5, 8, 12, 20])
@pytest.mark.parametrize("value", [0.8, 0.95, 1.0])
def test_few_rows_are_never_high(tested, value):
    assert _level(value, tested) != "high"
    if tested <= 5:
        assert _level(value, tested) == "none"


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
    assert _level(value, tested) == expected


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
    assert near or _level(value, tested) == expected


@pytest.mark.parametrize("level", ORDER)
def test_the_verdict_is_a_sentence_with_the_numbers(level):
    modules, prediction = Agreement(0.815, 0.1, ()), Agreement(-0.25, 0.1, ())
    text = _verdict(level, modules, prediction, 68, 13.6)
    assert re.fullmatch(r"From 68 labels, .*SRCC 0\.8[12] .*-0\.25 .*\(about 14 rows .*\): .*\.", text)
    assert text.count(". ") == 0
    assert len({_verdict(other, modules, prediction, 68, 13.6) for other in ORDER}) == 4


def test_noise_is_not_believed():
    rng = np.random.default_rng(2)
    for seed in range(5):
        architectures = sample(SPACE, 60, rng)
        trust = measure_trust(scorer_of(SPACE, architectures, rng.normal(size=60), members=4, seed=seed))
        assert trust.level in ("none", "low")
        assert f"From {trust.labels} labels" in trust.verdict


def test_members_that_are_all_wrong_are_no_trouble():
    # One row held out by each: no order at all. Two: the order may be the wrong one for all.
    for rows in (4, 5, 8):
        architectures = sample(SPACE, rows, np.random.default_rng(rows))
        scorer = scorer_of(SPACE, architectures, np.arange(float(rows)), members=3)
        flipped = scorer.held_out_sums(0)
        labels = scorer.labels.copy()
        labels[scorer.ensemble.members[0].test] = -flipped
        assert measure_trust(scorer_of(SPACE, architectures, labels, members=1)).level == "none"
