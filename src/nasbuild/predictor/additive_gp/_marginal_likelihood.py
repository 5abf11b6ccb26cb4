"""Variances that maximise the marginal likelihood (evidence; Rasmussen & Williams, 2006, section 5.4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from nasbuild.predictor.additive_gp._kernels import Kernels

JITTER = 1e-6  # added to the noise, so that a Cholesky factor exists
_NOISE_PRIOR = 0.1
_SMALLEST, _LARGEST, _LEAST_NOISE = -14.0, 5.0, -14.0  # logarithms


def maximise_evidence(
    parts: Sequence[tuple[Kernels, np.ndarray]],
    *,
    centre: np.ndarray,
    width: float,
    iterations: int,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Variances of the kernels of a sum, and of the noise, by maximum a posteriori.

    Minimises -log N(z; 0, sum_g theta_g K_g + noise I) - log prior by L-BFGS over log theta. The
    prior on log theta is normal with deviation ``width`` around ``centre``, on the noise around
    log 0.1. With few labels it keeps variances away from 0 and from values beyond the labels' own variance.
    The cost grows with the cube of the rows, so labels may come in parts that are treated as independent (a composite
    likelihood: Varin, Reid & Firth, Statistica Sinica 2011).

    Parameters
    ----------
    parts
        Kernels, each with mean diagonal 1, and standardised labels, (n,), of each part.
    centre
        Prior means of the log variances, (kernels,).
    start
        Initial log variances, (kernels + 1,), the noise last; the prior mean if None.

    Returns
    -------
    Log variances, (kernels + 1,), the noise last; and the minimum in nats.
    """
    count = len(centre)
    centre = np.append(centre, np.log(_NOISE_PRIOR))

    def objective(log: np.ndarray) -> tuple[float, np.ndarray]:
        away = (log - centre) / width
        value, slope = 0.5 * float(away @ away), away / width
        for kernels, values in parts:
            theta = np.exp(log)
            found = kernels.minus_log_density(values, theta[:-1], theta[-1] + JITTER)
            if found is None:
                return 1e10, np.zeros(count + 1)
            value, slope = value + found[0], slope + found[1] * theta
        return value, slope

    bounds = [(_SMALLEST, _LARGEST)] * count + [(_LEAST_NOISE, 2.0)]
    found = minimize(
        objective,
        np.clip(centre if start is None else start, *np.array(bounds).T),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations},
    )
    return found.x, float(found.fun)


def solve(kernels: Kernels, values: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Inverse of the weighted sum of the kernels times values, (rows,)."""
    total = kernels.total(theta)
    total[np.diag_indices(len(total))] += JITTER
    return cho_solve(cho_factor(total, lower=True, overwrite_a=True), values)


def maximise_without_noise(
    kernels: Kernels,
    values: np.ndarray,
    start: np.ndarray,
    centre: np.ndarray,
    width: np.ndarray,
    iterations: int,
) -> tuple[np.ndarray, float]:
    """Log variances of the kernels by maximum a posteriori, without noise but `JITTER`; and the minimum in nats."""

    def objective(log: np.ndarray) -> tuple[float, np.ndarray]:
        away, theta = (log - centre) / width, np.exp(log)
        found = kernels.minus_log_density(values, theta, JITTER)
        if found is None:
            return 1e10, np.zeros(len(log))
        return found[0] + 0.5 * float(away @ away), found[1][:-1] * theta + away / width

    best = minimize(
        objective,
        np.clip(start, _SMALLEST, _LARGEST),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_SMALLEST, _LARGEST)] * len(centre),
        options={"maxiter": iterations},
    )
    return best.x, float(best.fun)
