"""Architectures in order of their summed module scores, without listing the space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.builder._k_best_sums import best_choices
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
        y' and its deviation, in the target's unit: `CHOSEN` times that of `Scorer.predict`, as it was chosen for its y'.
    extrapolates
        Whether the prediction goes beyond the table (`Scorer.predict_and_flag`).
    """

    architecture: Architecture
    score: float
    shares: tuple[float, ...]
    prediction: float
    std: float
    extrapolates: bool


def build(target_fit: TargetFit, n: int, *, k: int | None = None) -> list[Built]:
    """The ``n`` best architectures by summed module score (section 5.1).

    Parameters
    ----------
    k
        Use only the ``k`` best modules of each stage, as the paper does; all scored ones if None.

    Raises
    ------
    NasbuildError
        If ``n`` or ``k`` is below 1.
    """
    require_positive("the number of architectures", n)
    if k is not None:
        require_positive("the number of modules a stage", k)
    space, sign = target_fit.scorer.space, target_fit.target.sign
    order = [target_fit.best(u, k) for u in range(len(target_fit.stages))]
    columns = [sign * stage.score[o] for stage, o in zip(target_fit.stages, order, strict=True)]
    found: list[tuple[Architecture, float, tuple[float, ...]]] = []
    for total, positions in best_choices(target_fit, order, columns):
        ranks = [int(o[p]) for o, p in zip(order, positions, strict=True)]
        modules = tuple(s.module(space, r) for s, r in zip(target_fit.stages, ranks, strict=True))
        shares = tuple(float(s.score[r]) for s, r in zip(target_fit.stages, ranks, strict=True))
        found.append((Architecture(modules), sign * total, shares))
        if len(found) == n:
            break
    if not found:
        raise NasbuildError(
            "nothing that was looked at keeps the ties",
            where="tied",
            todo="build by score, prediction or shortlist without --k, or hold some of what is tied with --fix",
        )
    return _predicted(target_fit, found)


CHOSEN = 1.3
"""How much wider the deviation of a built architecture is than that of any: what looks best is partly what is judged too well.

Found with ``benchmarks/promise.py``: over all its cells 90 % intervals hold 94 % of a shortlist's instead of 87 %, 92 % instead of 84 % of
those chosen by y' alone, and within tight bounds more of those that are missed most.
"""
POOL = 1_000
"""Architectures of the highest summed scores among which the prediction y' may choose."""


def best_predicted(target_fit: TargetFit, built: Sequence[Built], n: int) -> list[Built]:
    """The ``n`` with the best prediction y', which knows of interactions between stages; best first."""
    return sorted(built, key=lambda one: -target_fit.target.sign * one.prediction)[:n]


def described(target_fit: TargetFit, architectures: Sequence[Architecture]) -> list[Built]:
    """Architectures with their scores and predictions, in their order."""
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
    told = zip(found, value, CHOSEN * std, beyond, strict=True)
    return [Built(*one, float(v), float(s), bool(b)) for one, v, s, b in told]


def buildable(target_fit: TargetFit) -> int:
    """How many architectures `build` can give: fewer than the space has where a stage was searched, where different
    architectures make the same network, or where no label tells of a choice."""
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
