"""Recipes: the paper's settings by default, and no setting that can't be fitted with."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from nasbuild.errors import NasbuildError
from nasbuild.predictor import RECIPES, Recipe, Shape, recipe


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
        NasbuildError, match="no recipe 'fast'; allowed: default, paper, ridge, lightgbm, marginal, ped-anova"
    ):
        recipe("fast")
    with pytest.raises(NasbuildError, match="no setting 'speed'; allowed: batch, clip, "):
        recipe("paper", speed=3)
