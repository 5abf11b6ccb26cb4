"""The scale on which labels are likeliest: a power, found with the variances of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor._evidence import maximise_evidence
from nasbuild.predictor._kernels import Kernels
from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor._warp import Warp

_FURTHEST_POWER = 4.0  # from 1, where labels stay as they are


@dataclass(frozen=True)
class Scale:
    """A scale that was tried.

    Attributes
    ----------
    log
        Logarithms of the variances of kernels, then of the noise, (kernels + 1,).
    objective
        -log density of the labels and the variances, in nats, without its constant. It compares
        scales that were tried with the same kernels.
    """

    warp: Warp
    log: np.ndarray
    objective: float


@dataclass(frozen=True)
class Scales:
    """All scales that labels can be told on.

    Attributes
    ----------
    kernels
        Among the rows by which a scale is judged.
    labels
        Of all architectures, (architectures,).
    rows
        Which of them the kernels are of, (rows,).
    centre
        Logarithms of the variances expected beforehand, (kernels,).
    """

    kernels: Kernels
    labels: np.ndarray
    rows: np.ndarray
    centre: np.ndarray
    recipe: AdditiveRecipe

    def best(self, power: float, steps: Sequence[float], start: np.ndarray | None = None) -> Scale:
        """From a power by ever smaller steps, as long as the labels get likelier."""
        best = self.attempt(power, start)
        tried = {power}
        for step in steps:
            for sign in (1, -1):
                while (other := best.warp.power + sign * step) not in tried:
                    if abs(other - 1) > _FURTHEST_POWER:
                        break
                    tried.add(other)
                    found = self.attempt(other, best.log)
                    if not found.objective < best.objective:
                        break
                    best = found
        return best

    def attempt(self, power: float, start: np.ndarray | None = None) -> Scale:
        """One scale, its variances searched for from ``start``."""
        warp = Warp.of(self.labels, power)
        log, value = maximise_evidence(
            [(self.kernels, warp.forward(self.labels)[self.rows])],
            centre=self.centre,
            start=start,
            width=self.recipe.prior_width,
            iterations=self.recipe.iterations,
        )
        # Densities of labels compare, those of standardised values do not.
        return Scale(warp, log, value - warp.log_jacobian(self.labels[self.rows]))
