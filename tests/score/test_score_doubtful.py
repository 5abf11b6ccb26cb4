"""Labels that all other rows speak against: found where they are, not invented where they are not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation
from score_samples import HASTY

from nasbuild.predictor import AdditiveRecipe, recipe
from nasbuild.score import (
    Agreement,
    Doubtful,
    Evidence,
    HeldOut,
    doubtful_labels,
    learn,
    load_run,
    measure_trust,
    save_run,
)
from nasbuild.table import Table, load_builtin

FEW = AdditiveRecipe(samples=4, folds=4)


@dataclass
class Bent:
    """A scorer of which the scale alone matters: scores add up to the logarithm of labels."""

    scaled: bool = True

    def sum_at(self, label: float) -> float:
        return float(np.log(label))


def parts_of(expected: np.ndarray) -> list[HeldOut]:
    """Two folds, their rows in no order."""
    order = np.random.default_rng(1).permutation(len(expected))
    return [HeldOut(test, expected[test], expected[test]) for test in np.array_split(order, 2)]


@given(st.integers(0, 50), st.integers(1, 4), st.floats(1e-3, 0.2))
def test_deviations_are_scipys_of_the_median_on_the_scale_of_the_scores(seed, wrong, noise):
    rng = np.random.default_rng(seed)
    expected = np.exp(rng.normal(size=60))
    labels = expected * np.exp(noise * rng.normal(size=60))
    rows = rng.choice(60, wrong, replace=False)
    labels[rows] *= np.exp(rng.choice([-3, 3], wrong))
    missed = np.log(labels) - np.log(expected)
    away = np.abs(missed - np.median(missed)) / median_abs_deviation(missed, scale="normal")
    found = doubtful_labels(Bent(), parts_of(expected), labels)
    assert {one.row for one in found} >= set(rows)
    assert [one.row for one in found] == sorted((one.row for one in found), key=lambda row: -away[row])
    for one in found:
        assert one.deviations == pytest.approx(away[one.row])
        assert one.deviations > 6
        assert (one.label, one.expected) == (labels[one.row], expected[one.row])


def test_small_misses_are_none_however_well_all_else_is_predicted():
    expected = np.exp(np.linspace(-2, 2, 40))
    labels = expected * np.exp(1e-9 * np.random.default_rng(0).normal(size=40))
    labels[7] *= 1.5  # 0.4 on a scale on which labels deviate by 1.2
    assert doubtful_labels(Bent(), parts_of(expected), labels) == ()
    labels[7] *= 1.5
    assert [one.row for one in doubtful_labels(Bent(), parts_of(expected), labels)] == [7]
    assert doubtful_labels(Bent(), parts_of(labels), labels) == ()


def test_where_the_scale_is_not_fitted_nothing_is_doubted():
    labels = np.array([*np.linspace(1, 2, 30), 500.0])
    assert doubtful_labels(Bent(scaled=False), parts_of(np.full(31, 1.5)), labels) == ()
    assert doubtful_labels(Bent(), [], labels) == ()


@pytest.mark.parametrize(("modules", "told"), [(0.9, 1), (0.7, 1), (0.3, 0), (-0.2, 0)])
def test_scores_that_are_no_more_than_a_hint_doubt_no_label(modules, told):
    table = few(30)
    scorer = learn(table, ["loss"], recipe=FEW, rivals=False).learnt[0].scorer
    agreed = Agreement.of([modules] * 4)
    evidence = Evidence((), agreed, agreed, None, 50, 200)
    trust = measure_trust(scorer, evidence, doubtful=[Doubtful(3, 1.0, 2.0, 9.0)])
    assert len(trust.doubtful) == told


def few(rows: int = 100, *, swapped: bool = False) -> Table:
    """Trained networks; if ``swapped``, a good one and a bad one have each other's labels."""
    whole = load_builtin("digits-macro")
    table = whole.select(np.sort(np.random.default_rng(3).permutation(len(whole))[:rows]))
    loss = table.columns["loss"].copy()
    if swapped:
        order = np.argsort(loss)
        pair = order[[rows // 20, -rows // 20]]
        loss[pair] = loss[pair[::-1]]
    return replace(table, columns={**table.columns, "loss": loss})


def test_two_real_labels_that_were_swapped_are_found_and_no_other(tmp_path):
    clean, mixed = few(), few(swapped=True)
    assert learn(clean, ["loss"], recipe=FEW, rivals=False).learnt[0].trust.doubtful == ()
    run = learn(mixed, ["loss"], recipe=FEW, rivals=False)
    doubtful = run.learnt[0].trust.doubtful
    wrong = np.flatnonzero(clean.columns["loss"] != mixed.columns["loss"])
    assert sorted(one.row for one in doubtful) == sorted(wrong.tolist())
    truth = clean.columns["loss"]
    assert [abs(one.expected - truth[one.row]) < abs(one.label - truth[one.row]) / 2 for one in doubtful] == [
        True
    ] * 2
    save_run(run, tmp_path / "run")
    assert load_run(tmp_path / "run").learnt[0].trust == run.learnt[0].trust


@pytest.mark.parametrize("other", [HASTY, recipe("ridge", folds=3)], ids=["network", "ridge"])
def test_other_recipes_doubt_no_label(other):
    assert learn(few(40, swapped=True), ["loss"], recipe=other, rivals=False).learnt[0].trust.doubtful == ()
