"""Fits: learning from a table, and the results for each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

import numpy as np

from nasbuild.errors import NasbuildError, TargetError
from nasbuild.objective import Labels, Target, labels, parse_target
from nasbuild.predictor import RECIPES, AdditiveRecipe, AnyRecipe, count_improving_changes, one_thread
from nasbuild.score._any_fit import ByTarget, range_text, short
from nasbuild.score._better_part import better_parts
from nasbuild.score._check_proxies import check_proxies
from nasbuild.score._failures import Failures
from nasbuild.score._feature_scores import ChoiceScore
from nasbuild.score._fit_scorers import choice_scores, fit_baselines, fit_scorers
from nasbuild.score._held_out import evidence_of
from nasbuild.score._known_noise import known_noise
from nasbuild.score._pair_order import pair_order
from nasbuild.score._proxy import proxy_labels
from nasbuild.score._scorer import Scorer
from nasbuild.score._seen_modules import seen_modules
from nasbuild.score._share_beyond_table import share_beyond
from nasbuild.score._srcc_text import srcc_text
from nasbuild.score._stage_scores import MAX_MODULES, StageScores, best_modules, score_stages
from nasbuild.score._suspect_labels import suspect_labels
from nasbuild.score._tied_modules import n_tied
from nasbuild.score._trust import Trust, measure_trust
from nasbuild.space import Architecture, Space
from nasbuild.table import Table

# The square of a label must not overflow.
_LARGEST = 1e100

Progress = Callable[[str, int, int], None]
"""Called with the current step, the work done in it, and its total work."""


@dataclass(frozen=True)
class TargetFit:
    """What was learnt about one target.

    Attributes
    ----------
    target, labels
        The target, and its value for each row that has one.
    scorer
        The fitted model, with scores and predictions in the target's unit.
    stages
        Scored modules of each stage.
    features
        Effects of feature choices.
    trust
        How far to believe it, measured on held-out rows.
    unseen
        Whether modules with choices or depths that no labelled architecture has may be built as well.
    within
        The part of the space that may be built (`restrict_fit`); None for the whole space.

    Examples
    --------
    >>> acc.target.name, acc.target.sign, len(acc.labels.values), len(acc.stages)
    ('acc', 1, 41, 3)
    >>> acc.stages[0].module(space, int(acc.best(0, 1)[0]))
    (('mb_e6_k5',), ('mb_e6_k5',))
    """

    target: Target
    labels: Labels
    scorer: Scorer
    stages: tuple[StageScores, ...]
    features: tuple[ChoiceScore, ...]
    trust: Trust
    unseen: bool = False
    within: Space | None = None

    def best(self, stage: int, n: int | None = None) -> np.ndarray:
        """Positions of a stage's ``n`` best modules, best first; of modules that make the same network, one.

        Modules with choices or depths that no labelled architecture has are left out, unless ``unseen`` is set or the
        search of a stage found no others.

        Examples
        --------
        >>> scores, best = acc.stages[0], acc.best(0, 3)
        >>> best.tolist(), bool(np.all(np.diff(scores.score[best]) <= 0))
        ([0, 1, 2], True)
        """
        order = best_modules(self.scorer, self.stages[stage], self.target.sign)
        seen = self.seen(stage)[order]
        return order[seen][:n] if seen.any() else order[:n]

    def seen(self, stage: int) -> np.ndarray:
        """Which of a stage's modules may be built, (modules,).

        Examples
        --------
        >>> acc.seen(0).tolist() == [True] * len(acc.stages[0])
        True
        """
        if self.unseen:
            return np.ones(len(self.stages[stage]), dtype=bool)
        return seen_modules(self.scorer.space, self.stages[stage], self.trust.unseen)

    def __repr__(self) -> str:
        scored = sum(len(stage) for stage in self.stages)
        return (
            f"{type(self).__name__}({short(self.target.name)}, {len(self.labels.values):,} labels, "
            f"{scored:,} scored modules in {len(self.stages)} stages, held-out SRCC {srcc_text(self.trust.prediction)}, "
            f"trust {self.trust.level})"
        )


@dataclass(frozen=True)
class Prediction:
    """Predictions of architectures, in the target's unit.

    Attributes
    ----------
    value, std
        Prediction y' and its standard deviation, (architectures,).
    shares
        Score of each stage's module, (architectures, stages).
    extrapolates
        Whether the prediction extrapolates (`Scorer.predict_and_flag`), (architectures,) bool.

    Examples
    --------
    >>> found = score.predict(acc, table.architectures[:4])
    >>> found.value.shape, found.std.shape, found.shares.shape, found.extrapolates.dtype
    ((4,), (4,), (4, 3), dtype('bool'))
    """

    value: np.ndarray
    std: np.ndarray
    shares: np.ndarray
    extrapolates: np.ndarray

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return f"Prediction({len(self):,} architectures{range_text(self.value)}, {int(self.extrapolates.sum()):,} extrapolate)"


@dataclass(frozen=True, repr=False)
class Fit(ByTarget[TargetFit]):
    """What was learnt from a table of architectures: ``fit["acc"]`` is the `TargetFit` of a target.

    Iterating gives the names of the targets.

    Attributes
    ----------
    targets
        What was learnt about each target, in the order in which they were given.
    max_modules
        Stages with more modules were searched for their best and worst ones.
    versions
        Versions of the packages that made a loaded fit.
    proxies
        Names of the proxies that were tried: cheap metrics or equations of them.
    failures
        Where evaluations fail, for what is built and proposed from this fit; not saved in a fit folder.

    Examples
    --------
    >>> list(fit), fit.seed, fit.recipe.name
    (['acc'], 0, 'default')
    >>> fit["acc"].trust.level
    'fair'
    """

    kind: ClassVar[Literal["space"]] = "space"
    table: Table
    recipe: AnyRecipe
    seed: int
    targets: tuple[TargetFit, ...]
    max_modules: int = MAX_MODULES
    versions: dict[str, str] = field(default_factory=dict, compare=False)
    proxies: tuple[str, ...] = ()
    failures: Failures | None = field(default=None, compare=False)

    @property
    def space(self) -> Space:
        return self.table.space

    def of(self, target: str | None = None) -> TargetFit:
        """What was learnt about a target, by its name or that of its column; the first one if None.

        Raises
        ------
        FitError
            If the fit has no such target.

        Examples
        --------
        >>> fit.of("acc").target.name
        'acc'
        """
        own = self.space.columns
        if target is not None and own is not None and target not in self:
            target = own.metric_of(target) or target
        return super().of(target)

    def with_unseen(self) -> Self:
        """The same fit, from which modules with choices or depths that no labelled architecture has are built as well."""
        return replace(self, targets=tuple(replace(target_fit, unseen=True) for target_fit in self.targets))

    def __repr__(self) -> str:
        rows = f"{len(self.table):,} architectures of space {short(self.space.name)}"
        return f"{type(self).__name__}: {rows}, recipe {self.recipe.name!r}, seed {self.seed}\n{self._targets_text()}"


@one_thread()
def fit(
    table: Table,
    targets: Sequence[str],
    *,
    recipe: AnyRecipe = RECIPES["default"],
    seed: int = 0,
    max_modules: int = MAX_MODULES,
    workers: int = 1,
    baselines: bool = True,
    skip_bad: bool = False,
    proxies: Sequence[str] = (),
    progress: Progress = lambda *_: None,
) -> Fit:
    """Fit a model for each target, score the modules of every stage, and measure trust on held-out rows.

    Parameters
    ----------
    table
        Evaluated architectures.
    targets
        Metrics or equations of metrics.
    recipe
        The model and its hyperparameters.
    seed
        Of all random choices, 0 or more.
    max_modules
        A stage with more modules is searched for its best and worst ones instead.
    workers
        Number of worker processes; the result does not depend on it.
    baselines
        Measure ridge regression and LightGBM on the same folds, for the verdict.
    skip_bad
        Skip rows for which an equation has no finite value.
    proxies
        Cheap metrics, or equations of metrics, that may go with the targets. Rows with a proxy alone are learnt from as
        well. Recipe ``default`` tries each, and uses the one that held-out labels of the target confirm most.
    progress
        Called with the current step, the work done in it, and its total work.

    Raises
    ------
    TargetError
        If a target is unknown, unsafe or given twice, too few rows have a label, or the labels' spread would overflow or
        vanish.
    NasbuildError
        If ``seed`` or ``max_modules`` is out of range, or the fit diverges.

    Examples
    --------
    >>> from nasbuild.score import fit
    >>> fit = score.fit(table, ["acc", "acc / macs"], recipe=recipe("ridge"), baselines=False)
    >>> list(fit), fit["acc"].trust.level
    (['acc', 'acc / macs'], 'fair')
    >>> score.fit(table, ["acc"], seed=-1)
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: the seed is -1; allowed: 0 or more
    """
    if seed < 0:
        raise NasbuildError(f"the seed is {seed}", allowed="0 or more")
    if max_modules < 1:
        raise NasbuildError(
            f"the number of modules to score in a stage is {max_modules}", allowed="1 or more"
        )
    found = [labels(parse_target(text, table), table, skip_bad=skip_bad) for text in targets]
    if not found:
        raise TargetError("there is no target", todo="name a metric or an equation")
    names = [label.target.name for label in found]
    if len(set(names)) < len(names):
        raise TargetError(f"target {max(names, key=names.count)!r} is given twice")
    for label in found:
        if np.abs(label.values).max() > _LARGEST or np.ptp(label.values) < 1 / _LARGEST:
            raise TargetError(
                f"labels reach from {label.values.min():g} to {label.values.max():g}",
                where=f"target {label.target.name!r}",
                todo="measure it in another unit",
            )
        if len(label.values) < recipe.least:
            raise TargetError(
                f"only {len(label.values)} rows have a value",
                where=f"target {label.target.name!r}",
                todo=f"at least {recipe.least} are needed to learn from some and test on others",
            )
    space = table.space
    architectures = [tuple(table.architectures[i] for i in label.rows) for label in found]
    problems = [(some, label.values) for some, label in zip(architectures, found, strict=True)]
    cheap = proxy_labels(proxies, table, found)
    check_proxies(recipe, space, architectures, cheap)
    fitted = fit_scorers(
        space,
        problems,
        recipe,
        seed=seed,
        workers=workers,
        proxies=cheap,
        noises=[known_noise(label, table) for label in found],
        signs=[label.target.sign for label in found],
        progress=lambda done, total: progress("fitting", done, total),
    )
    target_fits = []
    for number, (label, problem, fit) in enumerate(zip(found, problems, fitted, strict=True)):
        sign = label.target.sign
        stages = score_stages(
            fit.scorer,
            max_modules=max_modules,
            seed=seed,
            stage_done=lambda done, total, n=number: progress(
                "scoring", n * total + done, len(found) * total
            ),
        )
        features = choice_scores(fit.scorer, recipe, sign, seed)
        beside = (
            fit_baselines(
                space,
                problem,
                recipe,
                seed=seed,
                progress=lambda done, total, n=number: progress(
                    "comparing with other methods", n * total + done, len(found) * total
                ),
            )
            if baselines
            else ()
        )
        trust = measure_trust(
            fit.scorer,
            evidence_of(fit.parts, label.values),
            baselines=beside,
            n_tied=[n_tied(fit.scorer, stage, sign) for stage in stages],
            suspects=suspect_labels(fit.scorer, fit.parts, label.values),
            better_part=better_parts(fit.parts, label.values, sign),
            pairs=pair_order(fit.parts, label.values),
            beyond=share_beyond(fit.scorer, label.values, sign, seed),
            proxies=fit.worth,
            improving=count_improving_changes(space, problem[0], label.values, sign)
            if isinstance(recipe, AdditiveRecipe)
            else 0,
        )
        scorer = fit.scorer.with_limits(label.target.limits)
        target_fits.append(TargetFit(label.target, label, scorer, tuple(stages), tuple(features), trust))
    names = tuple(proxy.name for proxy in cheap)
    return Fit(table, recipe, seed, tuple(target_fits), max_modules, proxies=names)


@one_thread()
def predict(target_fit: TargetFit, architectures: Sequence[Architecture]) -> Prediction:
    """Predict architectures, with each stage's share.

    Parameters
    ----------
    target_fit
        Of one target, as ``fit["acc"]``.
    architectures
        Any architectures of the space.

    Returns
    -------
    Prediction
        In the target's unit.

    Examples
    --------
    >>> from nasbuild.score import predict
    >>> found = predict(acc, table.architectures)
    >>> found.value.shape, found.shares.shape, found.extrapolates.shape
    ((41,), (41, 3), (41,))
    """
    if not architectures:
        empty = np.empty(0)
        shares = np.empty((0, len(target_fit.scorer.space.stages)))
        return Prediction(empty, empty, shares, np.zeros(0, dtype=bool))
    # Rounding depends on the position in a batch, so equal architectures are predicted once.
    place = {architecture: n for n, architecture in enumerate(dict.fromkeys(architectures))}
    value, std, beyond = target_fit.scorer.predict_and_flag(list(place))
    rows = np.array([place[architecture] for architecture in architectures])
    return Prediction(value[rows], std[rows], target_fit.scorer.shares(architectures), beyond[rows])
