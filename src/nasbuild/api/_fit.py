"""A fit with the verbs of a notebook."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild.api._build_part import BuiltPart, Wanted, swept_parts
from nasbuild.api._explanation import Explanation
from nasbuild.api._failing_note import failing_note
from nasbuild.api._rows import Rows
from nasbuild.builder import read_sweep, reduce_space
from nasbuild.errors import NasbuildError
from nasbuild.predictor import AnyRecipe, recipe_kind
from nasbuild.predictor import recipe as named_recipe
from nasbuild.report import explain_data, write_report
from nasbuild.score import Fit as ScoreFit
from nasbuild.score import Progress, module_rows, prediction_rows, restrict_fit, save_fit, with_failures
from nasbuild.score import fit as score_fit
from nasbuild.score import load_fit as load_score_fit
from nasbuild.score.graphs import GraphFit
from nasbuild.space import Architecture, Space, architecture_id, fix_parts, module_id
from nasbuild.table import Table, read_table

if TYPE_CHECKING:
    import pandas as pd

WAYS = ("shortlist", "score", "prediction", "exhaustive")
"""How `Fit.build` chooses."""


@dataclass(frozen=True, repr=False)
class Fit(ScoreFit):
    """The result of learning from a table, with everything that can be done with it.

    ``fit["acc"]`` is what was learnt about one target. Created by `nasbuild.fit` or `nasbuild.load_fit`.

    Examples
    --------
    >>> import nasbuild as nb
    >>> fit = nb.fit(nb.load_builtin("digits-macro").select(range(0, 1728, 29)), "loss", recipe="ridge")
    >>> [row["id"] for row in fit.build(3)] == [row["id"] for row in fit.build(10)[:3]]
    True
    """

    def explain(self, *, modules: int = 3) -> Explanation:
        """What matters: how far to believe the fit, feature choices, the best and worst modules of each stage.

        Parameters
        ----------
        modules
            How many of the best and of the worst modules of each stage.
        """
        return Explanation(explain_data(self, modules=modules))

    def predict(self, architectures: Iterable[Architecture], *, target: str | None = None) -> Rows:
        """Predictions of architectures, a row for each: ``id``, ``prediction`` and ``std`` in the target's unit.

        ``shares`` holds the score of each stage's module, ``extrapolates`` whether the row lies beyond the table.

        Raises
        ------
        FitError
            If there is no such target.
        """
        target_fit = self.of(target)
        rows = prediction_rows(target_fit, [(architecture_id(self.space, a), a) for a in architectures])
        return Rows(rows, f"{len(rows):,} predictions of {target_fit.target.name}")

    def build(
        self,
        top: int = 10,
        *,
        target: str | None = None,
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        by: str | None = None,
        k: int | None = None,
        apart: int = 1,
        unseen: bool = False,
        may_fail: bool = False,
    ) -> Rows:
        """The best architectures; nothing is searched or evaluated.

        Parameters
        ----------
        top
            How many.
        where
            Bounds, such as ``"params <= 3.2e6"``; ``"bytes <= 1e9 | 2e9"`` builds for each value.
        fix
            Parts held fixed, such as ``"stage3.depth = 2"``.
        by
            ``"shortlist"`` (the default: the best prediction of the best by score), ``"score"``, ``"prediction"`` or
            ``"exhaustive"``.
        k
            Combine the ``k`` best modules of each stage only.
        apart
            Stages in which any two differ, at least.
        unseen
            Also modules with choices or depths that no labelled architecture has.
        may_fail
            Also where rows of the table have no value.

        Returns
        -------
        Rows with ``id``, ``arch``, ``score``, ``prediction``, ``std``, ``extrapolates`` and known ``metrics``.

        Raises
        ------
        Infeasible
            If nothing is within the bounds.
        NasbuildError
            If options exclude each other.
        """
        if by not in (None, *WAYS):
            raise NasbuildError(f"{by!r} is not a build criterion", where="by", allowed=WAYS)
        if k is not None and (where or apart > 1 or by == "exhaustive"):
            raise NasbuildError("k excludes where, apart and by='exhaustive'", todo="leave one of them out")
        if by == "exhaustive" and where:
            raise NasbuildError("by='exhaustive' and where exclude each other", todo="leave one of them out")
        by = by or ("score" if recipe_kind(self.recipe) == "network" else "shortlist")
        names = (target,) if target else ()
        return self._built(Wanted(names, top, None, None, k, apart, by), where, fix, unseen, may_fail)

    def build_front(
        self,
        n: int,
        *,
        targets: Sequence[str] = (),
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        unseen: bool = False,
        may_fail: bool = False,
    ) -> Rows:
        """``n`` architectures along the predicted Pareto front of several targets (all of the fit if none are named)."""
        return self._built(Wanted(targets, 10, n, None, None, 1, "shortlist"), where, fix, unseen, may_fail)

    def propose(
        self,
        n: int,
        *,
        target: str | None = None,
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        may_fail: bool = False,
    ) -> Rows:
        """``n`` architectures to evaluate next, by Thompson sampling: likely to be the best, or to teach what is."""
        wanted = Wanted((target,) if target else (), 10, None, n, None, 1, "shortlist")
        return self._built(wanted, where, fix, False, may_fail)

    def shrink(self, k: int = 25, *, targets: Sequence[str] = ()) -> Space:
        """The space reduced to the ``k`` best modules of each stage, united over targets, for a search."""
        return reduce_space([self.of(name) for name in targets] or list(self.targets), k)

    def modules(self, *, target: str | None = None, stage: str | None = None, top: int | None = None) -> Rows:
        """Module scores in the target's unit, best first: ``stage``, ``module``, ``score``, ``std``."""
        target_fit = self.of(target)
        wanted = None if stage is None else self.space.stage_index(stage)
        rows: list[dict[str, Any]] = []
        for scores in target_fit.stages:
            if wanted in (None, scores.stage):
                best = scores.best(target_fit.target.sign, top)
                definition = self.space.stages[scores.stage]
                for rank, row in zip(
                    best, module_rows(self.space, target_fit.target.name, scores, best), strict=True
                ):
                    name = module_id(definition, scores.module(self.space, int(rank)))
                    rows.append({"id": name, **row, "stage": definition.name})
        return Rows(rows, f"{len(rows):,} module scores of {target_fit.target.name}")

    def report(self, path: str | os.PathLike[str], *, top: int = 10) -> Path:
        """Write the report, one page that needs nothing else (``.html``; ``.pdf`` where there is a Chromium)."""
        write_report(self, path, top=top)
        return Path(path)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the fit folder; `nasbuild.load_fit` reads it."""
        save_fit(self, folder, overwrite=overwrite)
        return Path(folder)

    def to_pandas(self, *, target: str | None = None) -> pd.DataFrame:
        """Module scores as a pandas frame, each module by its readable id."""
        return self.modules(target=target).to_pandas()

    def __repr__(self) -> str:
        lines = [
            f"Fit of {len(self.table):,} architectures of {self.space.name!r} by recipe {self.recipe.name!r}"
        ]
        lines += [f"  {one.target.name}: {one.trust.verdict}" for one in self.targets]
        return "\n".join(lines)

    def _built(
        self,
        wanted: Wanted,
        where: str | Sequence[str],
        fix: str | Sequence[str],
        unseen: bool,
        may_fail: bool,
    ) -> Rows:
        used: ScoreFit = self.with_unseen() if unseen else self
        if fix:
            used = restrict_fit(used, fix_parts(used.space, [fix] if isinstance(fix, str) else fix))
        every = used.targets if wanted.front else used.targets[:1]
        names = list(wanted.targets) or [one.target.name for one in every]
        if not may_fail:
            used = with_failures(used, names)
        sweep = read_sweep([where] if isinstance(where, str) else where)
        parts, infeasible = swept_parts(used, wanted, sweep)
        failing = failing_note(used, names, [part.risk for part in parts])
        return Rows(
            [row for part in parts for row in part.rows],
            "; ".join(dict.fromkeys(part.title for part in parts)),
            [*_notes(parts), *([failing] if failing else []), *infeasible],
        )


def _notes(parts: Sequence[BuiltPart]) -> list[str]:
    return list(dict.fromkeys(text for part in parts for text in (part.note, part.remark) if text))


def with_verbs(fit: ScoreFit) -> Fit:
    """A fit as one that has the verbs."""
    return Fit(**{field.name: getattr(fit, field.name) for field in fields(ScoreFit)})


def fit(
    table: Any,
    targets: str | Sequence[str],
    *,
    space: Space | None = None,
    recipe: str | AnyRecipe = "default",
    seed: int = 0,
    workers: int = 1,
    baselines: bool = True,
    skip_bad: bool = False,
    progress: Progress = lambda *_: None,
) -> Fit:
    """Learn from a table of evaluated architectures which modules are worth having.

    Parameters
    ----------
    table
        A `nasbuild.table.Table`, or anything that `nasbuild.read_table` reads: a file, a pandas or polars frame, an Optuna
        study.
    targets
        Metrics or equations of metrics, such as ``"acc"`` or ``"acc / log10(latency)"``.
    space
        The space of a table that is not a `nasbuild.table.Table`. If None, it is inferred (`nasbuild.infer_space`), and
        ``fit.table.notes`` say how.
    recipe
        ``"default"``, ``"paper"``, ``"mse"``, ``"ridge"``, ``"lightgbm"``, ``"marginal"``, ``"ped-anova"``, or settings.
    seed
        Equal inputs and seeds give equal results, whatever ``workers``.
    workers
        Processes that fit.
    baselines
        Measure ridge regression and LightGBM on the same rows, for the verdict.
    skip_bad
        Leave out rows for which an equation has no finite value.

    Raises
    ------
    NasbuildError
        If the table or a target can't be used; the message says what is wrong and what to do.
    """
    wanted = [targets] if isinstance(targets, str) else list(targets)
    if not isinstance(table, Table):
        table = read_table(table, space, metrics=wanted if space is None else None)
    found = score_fit(
        table,
        wanted,
        recipe=named_recipe(recipe) if isinstance(recipe, str) else recipe,
        seed=seed,
        workers=workers,
        baselines=baselines,
        skip_bad=skip_bad,
        progress=progress,
    )
    return with_verbs(found)


def load_fit(folder: str | os.PathLike[str]) -> Fit | GraphFit:
    """Read a fit folder that `Fit.save` or ``nasbuild fit`` wrote; one of graphs gives a `GraphFit`.

    Raises
    ------
    FitError
        If it is no fit folder, or one that is damaged or of another version.
    """
    found = load_score_fit(folder)
    return found if isinstance(found, GraphFit) else with_verbs(found)


def explain(fit: Fit, *, modules: int = 3) -> Explanation:
    """`Fit.explain`, as a function."""
    return fit.explain(modules=modules)


def build(fit: Fit, top: int = 10, **options: Any) -> Rows:
    """`Fit.build`, as a function."""
    return fit.build(top, **options)


def build_front(fit: Fit, n: int, **options: Any) -> Rows:
    """`Fit.build_front`, as a function."""
    return fit.build_front(n, **options)


def shrink(fit: Fit, k: int = 25, *, targets: Sequence[str] = ()) -> Space:
    """`Fit.shrink`, as a function."""
    return fit.shrink(k, targets=targets)
