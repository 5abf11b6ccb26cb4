"""The functions of a notebook: fitting, reading a fit, and its methods as functions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, overload

from nasbuild._atomic_write import is_fit_folder
from nasbuild.api._arguments import checked_recipe, texts, whole
from nasbuild.api._explanation import Explanation
from nasbuild.api._fit import Fit, with_verbs
from nasbuild.api._graph_fit import GraphFit, as_graph_fit, fit_graph_table
from nasbuild.api._progress_bar import reporting
from nasbuild.api._rows import Rows
from nasbuild.errors import TargetError
from nasbuild.predictor import AnyRecipe, OperatorRecipe
from nasbuild.score import MAX_MODULES, Progress, fit_rows
from nasbuild.score import Fit as ScoreFit
from nasbuild.score import fit as score_fit
from nasbuild.score import load_fit as load_score_fit
from nasbuild.score.graphs import GraphFit as ScoreGraphFit
from nasbuild.space import Space
from nasbuild.table import GraphTable, Table, read_tables


@overload
def fit(  # pyright: ignore[reportOverlappingOverload]  # anything else is a table of architectures
    table: GraphTable,
    targets: str | Sequence[str],
    *,
    recipe: str | OperatorRecipe = ...,
    seed: int = ...,
    workers: int = ...,
    baselines: bool = ...,
    progress: bool | Progress = ...,
) -> GraphFit: ...
@overload
def fit(
    table: Any,
    targets: str | Sequence[str],
    *,
    space: Space | None = ...,
    recipe: str | AnyRecipe = ...,
    seed: int = ...,
    max_modules: int = ...,
    workers: int = ...,
    baselines: bool = ...,
    skip_bad: bool = ...,
    proxy: str | Sequence[str] = ...,
    progress: bool | Progress = ...,
) -> Fit: ...
def fit(
    table: Any,
    targets: str | Sequence[str],
    *,
    space: Space | None = None,
    recipe: str | AnyRecipe = "default",
    seed: int = 0,
    max_modules: int = MAX_MODULES,
    workers: int = 1,
    baselines: bool = True,
    skip_bad: bool = False,
    proxy: str | Sequence[str] = (),
    progress: bool | Progress = False,
) -> Fit | GraphFit:
    """Learn from a table of evaluated architectures which modules are worth having.

    Parameters
    ----------
    table
        A `nasbuild.table.Table`, or anything that `nasbuild.read_table` reads: a file, a pandas or polars frame, an Optuna
        study. A `Fit` or a fit folder stands for the rows that it was fitted on. A list of these is joined by
        architecture or id (`nasbuild.read_tables`). A `GraphTable` of networks gives a `GraphFit`.
    targets
        Metrics or equations of metrics, such as ``"acc"`` or ``"acc / log10(latency)"``.
    space
        The space of a table that is not a `nasbuild.table.Table`. If None, it is inferred (`nasbuild.infer_space`), and
        ``fit.table.notes`` say how.
    recipe
        ``"default"``, ``"paper"``, ``"mse"``, ``"ridge"``, ``"lightgbm"``, ``"marginal"``, ``"ped-anova"``,
        ``"singles"``, or settings.
    seed
        Equal inputs and seeds give equal results, whatever ``workers``.
    max_modules
        A stage with more modules is searched for its best and worst ones instead of scored whole.
    workers
        Processes that fit.
    baselines
        Measure ridge regression and LightGBM on the same rows, for the verdict.
    skip_bad
        Leave out rows for which an equation has no finite value.
    proxy
        Cheap metrics that may go with the targets, such as accuracy after a short training. Rows that have only the proxy
        are learnt from as well. Of several, the one that held-out labels confirm most is used; one that they do not
        confirm costs nothing. Recipe ``"default"`` only.
    progress
        True for a bar; or what to call with the current activity, how much of it is done, and the total.

    Raises
    ------
    NasbuildError
        If the table or a target can't be used; the message says what is wrong and what to do.

    Examples
    --------
    >>> fit = nb.fit(table, "acc / macs", recipe="ridge", baselines=False)
    >>> list(fit), fit.space.name
    (['acc / macs'], 'digits-macro')
    >>> nb.fit(table, "acc +")
    Traceback (most recent call last):
        ...
    nasbuild.errors.TargetError: equation 'acc +': is not a valid equation (invalid syntax); write it like acc / log10(latency)
    """
    wanted = texts(targets, "targets")
    settings = {
        "seed": whole(seed, "seed", 0),
        "workers": whole(workers, "workers"),
        "baselines": baselines,
    }
    cheap = texts(proxy, "proxy")
    if isinstance(table, GraphTable):
        if cheap:
            raise TargetError("networks are learnt without a proxy", todo="leave proxy out")
        with reporting(progress) as report:
            return fit_graph_table(table, wanted, recipe, progress=report, **settings)
    if not isinstance(table, Table):
        sources = table if isinstance(table, list | tuple) else [table]
        held = [
            fit_rows(source, space) if isinstance(source, ScoreFit) or is_fit_folder(source) else source
            for source in sources
        ]
        table = read_tables(held, space, metrics=[*wanted, *cheap] if space is None else None)
    with reporting(progress) as report:
        found = score_fit(
            table,
            wanted,
            recipe=checked_recipe(recipe),
            max_modules=whole(max_modules, "max_modules"),
            skip_bad=skip_bad,
            proxies=cheap,
            progress=report,
            **settings,
        )
    return with_verbs(found)


def load_fit(folder: str | os.PathLike[str]) -> Fit | GraphFit:
    """Read a fit folder that `Fit.save` or ``nasbuild fit`` wrote; one of graphs gives a `GraphFit`.

    Raises
    ------
    FitError
        If it is no fit folder, or one that is damaged or of another version.

    Examples
    --------
    >>> folder = fit.save("fit")
    >>> nb.load_fit(folder).build(1, target="acc")[0]["id"] == fit.build(1, target="acc")[0]["id"]
    True
    """
    found = load_score_fit(folder)
    return as_graph_fit(found) if isinstance(found, ScoreGraphFit) else with_verbs(found)


def explain(fit: Fit, *, modules: int = 3) -> Explanation:
    """`Fit.explain`, as a function.

    Examples
    --------
    >>> nb.explain(fit)["targets"][0]["target"]
    'acc'
    """
    return fit.explain(modules=modules)


def build(fit: Fit, top: int = 10, **options: Any) -> Rows:
    """`Fit.build`, as a function.

    Examples
    --------
    >>> nb.build(fit, 1, target="acc")[0]["id"] == fit.build(1, target="acc")[0]["id"]
    True
    """
    return fit.build(top, **options)


def build_front(fit: Fit, n: int, **options: Any) -> Rows:
    """`Fit.build_front`, as a function.

    Examples
    --------
    >>> len(nb.build_front(fit, 4, targets=["acc", "macs"]))
    4
    """
    return fit.build_front(n, **options)


def shrink(fit: Fit, k: int = 25, *, targets: Sequence[str] = ()) -> Space:
    """`Fit.shrink`, as a function.

    Examples
    --------
    >>> nb.count_architectures(nb.shrink(fit, 4, targets=["acc"]))  # 4 modules in each of 3 stages
    64
    """
    return fit.shrink(k, targets=targets)
