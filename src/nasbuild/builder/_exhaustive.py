"""The best of all architectures of a space, each of them predicted: what a small space allows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

import numpy as np

from nasbuild.builder._topk import Built, described, require_positive
from nasbuild.errors import NasbuildError
from nasbuild.score import TargetFit, sums_of_combinations
from nasbuild.space import Architecture

MOST = 4_000_000
"""Architectures that are ranked at most."""


def rank_every(target_fit: TargetFit, by: Literal["prediction", "score"] = "prediction") -> np.ndarray:
    """A value for every architecture of the space, better ones higher, (architectures,) float64.

    The order is that of `every_architecture`: the last stage's module changes fastest, and modules of a stage are in
    the order of ``learnt.stages``.

    Parameters
    ----------
    by
        ``"prediction"``, y' in the target's direction; or ``"score"``, the summed module scores.

    Raises
    ------
    NasbuildError
        If the space has more than `MOST` architectures, or a stage has too many modules to list.
    """
    total = float(np.prod([float(len(stage)) for stage in target_fit.stages]))
    if any(stage.searched for stage in target_fit.stages) or total > MOST:
        raise NasbuildError(
            "the space is too large to predict each of its architectures",
            allowed=f"up to {MOST:,} architectures",
            todo="build by score or by prediction instead, or shrink the space first",
        )
    sign = target_fit.target.sign
    if by == "score":
        return sign * sums_of_combinations([stage.score for stage in target_fit.stages])
    codes = [[stage.code(i) for i in range(len(stage))] for stage in target_fit.stages]
    return sign * target_fit.scorer.predict_combinations(codes)


def every_architecture(target_fit: TargetFit, position: int) -> Architecture:
    """The architecture at a position of `rank_every`."""
    picks = np.unravel_index(position, tuple(len(stage) for stage in target_fit.stages))
    space = target_fit.scorer.space
    return Architecture(tuple(s.module(space, int(p)) for s, p in zip(target_fit.stages, picks, strict=True)))


def build_exhaustive(target_fit: TargetFit, n: int) -> list[Built]:
    """The ``n`` architectures of the best prediction y' in the whole space, best first (ES of section 5.3).

    Raises
    ------
    NasbuildError
        As `rank_every`, or if ``n`` is below 1.
    """
    require_positive("the number of architectures", n)
    worth = rank_every(target_fit)
    built = (
        sums_of_combinations([target_fit.seen(u).astype(float) - 1 for u in range(len(target_fit.stages))])
        == 0
    )
    # What no label tells of is not built: it comes last, and is cut off.
    worth, left = np.where(built, worth, -np.inf), int(built.sum())
    found: dict[Hashable, Architecture] = {}
    # More at a time until there are enough: of architectures that make the same network, the first counts.
    most = n
    while len(found) < n:
        most = min(most, left)
        best = np.argpartition(-worth, most - 1)[:most]
        # In order, and among equals the first.
        for i in best[np.lexsort((best, -worth[best]))]:
            architecture = every_architecture(target_fit, int(i))
            found.setdefault(target_fit.scorer.canonical_key(architecture), architecture)
        if most == left:
            break
        most *= 2
    return described(target_fit, list(found.values())[:n])
