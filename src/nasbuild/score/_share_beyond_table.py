"""The share of a space that lies beyond the labels."""

from __future__ import annotations

import numpy as np

from nasbuild.score._scorer import Scorer
from nasbuild.space import count_architectures, sample

_SAMPLED = 200  # random architectures, so a share is known to 0.04


def share_beyond(scorer: Scorer, labels: np.ndarray, sign: int, seed: int) -> float | None:
    """Share of random architectures whose summed scores are worse than the worst label; a lower bound.

    For a random table of n rows it is about 1 / n; for a table of good rows only, most of the space. Predictions that far
    away are uncertain and mostly too optimistic, so the share is a lower bound. None for scorers without a fitted scale.

    Parameters
    ----------
    sign
        1 where higher labels are better, -1 where lower ones are.
    """
    if not scorer.has_fitted_scale:
        return None
    count = min(_SAMPLED, count_architectures(scorer.space))
    some = sample(scorer.space, count, np.random.default_rng(seed))
    sums = scorer.shares(some).sum(axis=1)
    return float((sign * sums < min(sign * scorer.sum_at(float(v)) for v in labels)).mean())
