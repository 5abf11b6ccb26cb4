"""Prior covariances of a table's warped labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import Design
from nasbuild.predictor.additive_gp._joint_kernel import JointKernel
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._rbf_interactions import Radial


def covariances(table: Design, thetas: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
    """Additive covariances of a table's warped labels, (rows, rows) for each of several variances of the terms."""
    totals = [np.zeros((n, n)) for _ in thetas]
    for t in range(len(table.terms)):
        if any(theta[t] for theta in thetas):
            kernel = table.kernel(t)
            for total, theta in zip(totals, thetas, strict=True):
                total += theta[t] * kernel
    return totals


def residual_covariance(
    interaction: Interaction,
    variance: float,
    radials: Sequence[Radial],
    distances: Sequence[np.ndarray],
    noise: float | np.ndarray,
    n: int,
) -> np.ndarray:
    """Covariance of interactions and noise, (rows, rows).

    ``distances`` are the additive covariances from which radial kernels derive distances between rows.
    """
    rest = np.zeros((n, n))
    if variance:
        rest += variance * interaction.kernel(interaction.features, interaction.features)
    for radial, distance in zip(radials, distances, strict=True):
        rest += radial.kernel(distance, np.diag(distance), np.diag(distance))
    rest[np.diag_indices(len(rest))] += noise + JITTER
    return rest


def joint_covariance(joint: JointKernel, parts: np.ndarray, noise: float) -> np.ndarray:
    """Covariance of interactions and noise, (rows, rows), of rows with these changed parts: single changes have no noise."""
    rest = joint.kernel(parts, parts)
    rest[np.diag_indices(len(rest))] += noise * joint.joint(parts) + JITTER
    return rest
