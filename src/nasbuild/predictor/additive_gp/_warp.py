"""A power transform of labels, to a scale where effects add up (Yeo & Johnson, Biometrika 2000, eq. 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEEPEST = 8.0
"""Maximum slope beyond the labels, relative to the average slope among them."""


@dataclass(frozen=True)
class Warp:
    """A monotone map from labels to standardised values and back; its power stretches one tail.

    z = (yj(u, power) - shift) / spread with u = (y - mean) / std. Power 1 is linear, 0 a logarithm of large labels,
    2 a logarithm of small labels.

    The power is fitted to the labels and says nothing about values beyond them, where it could diverge. Beyond the
    smallest and the largest label the map is therefore a straight line. Its slope is that of the power at this label, but
    at most `STEEPEST` times the average slope among the labels.

    Attributes
    ----------
    low, high
        Smallest and largest label.

    Examples
    --------
    >>> from nasbuild.predictor import Warp
    >>> warp = Warp.of(np.array([1.0, 2.0, 4.0, 8.0]), power=0.0)
    >>> warp.back(warp.forward(np.array([2.0, 9.0]))).round(6).tolist()
    [2.0, 9.0]
    """

    power: float
    mean: float
    std: float
    shift: float
    spread: float
    low: float
    high: float

    @classmethod
    def of(cls, labels: np.ndarray, power: float) -> Warp:
        """The warp of a power, standardised on labels (n,).

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> warp = Warp.of(np.array([1.0, 2.0, 3.0]), power=1.0)
        >>> warp.mean, warp.low, warp.high
        (2.0, 1.0, 3.0)
        """
        mean, std = float(labels.mean()), float(labels.std())
        bent = yeo_johnson((labels - mean) / std, power)
        ends = float(labels.min()), float(labels.max())
        return cls(power, mean, std, float(bent.mean()), float(bent.std()), *ends)

    def forward(self, labels: np.ndarray) -> np.ndarray:
        """Standardised values of labels (n,).

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> warp = Warp.of(np.array([1.0, 2.0, 3.0]), power=1.0)
        >>> warp.forward(np.array([1.0, 2.0, 3.0])).round(3).tolist()
        [-1.225, 0.0, 1.225]
        """
        inside = np.clip(labels, self.low, self.high)
        beyond = labels - inside
        return self._bent(inside) + np.where(beyond < 0, beyond / self._slopes[0], beyond / self._slopes[1])

    def back(self, values: np.ndarray) -> np.ndarray:
        """Labels of standardised values (n,).

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> warp = Warp.of(np.array([1.0, 2.0, 3.0]), power=1.0)
        >>> warp.back(np.array([0.0])).round(6).tolist()
        [2.0]
        """
        inside = np.clip(values, *self._ends)
        beyond = values - inside
        labels = yeo_johnson_inverse(inside * self.spread + self.shift, self.power) * self.std + self.mean
        # A round trip may round: a value between the ends must have a label between them.
        labels = np.clip(labels, self.low, self.high)
        return labels + np.where(beyond < 0, beyond * self._slopes[0], beyond * self._slopes[1])

    def beyond(self, labels: np.ndarray) -> np.ndarray:
        """Distance of labels (n,) from the range of those learnt from; 0 inside.

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> warp = Warp.of(np.array([1.0, 2.0, 3.0]), power=1.0)
        >>> warp.beyond(np.array([2.5, 4.5])).tolist()
        [0.0, 1.5]
        """
        return np.abs(labels - np.clip(labels, self.low, self.high))

    def _bent(self, labels: np.ndarray) -> np.ndarray:
        return (yeo_johnson((labels - self.mean) / self.std, self.power) - self.shift) / self.spread

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Standardised values of the smallest and the largest label."""
        low, high = self._bent(np.array([self.low, self.high]))
        return float(low), float(high)

    @cached_property
    def _slopes(self) -> tuple[float, float]:
        """Slopes of the straight lines below and above, in labels per standardised value."""
        u = (np.array([self.low, self.high]) - self.mean) / self.std
        own = self.std * self.spread * np.exp((1 - self.power) * np.sign(u) * np.log1p(np.abs(u)))
        average = (self.high - self.low) / (self._ends[1] - self._ends[0])
        low, high = np.minimum(own, STEEPEST * average)
        return float(low), float(high)

    def log_slopes(self, labels: np.ndarray) -> np.ndarray:
        """log dz/dy at labels (n,): log density of a label minus that of its standardised value.

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> warp = Warp.of(np.array([1.0, 2.0, 3.0]), power=1.0)  # linear, within the labels and beyond
        >>> warp.log_slopes(np.array([2.0, 5.0])).round(3).tolist()
        [0.203, 0.203]
        """
        u = (np.clip(labels, self.low, self.high) - self.mean) / self.std
        inside = (self.power - 1) * np.sign(u) * np.log1p(np.abs(u)) - np.log(self.std * self.spread)
        low, high = np.log(self._slopes)
        return np.where(labels < self.low, -low, np.where(labels > self.high, -high, inside))

    def variances(self, labels: np.ndarray, noise: np.ndarray | None) -> np.ndarray | None:
        """Variances of labels (n,) on the standardised scale, to first order; ``noise`` are those in the label's unit squared.

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> labels = np.array([1.0, 2.0, 3.0])
        >>> Warp.of(labels, power=1.0).variances(labels, np.array([0.0, 1.0, 2.0])).round(2).tolist()
        [0.0, 1.5, 3.0]
        """
        return None if noise is None else noise * np.exp(2 * self.log_slopes(labels))

    def log_jacobian(self, labels: np.ndarray) -> float:
        """Sum of log dz/dy: log density of labels minus that of their standardised values.

        Examples
        --------
        >>> from nasbuild.predictor import Warp
        >>> labels = np.array([1.0, 2.0, 3.0])
        >>> warp = Warp.of(labels, power=1.0)  # linear, so dz/dy is one over the deviation
        >>> round(warp.log_jacobian(labels), 3)
        0.608
        """
        u = (labels - self.mean) / self.std
        bent = ((self.power - 1) * np.sign(u) * np.log1p(np.abs(u))).sum()
        return float(bent - len(u) * np.log(self.std * self.spread))


