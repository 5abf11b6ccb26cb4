"""How much of a space the labels reach."""

from __future__ import annotations

import numpy as np

from nasbuild.score._scorer import Scorer
from nasbuild.space import count_architectures, sample

_SAMPLED = 200  # random architectures, so a share is known to 0.04


def share_beyond(scorer: Scorer, labels: np.ndarray, sign: int, seed: int) -> float | None:
    """Share of random architectures of the space whose summed scores are worse than that of the worst label.

    A random table leaves about 1 in as many as it has rows; a table of good rows only leaves most of the space. What is
    predicted so far away is itself uncertain, and mostly judged too well, so the share is a lower limit. None where sums are
    not on a scale of labels.
    """
    if not scorer.has_fitted_scale:
        return None
    count = min(_SAMPLED, count_architectures(scorer.space))
    some = sample(scorer.space, count, np.random.default_rng(seed))
    sums = scorer.shares(some).sum(axis=1)
    return float((sign * sums < min(sign * scorer.sum_at(float(v)) for v in labels)).mean())
