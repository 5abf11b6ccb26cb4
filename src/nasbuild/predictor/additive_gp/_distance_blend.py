"""A mixture with a simpler process, for tables with few labels and many variances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._design_matrix import Design
from nasbuild.predictor.additive_gp._interaction_kernels import Variances, prior_centre
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER, maximise_evidence
from nasbuild.predictor.additive_gp._rbf_interactions import FLAT_WIDTHS, Radial
from nasbuild.predictor.additive_gp._terms import kind

_OF_DISTANCE = (
    "choice@place",
    "number",
    "number@stage",
    "depth@stage",
    "layers@stage",
    "size@stage",
)
_OCCAM = 0.2  # nats by which each fitted variance inflates the evidence
_DOUBT = 2.5  # nats of error of the evidence
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.9  # of the process that uses distances only


def blended(
    variances: Variances,
    log: np.ndarray,
    table: Design,
    kernels: Kernels,
    z: np.ndarray,
    recipe: AdditiveRecipe,
) -> Variances:
    """Mix the process with one that uses distances only, weighted by the evidence of both.

    With few labels and many variances, the maximum of the evidence is optimistic: by `_OCCAM` nats for each variance.
    If a process with a handful of variances has the same corrected evidence, both get the same share.

    Parameters
    ----------
    log, kernels, z
        Logarithms of the process's variances, the noise last; its kernels among some rows, those of the terms first;
        and the warped labels of these rows, (rows,).
    """
    plain = np.array([float(kind(term.name) in _OF_DISTANCE) for term in table.terms])
    kernel = kernels.total(plain)
    radial = Radial.of(plain, kernel, FLAT_WIDTHS)
    if radial is None:
        return variances
    flat = Kernels.of(radial.kernels(kernel, np.diag(kernel), np.diag(kernel))).with_known(kernels.known)
    of_flat, _ = maximise_evidence(
        [(flat, z)],
        centre=prior_centre((), more=len(flat)),
        width=recipe.prior_width,
        iterations=recipe.iterations,
    )
    found = np.exp(of_flat)
    one = kernels.minus_log_density(z, np.exp(log[:-1]), np.exp(log[-1]) + JITTER)
    other = flat.minus_log_density(z, found[:-1], found[-1] + JITTER)
    if one is None or other is None:
        return variances
    lead = other[0] - one[0] - _OCCAM * (len(kernels) - len(flat))
    share = min(1 / (1 + np.exp(np.clip(lead / _DOUBT, -50, 50))), _MOST_SHARE)
    if share < _LEAST_SHARE:
        return variances
    rest = 1 - share
    radials = (*variances.radials, replace(radial, variances=found[:-1]))
    return Variances(
        variances.terms * rest,
        variances.interaction,
        variances.of_interaction * rest,
        variances.noise * rest + found[-1] * share,
        tuple(
            replace(r, variances=r.variances * s)
            for r, s in zip(radials, (*[rest] * len(variances.radials), share), strict=True)
        ),
    )
