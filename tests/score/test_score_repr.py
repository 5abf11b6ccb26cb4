"""What a notebook shows of a fit and its parts: one or two short lines with the main facts, never arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from score_samples import HASTY, example_table

from graph_samples import planted_table
from nasbuild.errors import FitError
from nasbuild.predictor import OperatorRecipe, recipe
from nasbuild.score import Fit, fit, predict
from nasbuild.score.graphs import fit_graphs

LONG = "acc" + " + acc / 2" * 30


@pytest.fixture(scope="module", params=["default", "ridge", "paper"])
def fitted(request) -> Fit:
    chosen = HASTY if request.param == "paper" else recipe(request.param, folds=2)
    return fit(example_table(30), ["acc", "latency", LONG], recipe=chosen, baselines=False)


def lines(shown: str, most: int, length: int = 300) -> list[str]:
    """The lines of a repr that is short enough."""
    found = shown.split("\n")
    assert len(found) <= most
    assert all(len(line) <= length for line in found)
    assert "array(" not in shown
    return found


def test_a_fit_shows_its_table_recipe_and_targets(fitted):
    first, second = lines(repr(fitted), most=2)
    assert first == f"Fit: 30 architectures of space 'example', recipe {fitted.recipe.name!r}, seed 0"
    for name, target_fit in zip(("'acc'", "'latency'"), fitted.targets, strict=False):
        srcc = f"{target_fit.trust.prediction.mean + 0.0:.2f}".replace("-0.00", "0.00")
        assert f"{name} (held-out SRCC {srcc}, trust {target_fit.trust.level})" in second


def test_a_target_fit_and_its_parts_show_their_facts(fitted):
    target_fit = fitted["acc"]
    shown = repr(target_fit)
    lines(shown, most=1)
    scored = sum(len(stage) for stage in target_fit.stages)
    assert shown.startswith(
        f"TargetFit('acc', 30 labels, {scored:,} scored modules in 3 stages, held-out SRCC "
    )
    for stage in target_fit.stages:
        lines(repr(stage), most=1)
        assert repr(stage).startswith(
            f"StageScores(stage {stage.stage}, {len(stage)} of {stage.total} modules,"
        )
        assert f"from {stage.score.min():.5g} to {stage.score.max():.5g}" in repr(stage)
    lines(repr(target_fit.trust), most=1)
    assert repr(target_fit.trust).startswith(f"Trust({target_fit.trust.level}: held-out SRCC ")
    assert "30 labels" in repr(target_fit.trust)
    scorer = target_fit.scorer
    lines(repr(scorer), most=1)
    assert f"space 'example', 3 stages, 30 labels, {scorer.members} members" in repr(scorer)
    for name in ("gp", "ensemble"):
        if hasattr(scorer, name):
            lines(repr(getattr(scorer, name)), most=1)


def test_a_prediction_shows_how_many_extrapolate(fitted):
    found = predict(fitted["acc"], fitted.table.architectures[:7])
    assert len(found) == 7
    values = f"from {found.value.min():.5g} to {found.value.max():.5g}"
    assert repr(found) == f"Prediction(7 architectures {values}, {found.extrapolates.sum()} extrapolate)"
    assert repr(predict(fitted["acc"], [])) == "Prediction(0 architectures, 0 extrapolate)"


def test_a_long_target_name_is_cut(fitted):
    assert fitted.targets[2].target.name == LONG
    assert f"'{LONG[:40]}...'" in repr(fitted)
    assert f"'{LONG[:40]}...'" in repr(fitted.targets[2])


def test_of_many_targets_the_first_four_are_shown():
    table = example_table(30)
    names = [f"acc * {n}" for n in range(1, 8)]
    shown = repr(fit(table, names, recipe=recipe("ridge"), baselines=False))
    assert shown.endswith(" and 3 more")
    assert "'acc * 4'" in shown
    assert "'acc * 5'" not in shown


def test_a_fit_is_indexed_by_the_names_of_its_targets(fitted):
    assert list(fitted) == ["acc", "latency", LONG]
    assert len(fitted) == 3
    assert fitted["latency"] is fitted.targets[1]
    assert fitted[" latency "] is fitted.of("latency")
    assert "acc" in fitted
    assert "size" not in fitted
    assert 0 not in fitted
    with pytest.raises(FitError, match="the fit has no target 'size'; allowed: acc, latency, "):
        fitted["size"]


@dataclass(frozen=True, repr=False)
class NotebookFit(Fit):
    """As a package above this one may extend a fit."""


def test_replace_and_with_unseen_keep_a_subclass(fitted):
    extended = NotebookFit(fitted.table, fitted.recipe, fitted.seed, fitted.targets)
    assert type(replace(extended, seed=3)) is NotebookFit
    assert type(extended.with_unseen()) is NotebookFit
    assert repr(extended).startswith("NotebookFit: 30 architectures")
    assert all(target_fit.unseen for target_fit in extended.with_unseen().targets)


def test_a_fit_on_graphs_shows_the_same_facts():
    quick = OperatorRecipe(feature_epochs=2, epochs=2, width=8, hops=2, few=0, members=2)
    found = fit_graphs(planted_table(30), ["acc"], recipe=quick, baselines=False)
    first, second = lines(repr(found), most=2)
    assert first == "GraphFit: 30 networks, recipe 'operators', seed 0"
    assert second.startswith("'acc' (held-out SRCC ")
    assert repr(found["acc"]).startswith("GraphTargetFit('acc', 30 labels, held-out SRCC ")
    assert repr(found["acc"].trust).startswith(f"GraphTrust({found['acc'].trust.level}: held-out SRCC ")
    assert repr(found["acc"].ensemble).startswith(
        "Ensemble(2 members, gatv2, 2 hops, width 8, held-out SRCC "
    )
    assert repr(found["acc"].ensemble.members[0]).startswith(
        "Member(27 rows learnt from, 3 held out, held-out SRCC "
    )
    assert np.isin(list(found), ["acc"]).all()
