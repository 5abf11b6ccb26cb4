"""Kernel matrices of the same rows, and the Gaussian density of labels under a weighted sum of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotrf, dpotri  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Kernels:
    """Symmetric kernel matrices, stored as lower triangles in half the memory.

    Attributes
    ----------
    halves
        Lower triangles row by row, (kernels, rows (rows + 1) / 2).
    rows
        Number of rows.
    known
        Known noise of each row, added to the diagonal of every sum in `density`, (rows,); None where there is none.
    """

    halves: np.ndarray
    rows: int
    known: np.ndarray | None = None

    @classmethod
    def of(cls, kernels: Iterable[np.ndarray]) -> Kernels:
        """From one kernel or more, (rows, rows) each."""
        found, rows = [], 0
        for kernel in kernels:
            rows = len(kernel)
            found.append(kernel.ravel()[_lower(rows).place])
        return cls(np.stack(found), rows)

    def __len__(self) -> int:
        return len(self.halves)

    def and_more(self, kernels: Iterable[np.ndarray]) -> Kernels:
        """These and more kernels of the same rows, (rows, rows) each."""
        place = _lower(self.rows).place
        return Kernels(
            np.stack([*self.halves, *(kernel.ravel()[place] for kernel in kernels)]), self.rows, self.known
        )

    def with_known(self, known: np.ndarray | None) -> Kernels:
        """The same kernels with known noise of each row, (rows,), or without."""
        return replace(self, known=known)

    def total(self, theta: np.ndarray) -> np.ndarray:
        """Sum of the first kernels, weighted by theta, (rows, rows)."""
        half, found = _lower(self.rows), np.zeros((self.rows, self.rows))
        values = theta @ self.halves[: len(theta)]
        found.ravel()[half.place] = values
        found[half.column, half.row] = values
        return found

    def among(self, some: np.ndarray) -> Kernels:
        """The same kernels among some of the rows, ascending positions (some,)."""
        row, column = np.tril_indices(len(some))
        known = None if self.known is None else self.known[some]
        return Kernels(self.halves[:, some[row] * (some[row] + 1) // 2 + some[column]], len(some), known)

    def minus_log_density(
        self, values: np.ndarray, theta: np.ndarray, noise: float
    ) -> tuple[float, np.ndarray] | None:
        """-log N(values; 0, C) without its constant, where C is the sum of theta times kernels, plus noise times I.

        Rasmussen & Williams, 2006, equations 5.8 and 5.9.

        Returns
        -------
        The value, and its gradient by theta and the noise, (kernels + 1,); None where C has no Cholesky factor.
        """
        found = self.density(values, theta, noise)
        return None if found is None else found[:2]

    def density(
        self, values: np.ndarray, theta: np.ndarray, noise: float
    ) -> tuple[float, np.ndarray, np.ndarray] | None:
        """As `minus_log_density`, and C^-1 times the values, (rows,), which is the gradient by the values."""
        half = _lower(self.rows)
        total = np.zeros((self.rows, self.rows))
        total.ravel()[half.place] = theta @ self.halves
        total[np.diag_indices(self.rows)] += noise if self.known is None else noise + self.known
        # LAPACK reads column by column, so the lower half is its upper one: nothing is copied.
        factor, failed = dpotrf(total.T, lower=0, overwrite_a=1)
        if failed:
            return None
        alpha = cho_solve((factor, False), values, check_finite=False)
        value = 0.5 * float(values @ alpha) + float(np.log(np.diag(factor)).sum())
        inverse, _ = dpotri(factor, lower=0, overwrite_c=1)
        apart = inverse.T.ravel()[half.place] - alpha[half.row] * alpha[half.column]
        noise_slope = 0.5 * apart[half.diagonal].sum()
        # Off-diagonal entries count twice, as they also stand in the other half.
        apart[half.diagonal] *= 0.5
        return value, np.append(self.halves @ apart, noise_slope), alpha


@dataclass(frozen=True)
class _Lower:
    """Positions of a lower triangle: in the flat matrix, by row and column, and which are on the diagonal."""

    place: np.ndarray
    row: np.ndarray
    column: np.ndarray
    diagonal: np.ndarray


@lru_cache(maxsize=4)
def _lower(rows: int) -> _Lower:
    row, column = np.tril_indices(rows)
    return _Lower(row * rows + column, row, column, np.cumsum(np.arange(1, rows + 1)) - 1)
