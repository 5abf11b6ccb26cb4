"""The scorer of recipe ``default``: a module's score is its exact share of the prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nasbuild.predictor import (
    AdditiveGP,
    AdditiveRecipe,
    Pairs,
    Warp,
    fit_additive_gp,
    fit_with_proxy,
    interpolated_choices,
    one_thread,
    ruined_rows,
    single_changes,
)
from nasbuild.score._held_out import (
    DEVIATIONS,
    INTERVAL,
    LEAST_JOINT,
    HeldOut,
    count_tested_joint,
    folds,
    joint_rows,
    log_density,
)
from nasbuild.score._proxy import ProxyLabels
from nasbuild.score._scorer import Scorer
from nasbuild.space import Architecture, Space
from nasbuild.table import Part, UnseenChoice, unseen_choices

_PSEUDO_ROWS = 10
_FACTOR_LIMITS = 0.5, 3.0
_CAUCHY, _NORMAL_MEDIAN = (
    2.385,
    1.4826,
)  # 95 % efficient where errors are normal; their deviation over their median
_REWEIGHTED = 20  # iterations
_SHARE_STD = 0.5


@dataclass(frozen=True, repr=False)
class AdditiveScorer(Scorer):
    """Shares by an additive Gaussian process; its members are posterior samples.

    Examples
    --------
    >>> from nasbuild.score import AdditiveScorer
    >>> isinstance(scorer, AdditiveScorer), scorer.members, scorer.n_fitted
    (True, 32, 41)
    >>> value, std = scorer.score(0, single_layers)
    >>> [space.stages[0].decode(code) for code in single_layers[np.argsort(-value)]]
    [(('mb_e6_k5',),), (('mb_e3_k3',),), (('mb_e1_k3',),)]
    """

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    gp: AdditiveGP
    limits: tuple[float, float] = (-np.inf, np.inf)

    @property
    def members(self) -> int:
        return self.gp.samples

    @property
    def n_fitted(self) -> int:
        return len(self.gp.rows)

    @cached_property
    def unseen(self) -> tuple[UnseenChoice, ...]:
        """Choices and depths that no architecture learnt from has, less `interpolated`; those of a proxy's rows are known."""
        told = set(self.interpolated)
        return tuple(one for one in self._without_rows if one not in told)

    @cached_property
    def interpolated(self) -> tuple[UnseenChoice, ...]:
        return interpolated_choices(self.space, self._without_rows, self._known)

    @cached_property
    def _without_rows(self) -> tuple[UnseenChoice, ...]:
        return unseen_choices(self.space, self._known)

    @property
    def _known(self) -> tuple[Architecture, ...]:
        of_proxy = self.gp.measured if self.gp.proxy is None else self.gp.architectures
        return (*self.architectures, *of_proxy)

    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.gp.score(stage, codes)

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        return self.gp.member_scores(stage, codes)

    @property
    def has_equivalents(self) -> bool:
        return self.gp.passing

    def canonical_code(self, stage: int, code: np.ndarray) -> np.ndarray:
        return self.gp.canonical_code(stage, code)

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs:
        return self.gp.pairs(codes)

    def part_pairs(self, architectures: Sequence[Architecture]) -> dict[tuple[Part, Part], np.ndarray] | None:
        return self.gp.part_pairs(architectures)

    def layer_pairs(self, stage: int, options: Sequence[np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
        return self.gp.layer_pairs(stage, options)

    @property
    def exact_pairs(self) -> bool:
        return self.gp.exact_pairs

    def posterior_samples(
        self, architectures: Sequence[Architecture], count: int, seed: int = 0
    ) -> np.ndarray:
        return self.gp.posterior_samples(architectures, count, seed)

    def posterior_labels(
        self, architectures: Sequence[Architecture], count: int, seed: int = 0
    ) -> np.ndarray:
        return self.gp.warp.back(self.gp.posterior_samples(architectures, count, seed))

    @property
    def has_fitted_scale(self) -> bool:
        return True

    @property
    def scale_text(self) -> str:
        warp = self.gp.warp
        if self.gp.joint is None:
            return ""
        if warp.power == 1:
            return "the label's own scale"
        # On the side to which most changes go, power 0 or 2 is a logarithm.
        worse = float(np.median(self.labels)) >= warp.mean
        bent = (
            "the logarithm of the excess over the reference"
            if worse == (warp.power < 1)
            else ("the square of the excess over the reference")
        )
        return f"{bent}, from about {warp.std:.3g} on"

    @property
    def n_ruined(self) -> int:
        if self.gp.joint is None:
            return 0
        changes = single_changes(self.space, self.architectures)
        if changes is None:
            return 0
        return int(ruined_rows(self.space, self.architectures, self.labels, changes).sum())

    def sum_at(self, label: float) -> float:
        return self.gp.sum_at(label)

    def labels_at(self, totals: np.ndarray) -> np.ndarray:
        return self.gp.labels_at(totals)

    def predict_unlimited(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.gp.predict(architectures)


def fit_additive(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: AdditiveRecipe,
    *,
    seed: int = 0,
    noise: np.ndarray | None = None,
    sign: int = 0,
    step_done: Callable[[], None] = lambda: None,
) -> tuple[AdditiveScorer, list[HeldOut]]:
    """Fit on all rows, then without each fold in turn to measure trust and to calibrate deviations.

    The fits without a fold reuse the power of the label warp and the decision about identity layers. They find everything
    else themselves, the variances on one part of the rows. ``noise`` is known variance of each label, (architectures,).

    Parameters
    ----------
    sign
        1 if high labels are better, -1 if low ones are, 0 if unknown.

    Returns
    -------
    The scorer, and the predictions for each fold by the fit without it.

    Examples
    --------
    >>> from nasbuild.score import fit_additive
    >>> scorer, parts = fit_additive(space, table.architectures, labels, recipe("default", folds=3))
    >>> scorer.n_fitted, len(parts)
    (41, 3)
    """
    of_fold = replace(recipe, parts=1, part_rows=recipe.rows)
    with one_thread():
        gp = fit_additive_gp(space, architectures, labels, recipe, seed=seed, noise=noise, sign=sign)
        step_done()

        def without(train: np.ndarray, _: list[Architecture]) -> AdditiveGP:
            rows = [architectures[i] for i in train]
            return fit_additive_gp(
                space,
                rows,
                _made_distinct(labels, train),
                of_fold,
                seed=seed,
                like=gp,
                noise=_some(noise, train),
                sign=sign,
            )

        return _calibrated(space, architectures, labels, gp, without, recipe, seed, step_done)


def fit_additive_with_proxy(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    proxy: ProxyLabels,
    recipe: AdditiveRecipe,
    *,
    seed: int = 0,
    noise: np.ndarray | None = None,
    sign: int = 0,
    step_done: Callable[[], None] = lambda: None,
) -> tuple[AdditiveScorer, list[HeldOut]]:
    """As `fit_additive`, learnt from a proxy as well. The labels of the proxy of held-out rows are held out, too.

    Examples
    --------
    >>> from nasbuild.score import ProxyLabels, fit_additive_with_proxy
    >>> proxy = ProxyLabels("loss", table.architectures, table.columns["loss"])
    >>> scorer, parts = fit_additive_with_proxy(
    ...     space, table.architectures[:20], labels[:20], proxy, recipe("default", folds=3)
    ... )
    >>> scorer.n_fitted, len(parts), scorer.gp.proxy.count
    (20, 3, 41)
    """
    of_fold = replace(recipe, parts=1, part_rows=recipe.rows)
    with one_thread():
        every = proxy.architectures, proxy.labels
        of_singles = single_changes(space, architectures) is not None
        if of_singles:
            gp = fit_additive_gp(space, architectures, labels, recipe, seed=seed, sign=sign, proxy=every)
        else:
            gp = fit_with_proxy(space, architectures, labels, every, recipe, seed=seed, noise=noise)
        step_done()

        def without(train: np.ndarray, held: list[Architecture]) -> AdditiveGP:
            known = proxy.without(held)
            rows, cheap = [architectures[i] for i in train], (known.architectures, known.labels)
            distinct = _made_distinct(labels, train)
            if of_singles:
                return fit_additive_gp(
                    space, rows, distinct, of_fold, seed=seed, like=gp, sign=sign, proxy=cheap
                )
            return fit_with_proxy(
                space, rows, distinct, cheap, of_fold, seed=seed, like=gp, noise=_some(noise, train)
            )

        return _calibrated(space, architectures, labels, gp, without, recipe, seed, step_done)


def _calibrated(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    gp: AdditiveGP,
    without: Callable[[np.ndarray, list[Architecture]], AdditiveGP],
    recipe: AdditiveRecipe,
    seed: int,
    step_done: Callable[[], None],
) -> tuple[AdditiveScorer, list[HeldOut]]:
    """Calibrate a process on the folds; ``without`` fits the training rows of a fold, given the held-out architectures."""
    parts, distances, fold_residuals = [], [], []
    for train, test in folds(space, architectures, recipe.folds, seed):
        held = [architectures[i] for i in test]
        part = without(train, held)
        mean, expected, variance, hops = part.held_out(held)
        warped = part.warp.forward(labels[test])
        # As in `AdditiveGP.sum_latent`, without a second solve.
        distances.append(np.abs(warped - mean) / np.sqrt(variance + (expected - mean) ** 2))
        fold_residuals.append(
            _FoldResiduals(part.warp, mean, expected - mean, warped - mean, np.sqrt(variance))
        )
        parts.append(HeldOut(test, mean, mean * part.slope + part.level, hops))
        step_done()
    if gp.joint is not None and _untested(space, architectures):
        # Held-out single changes say nothing about how effects add up.
        return AdditiveScorer(space, tuple(architectures), labels, gp), parts
    # Calibration and interaction share of each fold come from the other folds only.
    for k, (part, residuals) in enumerate(zip(parts, fold_residuals, strict=True)):
        width = calibration_factor(np.concatenate([m for j, m in enumerate(distances) if j != k]))
        others = [one for j, one in enumerate(fold_residuals) if j != k]
        share = interaction_share(others, outliers=gp.joint is not None)
        left = residuals.residual - share * residuals.interactions
        parts[k] = replace(
            part,
            prediction=residuals.warp.back(residuals.mean + share * residuals.interactions),
            inside=distances[k] <= DEVIATIONS * width,
            residual=left,
            deviation=residuals.deviation,
            density=log_density(left, residuals.deviation) + residuals.warp.log_slopes(labels[part.test]),
        )
    gp = replace(gp, spread=calibration_factor(np.concatenate(distances)))
    # Rows that alone have their choices can't confirm interactions.
    if gp.joint is None or count_tested_joint(space, architectures) >= LEAST_JOINT:
        share = interaction_share(fold_residuals, outliers=gp.joint is not None)
        gp = replace(gp, interaction_share=share)
    return AdditiveScorer(space, tuple(architectures), labels, gp), parts


@dataclass(frozen=True)
class _FoldResiduals:
    """Held-out rows of a fold, (rows,) each, on its scale of labels.

    Attributes
    ----------
    mean, interactions
        Prediction by summed shares, and what interactions add to it.
    residual
        Labels minus the prediction by summed shares.
    deviation
        Predicted deviation of the label, interactions and noise included.
    """

    warp: Warp
    mean: np.ndarray
    interactions: np.ndarray
    residual: np.ndarray
    deviation: np.ndarray


def interaction_share(folds: Sequence[_FoldResiduals], *, outliers: bool = False) -> float:
    """Share of the expected interactions that held-out rows confirm, 0 to 1.

    It is the posterior mean of the slope of residuals over interactions, with a normal prior of mean 1 and deviation
    ``_SHARE_STD``. It is needed because variances are point estimates: interactions that a table hardly shows come out too
    large.

    With ``outliers``, rows count by the Cauchy M-estimator. In a table of single changes, some held-out rows are networks
    that were ruined, whose sums are off by far more than those of all others.
    """
    interactions, residual = (
        np.concatenate([getattr(one, name) for one in folds]) for name in ("interactions", "residual")
    )
    if outliers:
        share = 1.0
        for _ in range(_REWEIGHTED):
            share = _share(interactions, residual, _cauchy_weights(residual - share * interactions))
        return share
    return _share(interactions, residual, np.ones(len(residual)))


def _share(interactions: np.ndarray, residual: np.ndarray, weights: np.ndarray) -> float:
    noise = float(weights @ (residual - interactions) ** 2 / weights.sum())
    known = float(weights @ interactions**2) / noise if noise > 0 else 0.0
    slope = float(weights @ (interactions * residual)) / noise if noise > 0 else 0.0
    before = 1 / _SHARE_STD**2
    return float(np.clip((slope + before) / (known + before), 0, 1))


def _cauchy_weights(errors: np.ndarray) -> np.ndarray:
    """Weights of the Cauchy M-estimator, from 1 to 0 for outliers; the scale is the median absolute error."""
    scale = _NORMAL_MEDIAN * float(np.median(np.abs(errors)))
    return 1 / (1 + (errors / (_CAUCHY * scale)) ** 2) if scale > 0 else np.ones(len(errors))


def calibration_factor(distances: np.ndarray) -> float:
    """Factor on deviations that makes 90 % intervals hold 90 % of held-out labels.

    Variances fitted to few labels are overconfident. Few held-out rows are noisy as well, so ``_PSEUDO_ROWS`` pseudo-rows with
    factor 1 are added.

    Parameters
    ----------
    distances
        Distance of each held-out label from its prediction, in deviations, (labels,).
    """
    found = float(np.quantile(distances, INTERVAL)) / DEVIATIONS
    mixed = (found * len(distances) + _PSEUDO_ROWS) / (len(distances) + _PSEUDO_ROWS)
    return float(np.clip(mixed, *_FACTOR_LIMITS))


def _made_distinct(labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Labels of some rows, which differ a little even where they are all the same."""
    own = labels[train]
    return own if np.ptp(own) > 0 else own + 1e-9 * np.ptp(labels) * np.linspace(-1, 1, len(own))


def _untested(space: Space, architectures: Sequence[Architecture]) -> bool:
    """Whether the table has too few joint rows to test how effects add up."""
    joint = joint_rows(space, architectures)
    return joint is not None and len(joint) < LEAST_JOINT


def _some(noise: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if noise is None else noise[rows]
