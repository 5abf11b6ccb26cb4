"""The order among the better part: against scipy on the rows that are in it, and silence where it can't be told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from score_samples import SPACE, random_scorer

from nasbuild.score import Evidence, HeldOut, better_parts, evidence_of, measure_trust
from nasbuild.score._trust import better_part_text


def parts_of(sums: np.ndarray, prediction: np.ndarray, folds: int = 5) -> list[HeldOut]:
    order = np.random.default_rng(3).permutation(len(sums))
    return [HeldOut(test, prediction[test], sums[test]) for test in np.array_split(order, folds)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_scipys_correlation_of_the_best_by_their_labels(sign, seed):
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=90)
    sums, prediction = labels + 0.5 * rng.normal(size=90), labels + 0.3 * rng.normal(size=90)
    found = better_parts(parts_of(sums, prediction), labels, sign)
    best = np.argsort(-sign * labels)
    for part, rows in zip(found, (45, 30), strict=True):
        assert part.rows == rows
        some = best[:rows]
        expected = spearmanr(sums[some], labels[some]).statistic
        assert part.modules == pytest.approx(expected)
        assert part.prediction == pytest.approx(spearmanr(prediction[some], labels[some]).statistic)
        away = norm.ppf(0.975) / np.sqrt(rows - 3)
        assert (part.low, part.high) == pytest.approx(
            (np.tanh(np.arctanh(expected) - away), np.tanh(np.arctanh(expected) + away)), abs=1e-3
        )


def test_a_trace_is_ordered_well_as_a_whole_and_hardly_at_its_end():
    """Bad rows that all methods tell, good ones that differ by noise alone."""
    rng = np.random.default_rng(0)
    true = np.where(np.arange(200) < 100, np.linspace(0, 5, 200), 10.0)
    labels, sums = true + 0.2 * rng.normal(size=200), true + 0.2 * rng.normal(size=200)
    parts = parts_of(sums, sums)
    half = better_parts(parts, labels, 1)[0]
    assert evidence_of(parts, labels).modules.mean > 0.7
    assert abs(half.modules or 0) < 0.3
    assert "no order is shown" in better_part_text(half)


def test_a_row_that_several_fits_held_out_counts_once_with_their_mean():
    labels = np.arange(40.0)
    one, other = labels.copy(), labels.copy()
    one[[38, 39]], other[[38, 39]] = (39, 38), (38, 41)
    test = np.arange(40)
    found = better_parts([HeldOut(test, v, v) for v in (one, other)], labels, 1)
    assert [(part.rows, part.modules) for part in found] == [(20, 1.0), (13, 1.0)]


def test_few_rows_tell_nothing_and_say_so():
    labels = np.random.default_rng(0).normal(size=22)
    found = better_parts(parts_of(labels, labels), labels, 1)
    assert [(part.rows, part.modules, part.low) for part in found] == [(11, None, None), (7, None, None)]
    text = better_part_text(found[0])
    assert text == "11 held-out rows are too few to measure the order among the better half."
    alike = np.where(np.arange(60) < 30, np.arange(60.0), 99.0)
    assert better_parts(parts_of(alike, alike), alike, 1)[0].modules is None


def test_the_verdict_says_it_where_scores_are_believed_at_all():
    rng = np.random.default_rng(1)
    labels = rng.normal(size=100)
    for noise, told in ((0.1, True), (1e3, False)):
        parts = parts_of(labels + noise * rng.normal(size=100), labels)
        found: Evidence = evidence_of(parts, labels)
        trust = measure_trust(random_scorer(SPACE, 1), found, better_part=better_parts(parts, labels, 1))
        assert ("Among the better half alone it is 0.9" in trust.verdict) == told
        assert len(trust.better_part) == 2
