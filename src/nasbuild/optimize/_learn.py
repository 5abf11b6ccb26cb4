"""What a loop learns from its evaluations: a fit of targets and bounds, and a model of failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.builder import is_exact
from nasbuild.errors import TargetError
from nasbuild.optimize._repeats import Progress
from nasbuild.optimize._round_summary import metric_columns
from nasbuild.predictor import AnyRecipe
from nasbuild.score import Failures, Fit, fit, fit_failures
from nasbuild.search import Goal, Metrics
from nasbuild.space import Architecture, Space
from nasbuild.table import Table, table_from_evaluations


@dataclass(frozen=True, eq=False)
class Learned:
    """What the evaluations so far say about those to come.

    Attributes
    ----------
    fit
        Fit of the targets and of bounded metrics; None if nothing could be learned yet.
    failures
        Model of where evaluations fail; None if none failed, or failures look random.
    note
        Why there is no fit; empty otherwise, and before the first evaluations.

    Examples
    --------
    >>> from nasbuild.optimize import Learned
    >>> Learned().fit is None, Learned().failures is None  # before the first evaluations
    (True, True)
    """

    fit: Fit | None = None
    failures: Failures | None = None
    note: str = ""


def learn(
    space: Space,
    goal: Goal,
    known: Mapping[Architecture, Metrics],
    *,
    recipe: AnyRecipe,
    seed: int,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> Learned:
    """Fits targets and bounded metrics, and where evaluations fail.

    Parameters
    ----------
    known
        Metrics of evaluated architectures with the declared costs of the goal (`with_costs`), in the order of
        their evaluation; empty for a failed one.

    Examples
    --------
    >>> from nasbuild.optimize import learn
    >>> found = state.evaluated
    >>> rows = zip(found.values[:, 0], found.bounded["macs"], strict=True)
    >>> known = {a: {"acc": acc, "macs": macs} for a, (acc, macs) in zip(found.architectures, rows, strict=True)}
    >>> learned = learn(space, goal, known, recipe=recipe("ridge"), seed=0)
    >>> learned.fit["acc"].trust.labels, learned.failures is None, learned.note
    (28, True, '')
    """
    if not known:
        return Learned()
    fitted, note = _fitted(table_from_evaluations(space, known), goal, recipe, seed, workers, progress)
    columns = metric_columns(goal, space, known)
    values = [*goal.values(columns).T, *(columns[bound.name] for bound in goal.bounds)]
    failed = np.asarray(np.isnan(np.column_stack(values)).any(axis=1))
    return Learned(fitted, fit_failures(space, list(known), failed), note)


def with_costs(
    goal: Goal, space: Space, measured: Mapping[Architecture, Metrics]
) -> dict[Architecture, Metrics]:
    """Adds the declared costs of the goal to measured metrics.

    Examples
    --------
    >>> from nasbuild.optimize import with_costs
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> small = space_from_yaml(
    ...     "{name: small, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}],"
    ...     " metrics: {acc: {direction: maximize}}, costs: {macs: {sum: [{product: 2 * kernel^2}]}}}"
    ... )
    >>> cheap = parse_goal(small, ["acc"], ["macs <= 40"], small.metrics)
    >>> one = Architecture((((3,), (5,)),))
    >>> with_costs(cheap, small, {one: {"acc": 0.9}})[one]
    {'macs': 68.0, 'acc': 0.9}
    """
    exact = goal.exact(space, list(measured))
    return {
        a: {**{name: float(exact[name][i]) for name in sorted(goal.costs)}, **metrics}
        for i, (a, metrics) in enumerate(measured.items())
    }


def _fitted(
    table: Table, goal: Goal, recipe: AnyRecipe, seed: int, workers: int, progress: Progress
) -> tuple[Fit | None, str]:
    """Fits the targets, and every bounded metric that is no exact cost; else None and the reason."""
    names = [target.name for target in goal.targets]
    fitted, note = _fit_or_reason(table, names, recipe, seed, workers, progress)
    if fitted is None or not goal.bounds:
        return fitted, note
    unknown = [name for name in dict.fromkeys(b.name for b in goal.bounds) if not _expects(fitted, name)]
    if unknown:
        more, note = _fit_or_reason(table, unknown, recipe, seed, workers, progress)
        fitted = None if more is None else replace(fitted, targets=(*fitted.targets, *more.targets))
    return fitted, note


def _expects(fitted: Fit, name: str) -> bool:
    """Whether a metric has expected values: it is a target of the fit, or an exact cost."""
    return name in {target_fit.target.name for target_fit in fitted.targets} or is_exact(fitted, name)


def _fit_or_reason(
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
