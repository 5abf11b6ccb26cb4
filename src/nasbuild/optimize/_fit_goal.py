"""Fits what a goal needs: its targets, and bounded metrics that are no exact costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nasbuild.builder import is_exact
from nasbuild.errors import TargetError
from nasbuild.optimize._repeats import Progress
from nasbuild.predictor import AnyRecipe
from nasbuild.score import Fit, fit
from nasbuild.search import Goal
from nasbuild.table import Table


def fit_goal(
    table: Table, goal: Goal, recipe: AnyRecipe, seed: int, workers: int, progress: Progress
) -> tuple[Fit | None, str]:
    """Fits the targets, and every bounded metric that is no exact cost; else None and the reason."""
    names = [target.name for target in goal.targets]
    fitted, note = _learnt(table, names, recipe, seed, workers, progress)
    if fitted is None or not goal.bounds:
        return fitted, note
    unknown = [name for name in dict.fromkeys(b.name for b in goal.bounds) if not _expects(fitted, name)]
    if unknown:
        more, note = _learnt(table, unknown, recipe, seed, workers, progress)
        fitted = None if more is None else replace(fitted, targets=(*fitted.targets, *more.targets))
    return fitted, note


def _expects(fitted: Fit, name: str) -> bool:
    """Whether a metric has expected values: it is a target of the fit, or an exact cost."""
    return name in {target_fit.target.name for target_fit in fitted.targets} or is_exact(fitted, name)


def _learnt(
    table: Table,
    names: Sequence[str],
    recipe: AnyRecipe,
    seed: int,
    workers: int,
    progress: Progress,
) -> tuple[Fit | None, str]:
    """Fits targets to the table; else None and the reason."""
    try:
        fitted = fit(
            table,
            names,
            recipe=recipe,
            seed=seed,
            workers=workers,
            baselines=False,
            skip_bad=True,
            progress=lambda what, done, total: progress(what, done, total, ""),
        )
    except TargetError as error:
        return None, f"no fit was possible before it: {error.what}"
    return fitted, ""
