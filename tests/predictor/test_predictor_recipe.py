"""Recipes: the paper's settings by default, and no setting that can't be fitted with."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from nasbuild.errors import NasbuildError
from nasbuild.predictor import (
    KINDS,
    RECIPES,
    AdditiveRecipe,
    BaselineRecipe,
    Recipe,
    Shape,
    recipe,
    recipe_from_dict,
    recipe_kind,
)


def test_the_defaults_are_those_of_the_authors():
    paper = RECIPES["paper"]
    assert (paper.convolution, paper.hops, paper.width) == ("gatv2", 4, 32)
    assert (paper.learning_rate, paper.weight_decay, paper.clip) == (1e-4, 1e-5, 5)
    assert (paper.batch, paper.epochs, paper.holdout) == (128, 200, 0.1)
    assert (paper.ranking, paper.ranking_weight) == ("spearman", 1)
    assert paper.folds * paper.repeats == 20


def test_settings_can_be_changed_and_written_down():
    changed = recipe("paper", hops=2, clip=1)
    assert (changed.hops, changed.clip, changed.width) == (2, 1, 32)
    assert RECIPES["paper"].hops == 4
    assert Recipe(**json.loads(json.dumps(changed.as_dict()))) == changed
    assert changed.as_dict() == asdict(changed)


@pytest.mark.parametrize(
    ("hops", "deepest", "expected"), [(4, 3, 4), (4, 5, 4), (4, 6, 5), (1, 1, 1), (2, 9, 8)]
)
def test_there_are_hops_enough_for_the_deepest_stage(hops, deepest, expected):
    assert recipe("paper", hops=hops).shape(deepest) == Shape("gatv2", expected, 32)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("hops", 0),
        ("hops", 1_001),
        ("hops", 2.0),
        ("width", 0),
        ("width", "32"),
        ("width", True),
        ("batch", 1),
        ("epochs", 0),
        ("few", -1),
        ("folds", 1),
        ("repeats", 0),
        ("members", 0),
        ("learning_rate", 0.0),
        ("learning_rate", -1e-3),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("weight_decay", -0.1),
        ("clip", 0),
        ("ranking_weight", -1),
        ("strength", 0),
        ("strength", None),
        ("holdout", 0),
        ("holdout", 1),
        ("convolution", "sage"),
        ("convolution", []),
        ("ranking", "kendall"),
    ],
)
def test_what_can_not_be_fitted_with_is_refused(setting, value):
    with pytest.raises(NasbuildError, match=f"^recipe: {setting} is .*; allowed: "):
        recipe("paper", **{setting: value})


def test_the_name_is_a_text():
    with pytest.raises(NasbuildError, match=r"^recipe: name is 3; allowed: a text"):
        Recipe(name=3)  # pyright: ignore[reportArgumentType]


def test_unknown_recipes_and_settings_are_refused():
    with pytest.raises(
        NasbuildError,
        match="no recipe 'fast'; allowed: default, paper, mse, ridge, lightgbm, marginal, ped-anova",
    ):
        recipe("fast")
    with pytest.raises(NasbuildError, match="no setting 'speed'; allowed: batch, clip, "):
        recipe("paper", speed=3)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_comes_back_from_what_is_written_down(name):
    made, kind = RECIPES[name], recipe_kind(RECIPES[name])
    assert made.name == name
    assert type(made) is KINDS[kind]
    assert recipe_from_dict(kind, json.loads(json.dumps(made.as_dict()))) == made
    assert recipe(name) == made
    assert made.least == 5


def test_kinds_are_distinguished():
    assert {name: recipe_kind(RECIPES[name]) for name in RECIPES} == {
        "default": "additive",
        "paper": "network",
        "mse": "network",
        **dict.fromkeys(("ridge", "lightgbm", "marginal", "ped-anova", "singles"), "baseline"),
    }


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("default", "samples", 1),
        ("default", "folds", 1),
        ("default", "rows", 5_001),
        ("default", "most_rows", 1),
        ("default", "most_rows", 10**6),
        ("default", "prior_width", 0),
        ("default", "prior_width", math.inf),
        ("default", "iterations", 0),
        ("default", "interaction", 1),
        ("default", "without", "module"),
        ("default", "without", [1]),
        ("ridge", "folds", 1.5),
        ("lightgbm", "contexts", 0),
    ],
)
def test_settings_of_other_recipes_are_refused(name, setting, value):
    with pytest.raises(NasbuildError, match=f"^recipe: {setting} is .*; allowed: "):
        recipe(name, **{setting: value})


def test_lists_of_terms_stay_equal_when_written_down():
    made = recipe("default", without=["module"])
    assert made == AdditiveRecipe(without=("module",))
    assert made.as_dict()["without"] == ["module"]


@pytest.mark.parametrize(
    ("kind", "settings", "match"),
    [
        ("magic", {}, "no kind of recipe 'magic'; allowed: additive, network, operators, baseline"),
        ("additive", {"hops": 2}, "can't be read"),
        ("baseline", {"name": "forest"}, "no baseline 'forest'; allowed: ridge"),
        ("network", {"hops": 0}, "hops is 0"),
    ],
)
def test_what_is_no_recipe_is_refused(kind, settings, match):
    with pytest.raises(NasbuildError, match=match):
        recipe_from_dict(kind, settings)


def test_a_baseline_has_no_settings_of_a_network():
    with pytest.raises(NasbuildError, match="'ridge' has no setting 'hops'; allowed: contexts, folds, name"):
        recipe("ridge", hops=2)
    with pytest.raises(NasbuildError, match="name is 3; allowed: a text"):
        BaselineRecipe(name=3)  # pyright: ignore[reportArgumentType]
