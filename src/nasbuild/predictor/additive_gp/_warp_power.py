"""The power of the label warp with the highest evidence, found together with the kernels' variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER, maximise_evidence
from nasbuild.predictor.additive_gp._warp import Warp

_FURTHEST_POWER = 4.0  # from 1, where labels stay as they are


@dataclass(frozen=True)
class Scale:
    """A warp that was tried, with its variances.

    Attributes
    ----------
    log
        Log variances of the kernels, then of the noise, (kernels + 1,).
    objective
        Negative log density, in nats and without its constant, of the informative labels given the others, and of the
        variances. It is comparable between warps with the same kernels.
    """

    warp: Warp
    log: np.ndarray
    objective: float


@dataclass(frozen=True)
class Scales:
    """A search over warps of the labels.

    Attributes
    ----------
    kernels
        Of the rows on which a warp is judged.
    labels
        Of all architectures, (architectures,).
    rows
        Positions of the kernels' rows among the labels, (rows,).
    centre
        Prior means of the log variances, (kernels,).
    informative
        Which of the rows are informative of the scale (`rows_informative_of_scale`), (rows,) bool.
    noise
        Known variance of the noise of each label, in its unit squared, (architectures,); None where there is none.
    """

    kernels: Kernels
    labels: np.ndarray
    rows: np.ndarray
    centre: np.ndarray
    recipe: AdditiveRecipe
    informative: np.ndarray
    noise: np.ndarray | None = field(default=None, kw_only=True)

    def best(self, power: float, steps: Sequence[float], start: np.ndarray | None = None) -> Scale:
        """Line search from a power by smaller and smaller steps, as long as the objective decreases."""
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
        """The warp of one power, with variances optimised from ``start``."""
        warp = Warp.of(self.labels, power)
        known = self.known(warp)
        log, value = maximise_evidence(
            [(self.kernels.with_known(known), warp.forward(self.labels)[self.rows])],
            centre=self.centre,
            start=start,
            width=self.recipe.prior_width,
            iterations=self.recipe.iterations,
        )
        # Conditional density: rows that any scale explains are given.
        if self._given is not None:
            given, kernels = self._given
            kernels = kernels.with_known(None if known is None else known[given])
            theta = np.exp(log)
            known = kernels.minus_log_density(
                warp.forward(self.labels[self.rows[given]]), theta[:-1], theta[-1] + JITTER
            )
            value -= known[0] if known is not None else 0.0
        # Densities of labels are comparable between warps, those of standardised values are not.
        return Scale(warp, log, value - warp.log_jacobian(self.labels[self.rows[self.informative]]))

    def known(self, warp: Warp) -> np.ndarray | None:
        """Known noise of the rows on the scale of a warp, (rows,)."""
        found = warp.variances(self.labels, self.noise)
        return None if found is None else found[self.rows]

    @cached_property
    def _given(self) -> tuple[np.ndarray, Kernels] | None:
        """Positions of rows that are not informative, and the kernels among them."""
        given = np.flatnonzero(~self.informative)
        return (given, self.kernels.among(given)) if len(given) else None
