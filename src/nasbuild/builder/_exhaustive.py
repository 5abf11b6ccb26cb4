"""Exhaustive building: predicts every architecture of a small space and returns the best."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

import numpy as np

from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.errors import NasbuildError
from nasbuild.score import TargetFit, sums_of_combinations
from nasbuild.space import Architecture

MAX_EXHAUSTIVE = 4_000_000
"""Largest space, in architectures, that is predicted exhaustively."""


def exhaustive_values(target_fit: TargetFit, by: Literal["prediction", "score"] = "prediction") -> np.ndarray:
    """Returns a value for every architecture of the space; larger is better.

    The order is that of `architecture_at`: the last stage's module changes fastest, and the modules
    of a stage are in the order of ``target_fit.stages``.

    Parameters
    ----------
    by
        ``"prediction"`` for y', or ``"score"`` for the summed module scores.

    Returns
    -------
    (architectures,) float64, times the target's sign.

    Raises
    ------
    NasbuildError
        If the space has more than `MAX_EXHAUSTIVE` architectures, or a stage was searched instead
        of listed.

    Examples
    --------
    >>> from nasbuild.builder import exhaustive_values
    >>> exhaustive_values(acc).shape
    (1728,)
    """
    total = float(np.prod([float(len(stage)) for stage in target_fit.stages]))
    if any(stage.searched for stage in target_fit.stages) or total > MAX_EXHAUSTIVE:
        raise NasbuildError(
            "the space is too large to predict every architecture",
            allowed=f"up to {MAX_EXHAUSTIVE:,} architectures",
            todo="build by score or by prediction instead, or shrink the space first",
        )
    sign = target_fit.target.sign
    if by == "score":
        return sign * sums_of_combinations([stage.score for stage in target_fit.stages])
    codes = [[stage.code(i) for i in range(len(stage))] for stage in target_fit.stages]
    return sign * target_fit.scorer.predict_combinations(codes)


def architecture_at(target_fit: TargetFit, position: int) -> Architecture:
    """Returns the architecture at a position of `exhaustive_values`.

    Examples
    --------
    >>> from nasbuild.builder import architecture_at, exhaustive_values
    >>> values = exhaustive_values(acc, by="score")
    >>> best = architecture_at(acc, int(values.argmax()))
    >>> best == modules.architecture([0, 0, 0])  # of the best module of each stage
    True
    """
    picks = np.unravel_index(position, tuple(len(stage) for stage in target_fit.stages))
    space = target_fit.scorer.space
    return Architecture(tuple(s.module(space, int(p)) for s, p in zip(target_fit.stages, picks, strict=True)))


def build_exhaustive(target_fit: TargetFit, n: int) -> list[Built]:
    """Returns the ``n`` architectures with the best prediction y' of the whole space, best first.

    This is the paper's exhaustive search, ES (section 5.3). Architectures that make the same network
    count once. Choices that no labelled row has are left out.

    Raises
    ------
    NasbuildError
        As `exhaustive_values`, or if ``n`` is below 1.

    Examples
    --------
    >>> from nasbuild.builder import build_exhaustive, exhaustive_values
    >>> [best] = build_exhaustive(acc, 1)
    >>> bool(abs(best.prediction - exhaustive_values(acc).max()) < 1e-6)
    True
    """
    require_positive("the number of architectures", n)
    worth = exhaustive_values(target_fit)
    built = (
        sums_of_combinations([target_fit.seen(u).astype(float) - 1 for u in range(len(target_fit.stages))])
        == 0
    )
    # Architectures with a choice that no label covers are not built: they come last and are cut off.
    worth, left = np.where(built, worth, -np.inf), int(built.sum())
    found: dict[Hashable, Architecture] = {}
    # Take more until there are enough: of architectures that make the same network, the first counts.
    most = n
    while len(found) < n:
        most = min(most, left)
        best = np.argpartition(-worth, most - 1)[:most]
        # Best first; ties by position.
        for i in best[np.lexsort((best, -worth[best]))]:
            architecture = architecture_at(target_fit, int(i))
            found.setdefault(target_fit.scorer.canonical_key(architecture), architecture)
        if most == left:
            break
        most *= 2
    return describe(target_fit, list(found.values())[:n])
