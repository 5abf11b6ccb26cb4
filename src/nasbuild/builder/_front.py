"""The predicted Pareto front of several targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import moocore
import numpy as np

from nasbuild.builder._bound_columns import bounded, limits_of, on_targets
from nasbuild.builder._bound_names import ExactCost, resolve_names
from nasbuild.builder._bounds import Bound
from nasbuild.builder._epsilon_constraint import additive_front_picks
from nasbuild.builder._infeasible import nothing_within, nothing_within_layerwise
from nasbuild.builder._knapsack_problem import Problem, rounding_slack
from nasbuild.builder._layerwise import is_layerwise, layerwise_space
from nasbuild.builder._layerwise_front import layerwise_front
from nasbuild.builder._opaque_costs import build_checked, has_opaque_costs
from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._pareto_local_search import pareto_local_search
from nasbuild.builder._scored_modules import scored_modules
from nasbuild.builder._skyband import skyband
from nasbuild.builder._subset_selection import farthest_points, largest_hypervolume
from nasbuild.builder._tied_features import require_ties
from nasbuild.builder._topk import SELECTION_STD_FACTOR, require_positive
from nasbuild.errors import NasbuildError
from nasbuild.predictor import one_thread
from nasbuild.score import Fit, TargetFit
from nasbuild.space import Architecture

_LEVELS = 16  # ε-levels per target from which the local search starts
_LEVELS_PER_POINT = 2  # ε-levels per point asked for, without local search
_SKYBAND = 2  # modules that this many others of their stage dominate are left out, for sums alone
_SKYBAND_PAIRS = 10  # the same, with interactions


@dataclass(frozen=True)
class Front:
    """Architectures along a Pareto front.

    Attributes
    ----------
    targets
        Names of the targets, in the order of the columns.
    architectures
        Best first by the first target.
    prediction, std
        y' and its standard deviation, (architectures, targets), in each target's unit. Every target selects, so
        all deviations are widened to allow for selection bias, as in `Built`.
    volume, labelled_volume
        Hypervolumes of the predictions and of the labels, as shares of the box between the worst
        labels and the best of both. Only rows with all labels count; NaN if there are none.

    Examples
    --------
    >>> from nasbuild.builder import build_front
    >>> front = build_front(fit, 5)
    >>> front.targets, len(front.architectures), front.prediction.shape
    (('acc', 'macs'), 5, (5, 2))
    """

    targets: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    prediction: np.ndarray
    std: np.ndarray
    volume: float
    labelled_volume: float


@one_thread()
def build_front(fit: Fit, n: int, *, targets: Sequence[str] = (), bounds: Sequence[Bound] = ()) -> Front:
    """Returns up to ``n`` architectures along the predicted Pareto front of two or more targets.

    First comes the front of summed scores. It is computed as a whole if targets and bounds are at
    most three (`additive_front`). Otherwise, each target in turn is optimised while the others are
    bounded at some levels, so that non-convex parts are found as well (ε-constraint method: Haimes,
    Lasdon & Wismer, 1971). A Pareto local search by the prediction y', which includes interactions,
    starts from there (`pareto_local_search`). If y' is not a sum over pairs of stages, it selects
    among more levels instead. Of the front found, the subset of the largest hypervolume is returned.

    Parameters
    ----------
    targets
        Names of targets of the fit; all if empty.
    bounds
        As in `build_within`. A bound on a target also holds for its prediction, unless every start
        of the local search violates it by prediction.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1, or there are fewer than two targets.
    Infeasible
        If nothing is within the bounds.

    Examples
    --------
    >>> from nasbuild.builder import build_front
    >>> front = build_front(fit, 5, bounds=read_bounds(["layers <= 4"]))
    >>> max(sum(map(len, architecture)) for architecture in front.architectures)
    4
    >>> accuracy, macs = front.prediction.T
    >>> bool(np.all(np.diff(accuracy) < 0)), bool(np.all(np.diff(macs) < 0))  # less of both
    (True, True)
    """
    return _front(fit, n, targets, bounds, interactions=True)


def front_by_score(fit: Fit, n: int, *, targets: Sequence[str] = ()) -> Front:
    """Returns up to ``n`` architectures along the front of summed scores, without interactions.

    Weighted sums of targets are additive as well, so this is the front that they can build. The
    points are selected by farthest-point sampling. Otherwise as `build_front`.

    Examples
    --------
    >>> from nasbuild.builder import front_by_score
    >>> front = front_by_score(fit, 4)
    >>> len(front.architectures), front.prediction.shape
    (4, (4, 2))
    """
    return _front(fit, n, targets, (), interactions=False)


def _front(fit: Fit, n: int, targets: Sequence[str], bounds: Sequence[Bound], *, interactions: bool) -> Front:
    require_positive("the number of architectures", n)
    target_fit = [fit.of(name) for name in targets] if targets else list(fit.targets)
    names = tuple(one.target.name for one in target_fit)
    if len(set(names)) < 2:
        raise NasbuildError(
            "a front needs at least two targets",
            allowed=tuple(one.target.name for one in fit.targets),
            todo="fit with several --target",
        )
    exact, others = resolve_names(fit, target_fit[0], [bound.name for bound in bounds])
    every = [*target_fit, *(one for one in others if one.target.name not in names)]
    signs = np.array([one.target.sign for one in target_fit], dtype=np.float64)
    if has_opaque_costs(exact) or is_layerwise(every, exact):
        pairs = [one.scorer.pairs([[] for _ in fit.space.stages]) for one in every]

        def along(
            costs: Mapping[str, ExactCost], within: Sequence[Bound], _: int
        ) -> list[tuple[Architecture, np.ndarray]]:
            limits, of_bounds = limits_of(every, costs, within)
            whole = layerwise_space(
                every,
                fit,
                of_bounds,
                limits,
                interactions=interactions and None not in pairs,
                front=len(target_fit),
            )
            found = layerwise_front(whole, signs)
            if not found.architectures:
                raise nothing_within_layerwise(fit, every, costs, within)
            return list(zip(found.architectures, found.sums, strict=True))

        build = (
            build_checked(fit, exact, bounds, n, along, itemgetter(0))
            if has_opaque_costs(exact)
            else along(exact, bounds, n)
        )
        architectures, sums = [one for one, _ in build], np.array([own for _, own in build])
        value = np.column_stack([one.scorer.labels_at(sums[:, t]) for t, one in enumerate(target_fit)])
        if interactions and None in pairs:
            value = np.column_stack([one.scorer.predict(architectures)[0] for one in target_fit])
        return _of(fit, target_fit, architectures, value, signs, n, interactions=interactions)
    table, costs, most = bounded(scored_modules(every), every, exact, bounds)
    worth = [scores[:, : len(target_fit)] * signs for scores in table.scores]
    # The front of sums needs no module that a few others of its stage dominate in all targets and costs.
    # With interactions, some more are kept.
    count = _SKYBAND_PAIRS if interactions else _SKYBAND
    kept = [skyband(np.column_stack([w, -c]), count) for w, c in zip(worth, costs, strict=True)]
    table = table.select(kept)
    costs = tuple(c[k] for c, k in zip(costs, kept, strict=True))
    worth = tuple(w[k] for w, k in zip(worth, kept, strict=True))
    pairs = [one.scorer.pairs(table.codes) for one in every]
    known = tuple(pair for pair in pairs if pair is not None)
    climbs = interactions and len(known) == len(pairs)
    problem = Problem(tuple(w[:, 0] for w in worth), costs, most)
    whole = climbs or not interactions
    picks = additive_front_picks(worth, problem, _LEVELS if climbs else _LEVELS_PER_POINT * n, whole=whole)
    if not len(picks):
        raise nothing_within(problem, bounds, fit, exact)
    predicted = None
    if len(known) == len(pairs):
        limits = most + rounding_slack(problem)
        predicted = PairwisePrediction(
            table.scores, known, costs, limits, on_targets(every, exact, bounds, limits)
        )
        picks = pareto_local_search(predicted, signs, picks) if climbs else picks
    if predicted is not None and all(one.scorer.exact_pairs for one in target_fit):
        sums = predicted.values(picks)
        value = np.column_stack([one.scorer.labels_at(sums[:, t]) for t, one in enumerate(target_fit)])
    else:
        pool = [table.architecture(pick) for pick in picks.tolist()]
        value = np.column_stack([one.scorer.predict(pool)[0] for one in target_fit])
    return _of(
        fit,
        target_fit,
        [table.architecture(p) for p in picks.tolist()],
        value,
        signs,
        n,
        interactions=interactions,
    )


def _of(
    fit: Fit,
    target_fit: Sequence[TargetFit],
    architectures: Sequence[Architecture],
    value: np.ndarray,
    signs: np.ndarray,
    n: int,
    *,
    interactions: bool,
) -> Front:
    """Selects up to ``n`` non-dominated architectures; ``value`` is (architectures, targets)."""
    names = tuple(one.target.name for one in target_fit)
    some = np.flatnonzero(moocore.is_nondominated(value * signs, maximise=True, keep_weakly=False))
    points = value[some] * signs
    some = some[_chosen(fit, names, points, signs, n) if interactions else farthest_points(points, n)]
    some = some[np.argsort(-(value * signs)[some, 0], kind="stable")]
    front = tuple(architectures[i] for i in some)
    value, std = (
        np.column_stack(p) for p in zip(*(one.scorer.predict(front) for one in target_fit), strict=True)
    )
    require_ties(fit.space, front)
    volumes = _volumes(fit, names, value * signs, signs)
    return Front(names, front, value, SELECTION_STD_FACTOR * std, *volumes)


def common_labels(fit: Fit, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the fit's table that have the labels of all named targets, and the labels.

    Returns
    -------
    (rows,) ascending, and (rows, targets).
    """
    known = [fit.of(name).labels for name in names]
    own = [dict(zip(one.rows.tolist(), one.values.tolist(), strict=True)) for one in known]
    rows = sorted(set.intersection(*map(set, own)))
    return np.array(rows, dtype=np.int64), np.array([[one[r] for one in own] for r in rows])


def _chosen(fit: Fit, names: Sequence[str], front: np.ndarray, signs: np.ndarray, n: int) -> np.ndarray:
    """Positions of up to ``n`` rows of a front with the largest hypervolume, from the worst labels."""
    labelled = common_labels(fit, names)[1]
    low = np.concatenate([front, labelled * signs if len(labelled) else front[:0]]).min(axis=0)
    return largest_hypervolume(front, n, low)


def _volumes(fit: Fit, names: Sequence[str], front: np.ndarray, signs: np.ndarray) -> tuple[float, float]:
    """Hypervolumes of a front and of the labels, in units of the box from the worst labels to the best."""
    rows, labelled = common_labels(fit, names)
    if not len(rows):
        return np.nan, np.nan
    labelled = labelled * signs
    low = labelled.min(axis=0)
    span = np.maximum(labelled.max(axis=0), front.max(axis=0)) - low
    unit = np.where(span > 0, span, 1)
    found = [
        moocore.hypervolume((v - low) / unit, ref=np.zeros(len(low)), maximise=True)
        for v in (front, labelled)
    ]
    return float(found[0]), float(found[1])
