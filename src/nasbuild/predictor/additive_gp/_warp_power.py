"""The scale on which labels are likeliest: a power, found with the variances of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER, maximise_evidence
from nasbuild.predictor.additive_gp._warp import Warp

_FURTHEST_POWER = 4.0  # from 1, where labels stay as they are


@dataclass(frozen=True)
class Scale:
    """A scale that was tried.

    Attributes
    ----------
    log
        Logarithms of the variances of kernels, then of the noise, (kernels + 1,).
    objective
        -log density of the labels that tell of the scale given those that do not, and of the variances, in nats, without
        its constant. It compares scales that were tried with the same kernels.
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
    tells
        Which of the rows say anything of the scale (`rows_informative_of_scale`), (rows,) bool.
    """

    kernels: Kernels
    labels: np.ndarray
    rows: np.ndarray
    centre: np.ndarray
    recipe: AdditiveRecipe
    tells: np.ndarray

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
        # Rows that any scale explains are given; the others are told by them (a conditional density).
        if self._given is not None:
            given, kernels = self._given
            theta = np.exp(log)
            known = kernels.minus_log_density(
                warp.forward(self.labels[self.rows[given]]), theta[:-1], theta[-1] + JITTER
            )
            value -= known[0] if known is not None else 0.0
        # Densities of labels compare, those of standardised values do not.
        return Scale(warp, log, value - warp.log_jacobian(self.labels[self.rows[self.tells]]))

    @cached_property
    def _given(self) -> tuple[np.ndarray, Kernels] | None:
        """Positions of rows that say nothing of the scale, and the kernels among them."""
        given = np.flatnonzero(~self.tells)
        return (given, self.kernels.among(given)) if len(given) else None
