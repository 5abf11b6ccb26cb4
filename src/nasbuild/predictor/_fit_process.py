"""Fit an additive process: find the scale of the labels, the variances, then the posterior."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve, cholesky

from nasbuild.predictor._design import Design, Term, design
from nasbuild.predictor._evidence import maximise_evidence
from nasbuild.predictor._interaction import Interaction
from nasbuild.predictor._kernels import Kernels
from nasbuild.predictor._passing import declared, may_pass
from nasbuild.predictor._process import Process, covariance, residual_covariance
from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor._scale import Scale, Scales
from nasbuild.predictor._terms import ALONE, kind
from nasbuild.predictor._warp import Warp
from nasbuild.space import Architecture, Space

_ALONE_SHARE = 0.1  # variance expected of a single stage's term, beside a term that all stages have
_NO_VARIANCE = 1e-6  # of the labels' variance; a term with less is left out
_FIRST_GUESS = 0.02  # variance of the interactions at which their search begins
_STEPS, _FINE_STEPS = (1.0, 0.5), (0.25, 0.125)  # of the power, without and with interactions
_FOR_NAME = 5.0
"""Nats by which labels must speak for it before a layer is believed to do nothing: odds of 150 to 1 from even ones.

Where the name misleads (a cell's edges, of which a skipped one still connects) the two ways differ by up to 3 nats either way,
as each finds variances and a scale of its own (15 draws of 50 to 100 cells of NAS-Bench-201).
"""


def fit_process(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: AdditiveRecipe,
    *,
    seed: int = 0,
    power: float | None = None,
    passing: bool | None = None,
) -> Process:
    """Fit on architectures and labels (architectures,), which must not be all the same.

    The result depends on the arguments alone, to the bit.

    Parameters
    ----------
    power
        Power of the labels' scale; searched for if None.
    passing
        Whether layers that pass their input on are left out; if None, as the space declares, and where it says nothing of
        it, if some are named so and the labels speak for it.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(labels))[: recipe.most_rows])
    architectures, labels, n = [architectures[i] for i in rows], labels[rows], len(rows)
    some = np.arange(n) if n <= recipe.rows else np.sort(rng.permutation(n)[: recipe.rows])
    if passing is None and declared(space) is not None:
        passing = may_pass(space)
    ways = (False, True) if passing is None and may_pass(space) else (bool(passing),)
    tried: dict[bool, tuple[Design, Scale]] = {}
    for way in ways:
        table = design(space, architectures, recipe.without, way)
        scales = Scales(_kernels(table, some), labels, some, _centre(table.terms), recipe)
        tried[way] = table, scales.best(1.0, _STEPS) if power is None else scales.attempt(power)
    passing = min(tried, key=lambda way: tried[way][1].objective + way * _FOR_NAME)
    table, found = tried[passing]
    terms = len(table.terms)
    interaction = Interaction.of(table.terms, table.stages, np.exp(found.log[:terms]))
    crossed = recipe.interaction and interaction.size > _NO_VARIANCE
    between, centre = interaction if crossed else None, _centre(table.terms, more=int(crossed))
    if crossed:
        found = replace(found, log=np.concatenate([found.log[:-1], [np.log(_FIRST_GUESS)], found.log[-1:]]))
    if searched := crossed and power is None:
        # Sums alone bend the scale to say what stages do to each other; beside interactions they need not.
        scales = Scales(_kernels(table, some, between), labels, some, centre, recipe)
        found = scales.best(found.warp.power, _FINE_STEPS, found.log)
    log = found.log
    if n > recipe.rows or (crossed and not searched):
        z = found.warp.forward(labels)
        parts = [some] if n <= recipe.rows else _parts(n, recipe, rng)
        log, _ = maximise_evidence(
            [(_kernels(table, part, between), z[part]) for part in parts],
            centre=centre,
            start=log,
            width=recipe.prior_width,
            iterations=recipe.iterations,
        )
    variance = float(np.exp(log[-2])) if crossed else 0.0
    variances = _Variances(np.exp(log[:terms]), interaction, variance, float(np.exp(log[-1])))
    learnt = _Learnt(space, tuple(architectures), rows, labels, found.warp, passing)
    return _posterior(learnt, table, variances, recipe.samples, rng)


