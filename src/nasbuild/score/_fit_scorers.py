"""Fits the model of a recipe, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from nasbuild._optional_imports import is_installed
from nasbuild.predictor import (
    AdditiveRecipe,
    AnyRecipe,
    BaselineName,
    BaselineRecipe,
    Recipe,
    fit_ensembles,
    single_changes,
)
from nasbuild.score._additive_scorer import fit_additive, fit_additive_with_proxy
from nasbuild.score._better_method import Baseline
from nasbuild.score._choice_effects import choice_effects
from nasbuild.score._feature_scores import ChoiceScore, feature_scores
from nasbuild.score._gnn_scorer import GNNScorer
from nasbuild.score._held_out import HeldOut, evidence_of
from nasbuild.score._pair_order import pair_order
from nasbuild.score._proxy import ProxyLabels, ProxyWorth, with_best_used, worth_of
from nasbuild.score._proxy_of_singles import worth_of_singles
from nasbuild.score._scorer import Scorer
from nasbuild.score.baselines import fit_baseline, held_out_baseline, ped_anova
from nasbuild.space import Architecture, Space, encode, features_by_name, graph_schema

BASELINES: dict[BaselineName, str] = {"ridge": "sklearn", "lightgbm": "lightgbm"}
"""Baselines that are measured beside a fit, and the package that each needs."""
Problem = tuple[tuple[Architecture, ...], np.ndarray]
"""Architectures and labels of one target."""


@dataclass(frozen=True)
class Fitted:
    """A scorer, predictions for held-out rows, and what each proxy was worth.

    Examples
    --------
    >>> [fitted] = score.fit_scorers(space, [(table.architectures, labels)], recipe("ridge"))
    >>> fitted.scorer.members, len(fitted.parts)
    (5, 5)
    """

    scorer: Scorer
    parts: list[HeldOut]
    worth: tuple[ProxyWorth, ...] = ()


def fit_scorers(
    space: Space,
    problems: Sequence[Problem],
    recipe: AnyRecipe,
    *,
    seed: int = 0,
    workers: int = 1,
    proxies: Sequence[ProxyLabels] = (),
    noises: Sequence[np.ndarray | None] = (),
    signs: Sequence[int] | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Fitted]:
    """Fit one scorer for each target.

    Parameters
    ----------
    signs
        For each target, 1 if high labels are better, -1 if low ones are; None if unknown.
    proxies
        Tried one by one. Of those that the labels confirm, the best is used (recipe ``default`` only).
    noises
        Known variances of each target's labels (`known_noise`), which the same recipe uses.

    Raises
    ------
    TableError
        If there are too few labels.
    NasbuildError
        If a fit diverges, or a worker process ends before its work is done.

    Examples
    --------
    >>> from nasbuild.score import fit_scorers
    >>> problems = [(table.architectures, labels), (table.architectures, table.columns["macs"])]
    >>> [len(fitted.parts) for fitted in fit_scorers(space, problems, recipe("ridge"))]
    [5, 5]
    """
    if isinstance(recipe, Recipe):
        ensembles = fit_ensembles(
            graph_schema(space),
            recipe.shape(space.max_depth),
            [(encode(space, some), labels) for some, labels in problems],
            recipe,
            seed=seed,
            workers=workers,
            progress=progress,
        )
        found = []
        for (architectures, labels), ensemble in zip(problems, ensembles, strict=True):
            scorer = GNNScorer(space, ensemble, architectures, labels)
            found.append(Fitted(scorer, scorer.held_out()))
        return found
    steps = [(1 + len(proxies)) * (1 + min(recipe.folds, len(labels))) for _, labels in problems]
    done = 0

    def step_done() -> None:
        nonlocal done
        done += 1
        progress(done, sum(steps))

    found = []
    each = zip(problems, noises or [None] * len(problems), signs or [0] * len(problems), strict=True)
    for (architectures, labels), noise, sign in each:
        if isinstance(recipe, AdditiveRecipe):
            problem = architectures, labels
            found.append(_fit_additive(space, problem, recipe, proxies, noise, sign, seed, step_done))
        else:
            fitted = fit_baseline(space, architectures, labels, recipe, seed=seed, step_done=step_done)
            found.append(Fitted(*fitted))
    return found


def _fit_additive(
    space: Space,
    problem: Problem,
    recipe: AdditiveRecipe,
    proxies: Sequence[ProxyLabels],
    noise: np.ndarray | None,
    sign: int,
    seed: int,
    step_done: Callable[[], None],
) -> Fitted:
    """Fit without a proxy and with each, and keep what held-out rows confirm."""
    scorer, parts = fit_additive(
        space, *problem, recipe, seed=seed, noise=noise, sign=sign, step_done=step_done
    )
    tried = [
        fit_additive_with_proxy(
            space, *problem, proxy, recipe, seed=seed, noise=noise, sign=sign, step_done=step_done
        )
        for proxy in proxies
    ]
    worth = []
    for proxy, (linked, of_proxy) in zip(proxies, tried, strict=True):
        link = linked.gp.proxy
        if link is None:
            gps = linked.gp, scorer.gp
            worth.append(worth_of_singles(space, problem, proxy, gps, recipe, seed=seed, sign=sign))
        else:
            worth.append(worth_of(proxy, problem, of_proxy, parts, fitted=link.count, evidence=link.evidence))
    worth = with_best_used(worth)
    best = next((found for found, one in zip(tried, worth, strict=True) if one.used), (scorer, parts))
    return Fitted(*best, worth)


def fit_baselines(
    space: Space,
    problem: Problem,
    recipe: AnyRecipe,
    *,
    seed: int,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Baseline, ...]:
    """Measure ridge regression and LightGBM on the same folds; without the recipe itself and absent ones (`absent_baselines`).

    In a table of single changes, their plain sum is measured as well.

    Examples
    --------
    >>> from nasbuild.score import fit_baselines
    >>> beside = fit_baselines(space, (table.architectures, labels), recipe("lightgbm"), seed=0)
    >>> [(baseline.name, round(baseline.modules.mean, 1)) for baseline in beside]
    [('ridge', 0.8)]
    """
    found = []
    names: list[BaselineName] = [name for name, package in BASELINES.items() if is_installed(package)]
    if single_changes(space, problem[0]) is not None:
        names.insert(0, "singles")
    chosen = [BaselineRecipe(name) for name in names if name != recipe.name]
    total = sum(min(one.folds, len(problem[1])) for one in chosen)
    steps = count(1)

    def step_done() -> None:
        progress(next(steps), total)

    for one in chosen:
        held = held_out_baseline(space, *problem, one, seed=seed, step_done=step_done)
        parts = [part for _, part in held]
        evidence = evidence_of(parts, problem[1])
        found.append(Baseline(one.name, evidence.prediction, evidence.modules, pair_order(parts, problem[1])))
    return tuple(found)


def absent_baselines() -> list[str]:
    """Baselines whose package is not installed.

    Examples
    --------
    >>> from nasbuild.score import absent_baselines
    >>> set(absent_baselines()) <= {"ridge", "lightgbm"}
    True
    """
    return [name for name, package in BASELINES.items() if not is_installed(package)]


def choice_scores(scorer: Scorer, recipe: AnyRecipe, sign: int, seed: int) -> list[ChoiceScore]:
    """Scores of feature choices: by the FE-MLP, by PED-ANOVA, or by partial dependence.

    Examples
    --------
    >>> from nasbuild.score import choice_scores
    >>> scores = choice_scores(scorer, fit.recipe, sign=1, seed=0)
    >>> sorted({one.choice for one in scores})
    ['mb_e1_k3', 'mb_e3_k3', 'mb_e6_k5']
    """
    if isinstance(scorer, GNNScorer):
        return feature_scores(scorer.ensemble, encode(scorer.space, scorer.architectures))
    effects = choice_effects(scorer, seed=seed)
    if recipe.name != "ped-anova":
        return effects
    found = ped_anova(scorer.space, scorer.architectures, scorer.labels, maximise=sign > 0)
    merged = features_by_name(scorer.space.stages)

    def importance(one: ChoiceScore) -> float:
        stages = scorer.space.stages
        own = merged[one.feature] if one.stage is None else stages[one.stage].feature(one.feature)
        return found.get((one.stage, one.feature, own.index(one.choice)), 0.0)

    return [
        ChoiceScore(e.feature, e.choice, importance(e), importance(e), 0.0, (), e.nodes, e.stage)
        for e in effects
    ]
