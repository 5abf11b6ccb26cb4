"""What the words depend on: the kind of recipe that a run has, and the names of methods."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from nasbuild.report.data._next_steps import RUN

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit


def kind_of(fit: Fit) -> str:
    """``"network"``, ``"additive"`` or ``"baseline"``."""
    from nasbuild.predictor import recipe_kind

    return recipe_kind(fit.recipe)


def title_of(recipe: str) -> str:
    """A recipe's method, as it stands in a sentence."""
    from nasbuild.score import METHOD_NAMES

    return METHOD_NAMES.get(recipe, recipe)


def propose_command(fit: Fit, target_fit: TargetFit, n: int) -> str:
    """The command that writes what to evaluate next."""
    return f"nasbuild build {RUN} --propose {n}{_of_target(fit, target_fit)} --out next.jsonl"


def fit_command(fit: Fit, target_fit: TargetFit, recipe: str) -> str:
    """The command that fits the same target of the fit's own table with another recipe."""
    seed = f" --seed {fit.seed}" if fit.seed else ""
    target = shlex.quote(target_fit.target.name)
    call = f"nasbuild fit --space {RUN} --data {RUN} --target {target} --recipe {recipe}{seed}"
    return f"{call} --out {RUN}-{recipe}"


def _of_target(fit: Fit, target_fit: TargetFit) -> str:
    return f" --target {shlex.quote(target_fit.target.name)}" if len(fit.targets) > 1 else ""
