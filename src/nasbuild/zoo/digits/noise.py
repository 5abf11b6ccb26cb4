"""Splits the variance of a metric into differences of architectures and noise of the seeds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


@dataclass(frozen=True)
class Noise:
    """Shares of the variance of a metric, as standard deviations in the metric's unit.

    Two-way layout without replication, ``y[a, s] = mean + arch[a] + seed[s] + rest[a, s]``, estimated by the
    mean squares of the analysis of variance. What a single seed can't determine is NaN.

    Attributes
    ----------
    mean
        Over all trainings.
    between
        Between architectures, corrected for the noise of their means.
    seed
        Between trainings of an architecture: root of the mean variance over seeds.
    rest
        The part of it that differs between architectures. The remainder shifts all architectures alike and can't
        change their order.
    srcc
        Spearman rank correlation of two seeds, averaged over all pairs.
    reliability
        Of the mean over seeds: ``between^2 / (between^2 + rest^2 / seeds)`` (Cronbach's alpha, 1951).
    """

    mean: float
    between: float
    seed: float
    rest: float
    srcc: float
    reliability: float

    @property
    def ratio(self) -> float:
        """``between / seed``; NaN if the seeds agree exactly."""
        return self.between / self.seed if self.seed else float("nan")


def noise_of(values: ArrayLike) -> Noise:
    """Estimate the noise of ``values``, ``architectures x seeds``."""
    y = np.asarray(values, dtype=float)
    n_archs, n_seeds = y.shape
    means = y.mean(axis=1)
    if n_seeds == 1:
        return Noise(float(y.mean()), float(means.std(ddof=1)), *[float("nan")] * 4)
    rest = y - means[:, None] - y.mean(axis=0) + y.mean()
    rest_variance = float((rest**2).sum() / ((n_archs - 1) * (n_seeds - 1)))
    variance_of_means = float(means.var(ddof=1))
    between = max(variance_of_means - rest_variance / n_seeds, 0.0)
    return Noise(
        mean=float(y.mean()),
        between=between**0.5,
        seed=float(y.var(axis=1, ddof=1).mean() ** 0.5),
        rest=rest_variance**0.5,
        srcc=fmean(srcc(y[:, i], y[:, j]) for i, j in combinations(range(n_seeds), 2)),
        reliability=between / variance_of_means if variance_of_means else float("nan"),
    )


def srcc(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman rank correlation of two vectors; NaN if one of them is constant."""
    ranks = np.array([rankdata(a), rankdata(b)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])
