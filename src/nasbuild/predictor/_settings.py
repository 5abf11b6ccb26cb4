"""Allowed ranges of a recipe's settings."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, Literal, get_args

from nasbuild.errors import NasbuildError
from nasbuild.predictor.gnn._convolution import Convolution
from nasbuild.predictor.gnn._loss import Ranking

BaselineName = Literal["ridge", "lightgbm", "marginal", "ped-anova", "singles"]

_MANY = 10**9
_WHOLE = {
    "hops": (1, 1_000),
    "width": (1, 65_536),
    # Batch norm and ranks need two graphs.
    "batch": (2, _MANY),
    "epochs": (1, _MANY),
    "feature_epochs": (0, _MANY),
    "few": (0, _MANY),
    "folds": (2, _MANY),
    "repeats": (1, _MANY),
    "members": (1, _MANY),
    "samples": (2, 10_000),
    "rows": (2, 5_000),
    "parts": (1, 100),
    "part_rows": (2, 5_000),
    "most_rows": (2, 20_000),
    "iterations": (1, _MANY),
    "contexts": (1, _MANY),
}
_TINY = 1e-12
_REAL = {
    "learning_rate": (_TINY, math.inf),
    "weight_decay": (0.0, math.inf),
    "clip": (_TINY, math.inf),
    "ranking_weight": (0.0, math.inf),
    "strength": (_TINY, math.inf),
    "holdout": (_TINY, 1.0),
    "prior_width": (_TINY, math.inf),
}
_ONE_OF = {"convolution": get_args(Convolution), "ranking": get_args(Ranking)}


def check_settings(recipe: Any) -> None:
    """Check that every setting of a recipe (a dataclass) is in its allowed range.

    Raises
    ------
    NasbuildError
        Naming the first setting that is not.
    """
    for field in fields(recipe):
        name, value = field.name, getattr(recipe, field.name)
        if name in _WHOLE:
            low, high = _WHOLE[name]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise _refused(name, value, f"{low} to {high}")
        elif name in _REAL:
            low, high = _REAL[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < high:
                allowed = "numbers from 0" if low == 0 else "numbers above 0"
                raise _refused(name, value, allowed + (f" and below {high:g}" if high < math.inf else ""))
        elif name in _ONE_OF and value not in _ONE_OF[name]:
            raise _refused(name, value, _ONE_OF[name])
        elif name in ("interaction", "radial") and not isinstance(value, bool):
            raise _refused(name, value, (True, False))
        elif name == "without":
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise _refused(name, value, "a list of texts")
            object.__setattr__(recipe, name, tuple(value))
    if not isinstance(recipe.name, str):
        raise _refused("name", recipe.name, "a text")


def _refused(name: str, value: object, allowed: Any) -> NasbuildError:
    return NasbuildError(f"{name} is {value!r}", where="recipe", allowed=allowed)
