"""Numbers of choices from their attributes: a regression over the choices whose numbers are known."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

LEAST_KNOWN = 3
"""Choices with known numbers from which on attributes tell those of others."""
_MOST_KNOWN = 200  # of more, evenly spread ones are used
_LEVEL, _SLOPE = 10.0, 3.0  # prior deviations of the level, and of what a deviation of an attribute changes
_SIZES, _LENGTHS = (0.0, 0.3, 1.0), (0.3, 1.0)  # of the smooth part, in the numbers' unit; in deviations of attributes
_RESTS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # deviation of what no attribute tells
_APART = 1e-9  # deviation below which an attribute is the same for all


def numbers_from_attributes(
    known: np.ndarray, noise: np.ndarray, attributes: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and deviation of the numbers of choices, given those of others and the attributes of all.

    A number is a level, plus a straight line along each attribute, plus a smooth deviation of both (a Gaussian kernel), plus a
    rest of its own. How large and how smooth these are, a handful of choices hardly tells. So the posterior is averaged over
    a grid of their deviations, weighted by their evidence (Rasmussen & Williams, Gaussian Processes for Machine Learning,
    2006, sections 2.7 and 5.2).

    Parameters
    ----------
    known, noise
        Numbers, and the deviations of their errors, (known,) each.
    attributes
        Of the choices with known numbers, (known, attributes).
    wanted
        Attributes of the others, (wanted, attributes).

    Examples
    --------
    >>> bits = np.array([[2.0], [3.0], [4.0], [6.0]])
    >>> mean, std = numbers_from_attributes(-1.4 * bits[:, 0], np.zeros(4), bits, np.array([[5.0]]))
    >>> mean.round(1).tolist(), bool(std[0] < 0.5)
    ([-7.0], True)
    """
    if len(known) > _MOST_KNOWN:
        some = np.argsort(attributes[:, 0], kind="stable")
        some = some[np.linspace(0, len(known) - 1, _MOST_KNOWN).round().astype(int)]
        known, noise, attributes = known[some], noise[some], attributes[some]
    spread = attributes.std(axis=0)
    varied = spread > _APART * np.maximum(np.abs(attributes).max(axis=0), 1e-300)
    # An attribute that is the same for all known choices tells nothing of others.
    x, new = ((own[:, varied] - attributes[:, varied].mean(axis=0)) / spread[varied] for own in (attributes, wanted))
    level = float(known.mean())
    linear, across, itself = (
        _LEVEL**2 + _SLOPE**2 * a @ b.T for a, b in ((x, x), (new, x), (new, new))
    )
    apart, distance = (((a[:, None] - x[None]) ** 2).sum(axis=2) for a in (x, new))
    found, evidence = [], []
    for size, length, rest in product(_SIZES, _LENGTHS, _RESTS):
        covariance = linear + size**2 * np.exp(-apart / (2 * length**2)) + np.diag(noise**2 + rest**2)
        factor = cholesky(covariance, lower=True, check_finite=False)
        alpha = cho_solve((factor, True), known - level, check_finite=False)
        cross = across + size**2 * np.exp(-distance / (2 * length**2))
        told = solve_triangular(factor, cross.T, lower=True, check_finite=False)
        variance = np.diag(itself) + size**2 + rest**2 - (told**2).sum(axis=0)
        found.append((level + cross @ alpha, variance))
        evidence.append(-0.5 * (known - level) @ alpha - np.log(np.diag(factor)).sum())
    weights = np.exp(np.array(evidence) - max(evidence))
    weights /= weights.sum()
    means, variances = (np.array([one[k] for one in found]) for k in (0, 1))
    mean = weights @ means
    return mean, np.sqrt(np.maximum(weights @ (variances + (means - mean) ** 2), 0))
