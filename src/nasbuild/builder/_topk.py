"""The k best architectures by summed module score, without enumerating the space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.builder._k_best_sums import k_best_picks
from nasbuild.builder._tied_features import require_ties
from nasbuild.errors import NasbuildError
from nasbuild.score import TargetFit
from nasbuild.space import Architecture, count_architectures


@dataclass(frozen=True)
class Built:
    """A built architecture.

    Attributes
    ----------
    score
        Sum of its module scores, in the target's direction.
    shares
        Score of each stage's module.
    prediction, std
        Prediction y' and its standard deviation, in the target's unit. The deviation is
        `SELECTION_STD_FACTOR` times that of `Scorer.predict`, to allow for selection bias.
    extrapolates
        Whether the prediction extrapolates beyond the table (`Scorer.predict_and_flag`).

    Examples
    --------
    >>> from nasbuild.builder import build
    >>> [best] = build(acc, 1)
    >>> bool(abs(sum(best.shares) - best.score) < 1e-9), best.std > 0
    (True, True)
    """

    architecture: Architecture
    score: float
    shares: tuple[float, ...]
    prediction: float
    std: float
    extrapolates: bool


def build(target_fit: TargetFit, n: int, *, k: int | None = None) -> list[Built]:
    """Returns the ``n`` best architectures by summed module score, best first (paper, section 5.1).

    Parameters
    ----------
    k
        Use only the ``k`` best modules of each stage, as the paper does; all scored ones if None.

    Returns
    -------
    Up to ``n`` architectures; fewer if the modules have fewer combinations.

    Raises
    ------
    NasbuildError
        If ``n`` or ``k`` is below 1, or no architecture that was tried keeps the ties of the space.

    Examples
    --------
    >>> from nasbuild.builder import build
    >>> found = build(acc, 3)
    >>> len(found), found[0].score >= found[1].score >= found[2].score
    (3, True)
    >>> found[0].architecture == modules.architecture([0, 0, 0])
    True
    """
    require_positive("the number of architectures", n)
    if k is not None:
        require_positive("the number of modules per stage", k)
    space, sign = target_fit.scorer.space, target_fit.target.sign
    order = [target_fit.best(u, k) for u in range(len(target_fit.stages))]
    columns = [sign * stage.score[o] for stage, o in zip(target_fit.stages, order, strict=True)]
    found: list[tuple[Architecture, float, tuple[float, ...]]] = []
    for total, positions in k_best_picks(target_fit, order, columns):
        ranks = [int(o[p]) for o, p in zip(order, positions, strict=True)]
        modules = tuple(s.module(space, r) for s, r in zip(target_fit.stages, ranks, strict=True))
        shares = tuple(float(s.score[r]) for s, r in zip(target_fit.stages, ranks, strict=True))
        found.append((Architecture(modules), sign * total, shares))
        if len(found) == n:
            break
    if not found:
        raise NasbuildError(
            "none of the architectures tried keeps the ties",
            where="tied",
            todo="build by score, prediction or shortlist without --k, or hold some tied features with --fix",
        )
    return _predicted(target_fit, found)


SELECTION_STD_FACTOR = 1.3
"""Factor on the deviation of built architectures: what is selected as best tends to be overestimated.

From ``benchmarks/promise.py``. Over all its cells, coverage of the 90 % intervals rises from 87 % to 94 %
for a shortlist, and from 84 % to 92 % for architectures selected by y' alone.
"""
PREDICTION_POOL = 1_000
"""Number of architectures of the highest summed scores among which the prediction y' selects."""


def best_by_prediction(target_fit: TargetFit, built: Sequence[Built], n: int) -> list[Built]:
    """Returns the ``n`` built architectures with the best prediction y', best first.

    Unlike the summed score, y' includes interactions between stages.

    Examples
    --------
    >>> from nasbuild.builder import best_by_prediction, build
    >>> found = best_by_prediction(acc, build(acc, 20), 3)
    >>> [one.prediction for one in found] == sorted((one.prediction for one in found), reverse=True)
    True
    """
    return sorted(built, key=lambda one: -target_fit.target.sign * one.prediction)[:n]


def describe(target_fit: TargetFit, architectures: Sequence[Architecture]) -> list[Built]:
    """Adds scores and predictions to architectures; the order stays.

    Raises
    ------
    NasbuildError
        If an architecture breaks a tie of the space.

    Examples
    --------
    >>> from nasbuild.builder import describe
    >>> [known] = describe(acc, [table.architectures[0]])
    >>> len(known.shares), known.extrapolates
    (3, False)
    """
    shares = target_fit.scorer.shares(architectures)
    found = [
        (a, float(s.sum()), tuple(float(v) for v in s)) for a, s in zip(architectures, shares, strict=True)
    ]
    return _predicted(target_fit, found)


def _predicted(
    target_fit: TargetFit, found: list[tuple[Architecture, float, tuple[float, ...]]]
) -> list[Built]:
    architectures = [architecture for architecture, _, _ in found]
    require_ties(target_fit.scorer.space, architectures)
    value, std, beyond = target_fit.scorer.predict_and_flag(architectures)
    rows = zip(found, value, SELECTION_STD_FACTOR * std, beyond, strict=True)
    return [Built(*one, float(v), float(s), bool(b)) for one, v, s, b in rows]


def count_buildable(target_fit: TargetFit) -> int:
    """Number of architectures that `build` can return.

    It is smaller than the space if a stage was searched instead of listed, if different
    architectures make the same network, or if no labelled row has some choice.

    Examples
    --------
    >>> from nasbuild.builder import count_buildable
    >>> count_buildable(acc)
    1728
    """
    unseen = target_fit.trust.unseen and not target_fit.unseen
    if (
        unseen
        or target_fit.within
        or target_fit.scorer.has_equivalents
        or any(stage.searched for stage in target_fit.stages)
    ):
        return math.prod(len(target_fit.best(u)) for u in range(len(target_fit.stages)))
    return count_architectures(target_fit.scorer.space)


def require_positive(what: str, value: int) -> None:
    if value < 1:
        raise NasbuildError(f"{what} is {value}", allowed="1 or more")
