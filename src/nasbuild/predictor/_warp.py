"""Labels on a scale where effects add up (Yeo & Johnson, Biometrika 2000, eq. 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Warp:
    """Labels to standardised values and back, by a power that stretches one tail.

    z = (yj(u, power) - shift) / spread with u = (y - mean) / std. Power 1 changes nothing, 0 is a
    logarithm of large labels, 2 one of small labels.
    """

    power: float
    mean: float
    std: float
    shift: float
    spread: float

    @classmethod
    def of(cls, labels: np.ndarray, power: float) -> Warp:
        mean, std = float(labels.mean()), float(labels.std())
        bent = yeo_johnson((labels - mean) / std, power)
        return cls(power, mean, std, float(bent.mean()), float(bent.std()))

    def forward(self, labels: np.ndarray) -> np.ndarray:
        return (yeo_johnson((labels - self.mean) / self.std, self.power) - self.shift) / self.spread

    def back(self, values: np.ndarray) -> np.ndarray:
        """Labels of standardised values; beyond the power's range, the label at its end."""
        return yeo_johnson_inverse(values * self.spread + self.shift, self.power) * self.std + self.mean

    def log_jacobian(self, labels: np.ndarray) -> float:
        """Sum of log dz/dy: what the density of labels gains over that of standardised values."""
        u = (labels - self.mean) / self.std
        bent = ((self.power - 1) * np.sign(u) * np.log1p(np.abs(u))).sum()
        return float(bent - len(u) * np.log(self.std * self.spread))


def yeo_johnson(u: np.ndarray, power: float) -> np.ndarray:
    """The transform of values (n,); increasing for every power."""
    size = np.log1p(np.abs(u))
    return np.where(u >= 0, _expm1_over(size, power), -_expm1_over(size, 2 - power))


def yeo_johnson_inverse(v: np.ndarray, power: float) -> np.ndarray:
    """Inverse of `yeo_johnson`; values that no u has give the u at that end of the range."""
    size = np.abs(v)
    return np.where(v >= 0, _log1p_over(size, power), -_log1p_over(size, 2 - power))


_FURTHEST = 20.0  # log(1 + |u|) of the furthest label that a value is taken back to


def _expm1_over(x: np.ndarray, power: float) -> np.ndarray:
    """(exp(power x) - 1) / power, x where power is 0."""
    return np.expm1(power * x) / power if power else x


def _log1p_over(y: np.ndarray, power: float) -> np.ndarray:
    """Inverse of `_expm1_over` in x, taken back from log(1 + |u|) to |u|."""
    if not power:
        return np.expm1(np.minimum(y, _FURTHEST))
    # Near 0 log1p has the digits; near -1 only a plain logarithm reaches the furthest label.
    near = np.maximum(power * y, -0.5)
    far = np.maximum(1 + power * y, np.exp(-abs(power) * _FURTHEST))
    x = np.where(power * y < -0.5, np.log(far), np.log1p(near)) / power
    return np.expm1(np.minimum(x, _FURTHEST))