def _parts(n: int, recipe: AdditiveRecipe, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows by which variances are found, in parts that share none."""
    count = min(recipe.parts, -(-n // recipe.part_rows))
    order, size = rng.permutation(n), min(recipe.part_rows, n // count)
    return [np.sort(order[k * size : (k + 1) * size]) for k in range(count)]


def _kernels(table: Design, rows: np.ndarray, interaction: Interaction | None = None) -> Kernels:
    """Kernels of the terms among some rows, that of the interactions last."""

    def each() -> Iterator[np.ndarray]:
        for t in range(len(table.terms)):
            yield table.kernel(t, rows)
        if interaction is not None:
            features = [f[rows] for f in interaction.features]
            yield interaction.kernel(features, features)
        elif not table.terms:
            yield np.zeros((len(rows),) * 2)

    return Kernels.of(each())


def _centre(terms: Sequence[Term], more: int = 0) -> np.ndarray:
    """Logarithms of the variances that are expected beforehand, of terms and ``more`` kernels."""
    share = [_ALONE_SHARE if kind(term.name) == ALONE else 1.0 for term in terms] + [1.0] * more
    # Without any term there is one kernel of zeros.
    return np.log(np.array(share or [1.0]) / max(len(share), 1))


@dataclass(frozen=True)
class _Learnt:
    """What is learnt from; `Process` tells what each is."""

    space: Space
    architectures: tuple[Architecture, ...]
    rows: np.ndarray
    labels: np.ndarray
    warp: Warp
    passing: bool = False


@dataclass(frozen=True)
class _Variances:
    """Variances of terms (terms,), of interactions and of the noise."""

    terms: np.ndarray
    interaction: Interaction
    of_interaction: float
    noise: float


def _posterior(
    learnt: _Learnt, table: Design, variances: _Variances, samples: int, rng: np.random.Generator
) -> Process:
    """Weights by their posterior mean, and samples of them.

    A sample is a draw from the prior, moved by what the labels say against it (Wilson et al., ICML
    2020, eq. 13): w + theta X^T C^-1 (z - X w - e) with w, e drawn from the prior and C = X theta X^T
    + cov(e). So its distribution is the posterior, exactly.
    """
    theta, interaction, noise = variances.terms, variances.interaction, variances.noise
    # What the interactions are made of stays, so that they can be made again from the process alone.
    inside = interaction.theta > 0 if variances.of_interaction else np.zeros(len(theta), dtype=bool)
    kept = [t for t, v in enumerate(theta) if v > _NO_VARIANCE or inside[t]]
    table = Design(
        tuple(table.terms[t] for t in kept),
        tuple(table.stages[t] for t in kept),
        tuple(table.means[t] for t in kept),
    )
    theta, interaction_theta = theta[kept], interaction.theta[kept]
    n, z = len(learnt.labels), learnt.warp.forward(learnt.labels)
    rest = residual_covariance(interaction, variances.of_interaction, noise, n)
    factor = cholesky(covariance(table, theta, n) + rest, lower=True, check_finite=False)
    of_term = [table.rows(t) for t in range(len(kept))]
    means = [table.means[t].sum(axis=0) for t in range(len(kept))]
    drawn = [
        np.sqrt(v) * rng.normal(size=(len(term.keys), samples))
        for v, term in zip(theta, table.terms, strict=True)
    ]
    wrong = z[:, None] - cholesky(rest, lower=True, check_finite=False) @ rng.normal(size=(n, samples))
    for row, mean, draw in zip(of_term, means, drawn, strict=True):
        wrong -= row @ draw - mean @ draw
    solved = cho_solve((factor, True), np.column_stack([z, wrong]), check_finite=False)
    weights = []
    for v, row, mean, draw in zip(theta, of_term, means, drawn, strict=True):
        moved = v * (row.T @ solved - np.outer(mean, solved.sum(axis=0)))
        moved[:, 1:] += draw
        weights.append(moved)
    sums = np.zeros(n)
    for row, mean, weight in zip(of_term, means, weights, strict=True):
        sums += row @ weight[:, 0] - mean @ weight[:, 0]
    slope = _slope(sums, learnt.labels)
    return Process(
        learnt.space,
        learnt.architectures,
        learnt.rows,
        learnt.warp,
        table.terms,
        theta,
        table.means,
        tuple(weights),
        interaction_theta,
        variances.of_interaction,
        noise,
        solved[:, 0],
        slope if slope is not None else learnt.warp.std,
        float(learnt.labels.mean()),
        passing=learnt.passing,
    )


def _slope(sums: np.ndarray, labels: np.ndarray) -> float | None:
    """Least-squares slope of labels over sums; None where the sums do not differ or go against the labels."""
    centred = sums - sums.mean()
    square = float(centred @ centred)
    slope = float(centred @ labels) / square if square > len(sums) * 1e-12 else 0.0
    return slope if slope > 0 else None
