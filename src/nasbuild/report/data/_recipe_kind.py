"""The kind of recipe of a fit, and display names of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.score import Fit


def kind_of(fit: Fit) -> str:
    """Returns ``"network"``, ``"additive"`` or ``"baseline"``."""
    from nasbuild.predictor import recipe_kind

    return recipe_kind(fit.recipe)


def title_of(recipe: str) -> str:
    """Returns the display name of a recipe's method."""
    from nasbuild.score import METHOD_NAMES

    return METHOD_NAMES.get(recipe, recipe)
