"""What the words depend on: the kind of recipe that a run has, and the names of methods."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from nasbuild.report.data._next_steps import RUN

if TYPE_CHECKING:
    from nasbuild.score import Learnt, Run


def kind_of(run: Run) -> str:
    """``"network"``, ``"additive"`` or ``"baseline"``."""
    from nasbuild.predictor import recipe_kind

    return recipe_kind(run.recipe)


def title_of(recipe: str) -> str:
    """A recipe's method, as it stands in a sentence."""
    from nasbuild.score import METHOD_NAMES

    return METHOD_NAMES.get(recipe, recipe)


def propose_command(run: Run, learnt: Learnt, n: int) -> str:
    """The command that writes what to evaluate next."""
    return f"nasbuild build {RUN} --propose {n}{_of_target(run, learnt)} --out next.jsonl"


def fit_command(run: Run, learnt: Learnt, recipe: str) -> str:
    """The command that fits the same target of the fit's own table with another recipe."""
    seed = f" --seed {run.seed}" if run.seed else ""
    target = shlex.quote(learnt.target.name)
    fit = f"nasbuild fit --space {RUN} --data {RUN} --target {target} --recipe {recipe}{seed}"
    return f"{fit} --out {RUN}-{recipe}"


def _of_target(run: Run, learnt: Learnt) -> str:
    return f" --target {shlex.quote(learnt.target.name)}" if len(run.learnt) > 1 else ""
