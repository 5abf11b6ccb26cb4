"""Numeric choices as the terms see them: standardised, as logarithms, and as smooth curves."""

from __future__ import annotations

import numpy as np

from nasbuild.space import ABSENT, Feature, Space, choice_attributes

_APART = 1e-9  # deviation below which numbers (or their logarithms) count as equal
_FEWEST = 3  # distinct numbers required for a trend
_CURVE = 6  # distinct numbers required for a curve
_BUMPS = 8  # of a curve
RANGE_BUMPS = (4, 16)
"""Further curves of a range: how smooth its effect is, the variances of all three say."""


def plain_numbers(feature: Feature) -> np.ndarray | None:
    """Choices as standardised numbers, (choices,), 0 for an absent feature.

    None if there are fewer than three, some are no numbers, or all are practically equal.
    """
    values = feature.numbers
    if values is None or len(feature.present) < _FEWEST:
        return None
    if feature.range is not None:
        # As the space says that they are spread.
        return _standardised(feature.range.scaled(values))
    # Divided by the largest, so that squares of huge numbers do not overflow.
    return _standardised(values / max(np.nanmax(np.abs(values)), 1e-300))


def log_numbers(feature: Feature) -> np.ndarray | None:
    """Choices as standardised logarithms where all are above 0, else as `plain_numbers`."""
    plain = plain_numbers(feature)
    values = np.array(feature.present, dtype=float) if plain is not None else np.zeros(1)
    numbers = feature.numbers
    if plain is None or numbers is None or feature.range is not None or not (values > 0).all():
        return plain
    return _standardised(np.log(numbers))


def curve(feature: Feature, bumps: int = _BUMPS) -> np.ndarray | None:
    """Choices in a basis of radial functions on a grid of the log numbers, (choices, functions); None for few choices.

    The inner products are close to a Gaussian kernel, so that neighbouring choices have similar effects.
    """
    numbers = log_numbers(feature)
    if numbers is None or len(np.unique(numbers)) < _CURVE:
        return None
    grid = np.linspace(numbers.min(), numbers.max(), bumps)
    found = np.exp(-0.5 * ((numbers[:, None] - grid) / (grid[1] - grid[0])) ** 2)
    if feature.absent >= 0:
        found[feature.absent] = 0.0
    return found


def log_depths(depths: set[int]) -> tuple[float, float] | None:
    """Mean and deviation of the logarithms of depths; None where there are fewer than three above 0."""
    values = np.log([d for d in depths if d > 0])
    return (float(values.mean()), float(values.std())) if len(values) >= _FEWEST else None


def attribute_features(space: Space, feature: str) -> dict[str, Feature]:
    """The attributes of a feature's choices, as numeric features with a number in the place of each choice."""
    return {
        name: Feature(name, tuple(ABSENT if np.isnan(v) else float(v) for v in values), "numeric")
        for name, values in choice_attributes(space, feature).items()
    }


def _standardised(values: np.ndarray) -> np.ndarray | None:
    """The numbers with mean 0 and deviation 1; 0 where a feature is absent. None if they hardly differ."""
    known = values[~np.isnan(values)]
    spread = float(known.std())
    return np.nan_to_num((values - known.mean()) / spread) if spread > _APART else None