def yeo_johnson(u: np.ndarray, power: float) -> np.ndarray:
    """The transform of values (n,); increasing for every power.

    >>> yeo_johnson(np.array([-1.0, 0.0, 3.0]), 1.0).tolist()
    [-1.0, 0.0, 3.0]
    """
    size = np.log1p(np.abs(u))
    return np.where(u >= 0, _expm1_over(size, power), -_expm1_over(size, 2 - power))


def yeo_johnson_inverse(v: np.ndarray, power: float) -> np.ndarray:
    """Inverse of `yeo_johnson`; values outside its range give the end of the range."""
    size = np.abs(v)
    return np.where(v >= 0, _log1p_over(size, power), -_log1p_over(size, 2 - power))


_FURTHEST = 20.0  # maximum log(1 + |u|) of an inverse


def _expm1_over(x: np.ndarray, power: float) -> np.ndarray:
    """(exp(power x) - 1) / power, x where power is 0."""
    return np.expm1(power * x) / power if power else x


def _log1p_over(y: np.ndarray, power: float) -> np.ndarray:
    """Inverse of `_expm1_over` in x, then from log(1 + |u|) to |u|."""
    if not power:
        return np.expm1(np.minimum(y, _FURTHEST))
    # log1p is accurate near 0; near -1 only a plain logarithm reaches the furthest label.
    near = np.maximum(power * y, -0.5)
    far = np.maximum(1 + power * y, np.exp(-abs(power) * _FURTHEST))
    x = np.where(power * y < -0.5, np.log(far), np.log1p(near)) / power
    return np.expm1(np.minimum(x, _FURTHEST))
