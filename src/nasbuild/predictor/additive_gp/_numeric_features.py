"""Choices that are numbers, as the terms see them: standardised, as logarithms, and as smooth curves."""

from __future__ import annotations

import numpy as np

from nasbuild.space import Feature

_APART = 1e-9  # deviation under which numbers (or their logarithms) are as good as equal
_FEWEST = 3  # different numbers from which on there is a trend
_CURVE = 6  # different numbers from which on there is a curve
_BUMPS = 8  # of a curve


def plain_numbers(feature: Feature) -> np.ndarray | None:
    """Choices as standardised numbers, (choices,).

    None if there are fewer than three, some are no numbers, or all are as good as equal.
    """
    values = feature.numbers
    if values is None or len(values) < _FEWEST:
        return None
    # Divided by the largest, squares of huge numbers are numbers as well.
    return _standardised(values / max(np.abs(values).max(), 1e-300))


def log_numbers(feature: Feature) -> np.ndarray | None:
    """The same on a log scale where all are above 0."""
    plain = plain_numbers(feature)
    values = np.array(feature.choices, dtype=float) if plain is not None else np.zeros(1)
    return _standardised(np.log(values)) if plain is not None and (values > 0).all() else plain


def curve(feature: Feature) -> np.ndarray | None:
    """Choices as heights of overlapping bumps along the log numbers, (choices, bumps); None where they are few.

    Their inner products are close to a Gaussian kernel between numbers (a basis of radial functions on a grid), which
    makes near choices alike without listing all pairs.
    """
    numbers = log_numbers(feature)
    if numbers is None or len(np.unique(numbers)) < _CURVE:
        return None
    grid = np.linspace(numbers.min(), numbers.max(), _BUMPS)
    return np.exp(-0.5 * ((numbers[:, None] - grid) / (grid[1] - grid[0])) ** 2)


def log_depths(depths: set[int]) -> tuple[float, float] | None:
    """Mean and deviation of the logarithms of depths; None where there are fewer than three above 0."""
    values = np.log([d for d in depths if d > 0])
    return (float(values.mean()), float(values.std())) if len(values) >= _FEWEST else None


def _standardised(values: np.ndarray) -> np.ndarray | None:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > _APART else None
