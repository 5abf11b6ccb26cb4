"""Suspect labels: found where labels are wrong, and only there."""

from __future__ import annotations

from collections.abc import Sequence
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
    Evidence,
    HeldOut,
    SuspectLabel,
    fit,
    fit_additive,
    load_fit,
    measure_trust,
    save_fit,
    suspect_labels,
)
from nasbuild.space import Architecture, Feature, Space, Stage
from nasbuild.table import Table, load_builtin

FEW = AdditiveRecipe(samples=4, folds=4)
QUICK = AdditiveRecipe(samples=2, folds=3, iterations=20, interaction=False)


PAIR = Space("pair", (Stage("one", (1, 2), (Feature("op", ("a", "b", "c")),)),))


@dataclass
class Scored:
    """A scorer of which the rows and the scale alone matter."""

    architectures: tuple[Architecture, ...]
    has_fitted_scale: bool = True
    space: Space = PAIR


def scored(rows: int, alone: Sequence[int] = ()) -> Scored:
    """Rows that share all they have, but for those that alone have two layers, or choice c."""
    found = [Architecture(((("a",),) if n % 2 else (("b",),),)) for n in range(rows)]
    for row, module in zip(alone, ((("a",), ("b",)), (("c",),)), strict=False):
        found[row] = Architecture((module,))
    return Scored(tuple(found))


def parts_of(missed: np.ndarray, deviation: np.ndarray | float) -> list[HeldOut]:
    """Two folds, their rows in no order."""
    order, stated = np.random.default_rng(1).permutation(len(missed)), np.broadcast_to(deviation, len(missed))
    return [
        HeldOut(test, -missed[test], -missed[test], residual=missed[test], deviation=stated[test])
        for test in np.array_split(order, 2)
    ]


@given(st.integers(0, 50), st.integers(1, 4), st.floats(1e-3, 0.2))
def test_deviations_are_scipys_of_the_median(seed, wrong, noise):
    rng = np.random.default_rng(seed)
    missed = noise * rng.normal(size=60)
    rows = rng.choice(60, wrong, replace=False)
    missed[rows] += rng.choice([-3, 3], wrong)
    away = np.abs(missed - np.median(missed)) / median_abs_deviation(missed, scale="normal")
    found = suspect_labels(scored(60), parts_of(missed, noise), np.zeros(60))
    assert {one.row for one in found} >= set(rows)
    assert [one.row for one in found] == sorted((one.row for one in found), key=lambda row: -away[row])
    for one in found:
        assert one.deviations == pytest.approx(away[one.row])
        assert one.deviations > 5.5
        assert (one.label, one.expected) == (0, -missed[one.row])


def test_small_misses_are_none_however_well_all_else_is_predicted():
    missed = 1e-9 * np.random.default_rng(0).normal(size=40)
    missed[7] = 0.4  # of the labels' deviation
    assert suspect_labels(scored(40), parts_of(missed, 1e-9), np.zeros(40)) == ()
    missed[7] = 0.6
    assert [one.row for one in suspect_labels(scored(40), parts_of(missed, 1e-9), np.zeros(40))] == [7]
    assert suspect_labels(scored(40), parts_of(np.zeros(40), 1e-9), np.zeros(40)) == ()


@pytest.mark.parametrize(("stated", "named"), [(0.1, True), (0.3, True), (0.5, False), (2.0, False)])
def test_a_prediction_that_is_unsure_of_a_row_accuses_it_less(stated, named):
    missed, deviation = 0.1 * np.random.default_rng(0).normal(size=40), np.full(40, 0.1)
    missed[3], deviation[3] = 2.0, stated
    found = suspect_labels(scored(40), parts_of(missed, deviation), np.zeros(40))
    assert bool(found) == named


@pytest.mark.parametrize("row", [3, 8])
def test_a_row_that_alone_has_something_is_never_suspect(row):
    missed = 0.1 * np.random.default_rng(0).normal(size=40)
    missed[row] = 50.0
    assert suspect_labels(scored(40, (3, 8)), parts_of(missed, 0.1), np.zeros(40)) == ()
    assert [one.row for one in suspect_labels(scored(40), parts_of(missed, 0.1), np.zeros(40))] == [row]


def test_the_most_important_of_single_changes_is_not_suspect():
    """A reference, each of 12 parts switched off alone, one of which ruins the network, and pairs of the others."""
    space = Space("parts", tuple(Stage(f"s{u}", (1,), (Feature("part", ("on", "off")),)) for u in range(12)))
    rng = np.random.default_rng(0)
    worth = np.append(rng.uniform(0.5, 1.5, 11), 40.0)
    off = np.vstack([np.zeros((1, 12)), np.eye(12), (rng.random((20, 12)) < 0.2) * (np.arange(12) < 11)])
    some = tuple(Architecture(tuple((("off" if o else "on",),) for o in row)) for row in off)
    scorer, parts = fit_additive(space, some, off @ worth, QUICK)
    assert not {one.row for one in suspect_labels(scorer, parts, off @ worth)} & {12}


def test_where_the_scale_is_not_fitted_nothing_is_suspect():
    labels = np.array([*np.linspace(1, 2, 30), 500.0])
    assert (
        suspect_labels(replace(scored(31), has_fitted_scale=False), parts_of(labels - 1.5, 0.1), labels) == ()
    )
    assert suspect_labels(scored(31), [HeldOut(np.arange(31), labels, labels)], labels) == ()
    assert suspect_labels(scored(31), [], labels) == ()


@pytest.mark.parametrize(("modules", "told"), [(0.9, 1), (0.7, 1), (0.3, 0), (-0.2, 0)])
def test_scores_that_are_no_more_than_a_hint_name_no_suspect(modules, told):
    table = few(30)
    scorer = fit(table, ["loss"], recipe=FEW, baselines=False).targets[0].scorer
    agreed = Agreement.of([modules] * 4)
    evidence = Evidence((), agreed, agreed, None, 50, 200)
    trust = measure_trust(scorer, evidence, suspects=[SuspectLabel(3, 1.0, 2.0, 9.0)])
    assert len(trust.suspects) == told


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
    assert fit(clean, ["loss"], recipe=FEW, baselines=False).targets[0].trust.suspects == ()
    fitted = fit(mixed, ["loss"], recipe=FEW, baselines=False)
    suspects = fitted.targets[0].trust.suspects
    wrong = np.flatnonzero(clean.columns["loss"] != mixed.columns["loss"])
    assert sorted(one.row for one in suspects) == sorted(wrong.tolist())
    truth = clean.columns["loss"]
    assert [abs(one.expected - truth[one.row]) < abs(one.label - truth[one.row]) / 2 for one in suspects] == [
        True
    ] * 2
    save_fit(fitted, tmp_path / "run")
    assert load_fit(tmp_path / "run").targets[0].trust == fitted.targets[0].trust


@pytest.mark.parametrize("other", [HASTY, recipe("ridge", folds=3)], ids=["network", "ridge"])
def test_other_recipes_suspect_no_label(other):
    assert fit(few(40, swapped=True), ["loss"], recipe=other, baselines=False).targets[0].trust.suspects == ()
