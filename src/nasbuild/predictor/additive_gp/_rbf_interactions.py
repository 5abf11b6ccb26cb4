"""Interactions of all orders by radial basis function (RBF) kernels; they enter the prediction only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

WIDTHS = (0.5, 2.0)
"""Widths of kernels beside the terms, in medians of the squared distance between two rows."""
FLAT_WIDTHS = (0.5, 1.0, 2.0, 4.0)
"""Widths of kernels that replace the terms."""
_LEAST = 1e-3  # variance of a term below which the distance leaves it out


@dataclass(frozen=True)
class Radial:
    """Kernels exp(-d² / width), where d is the distance under the additive kernel.

    d²(a, b) = k(a, a) + k(b, b) - 2 k(a, b), with k the sum of the terms' kernels, each times its variance. It is the
    kernel of Rasmussen & Williams (2006, section 4.2.1) on the features of the terms. This is no sum over stages or pairs of stages: what it
    adds to y' is in no module's score and not in `AdditiveGP.pairs`.

    Attributes
    ----------
    theta
        Variance of each term, as found without interactions; 0 for terms left out, (terms,).
    widths
        Squared distances at which a kernel falls to 1/e, (kernels,), all above 0.
    variances
        Variance of each kernel, as a share of the labels' variance on the warped scale, (kernels,).
    """

    theta: np.ndarray
    widths: np.ndarray
    variances: np.ndarray

    @classmethod
    def of(cls, theta: np.ndarray, kernel: np.ndarray, widths: Sequence[float]) -> Radial | None:
        """From the terms' variances, the additive kernel of `inside` among a table's rows, and widths in medians.

        None if at least half of the pairs of rows do not differ.
        """
        apart = squared_distances(kernel, np.diag(kernel), np.diag(kernel))
        median = float(np.median(apart[np.triu_indices(len(apart), 1)])) if len(apart) > 1 else 0.0
        if median <= 1e-9:
            return None
        return cls(inside(theta), median * np.array(widths), np.zeros(len(widths)))

    @property
    def variance(self) -> float:
        """Prior variance of all kernels together, at any architecture."""
        return float(self.variances.sum())

    def kernels(self, cross: np.ndarray, a: np.ndarray, b: np.ndarray) -> Iterator[np.ndarray]:
        """Each kernel between architectures, from the additive kernel and its diagonals, (rows of a, rows of b)."""
        apart = squared_distances(cross, a, b)
        for width in self.widths:
            yield np.exp(-apart / width)

    def kernel(self, cross: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Their sum, each times its variance; arguments as in `kernels`."""
        total = np.zeros(cross.shape)
        for variance, kernel in zip(self.variances, self.kernels(cross, a, b), strict=True):
            total += variance * kernel
        return total


def inside(theta: np.ndarray) -> np.ndarray:
    """Variances of the terms that the distance uses, 0 for the others, (terms,)."""
    return np.where(theta > _LEAST, theta, 0.0)


def squared_distances(cross: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances from inner products (rows of a, rows of b) and the squared norms (rows,) of both; at least 0."""
    return np.maximum(a[:, None] + b[None, :] - 2 * cross, 0)
