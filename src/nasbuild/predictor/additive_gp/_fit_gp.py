"""Fits an additive Gaussian process: the scale of the labels, the variances, then the posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve, cholesky

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.predictor.additive_gp._covariance import covariances, joint_covariance, residual_covariance
from nasbuild.predictor.additive_gp._design_matrix import Design, design
from nasbuild.predictor.additive_gp._distance_blend import blended
from nasbuild.predictor.additive_gp._expected_sizes import expected_sizes
from nasbuild.predictor.additive_gp._fit_singles import SinglesFit, fit_singles
from nasbuild.predictor.additive_gp._improving_changes import believed_labels, improving_changes
from nasbuild.predictor.additive_gp._interaction_kernels import (
    InteractionKernels,
    Variances,
    all_kernels,
    interaction_kernels,
    prior_centre,
    term_kernels,
)
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import maximise_evidence
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._proxy_sizes import proxy_sizes
from nasbuild.predictor.additive_gp._ruined_rows import own_scale, rows_with_ruinous_change, ruined_rows
from nasbuild.predictor.additive_gp._single_changes import rows_informative_of_scale, single_changes
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.predictor.additive_gp._warp_power import Scale, Scales
from nasbuild.predictor.gnn._identity_layers import declared_identity, has_identity_layers
from nasbuild.space import Architecture, Space
from nasbuild.table import ReferenceChanges

NO_VARIANCE = 1e-6  # of the labels' variance; terms with less are dropped
_FIRST_GUESS = 0.02  # initial variance of the interactions
STEPS, FINE_STEPS = (1.0, 0.5), (0.25, 0.125)  # of the warp's power, without and with interactions
_NATS_FOR_IDENTITY = 5.0
"""Nats of evidence required before a layer with such a name is treated as an identity: odds of 150 to 1.

Names can mislead: in a cell, a skipped edge still connects. There, the evidence of the two models differs by up to 3 nats
in either direction, as each finds its own variances and scale (15 draws of 50 to 100 cells of NAS-Bench-201).
"""


def fit_additive_gp(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: AdditiveRecipe,
    *,
    seed: int = 0,
    power: float | None = None,
    passing: bool | None = None,
    like: AdditiveGP | None = None,
    noise: np.ndarray | None = None,
    sign: int = 0,
    proxy: tuple[Sequence[Architecture], np.ndarray] | None = None,
) -> AdditiveGP:
    """Fit on architectures and labels (architectures,), which must not all be equal.

    The result depends only on the arguments, to the bit.

    Parameters
    ----------
    labels
        In any unit, (architectures,).
    seed
        Of the rows chosen from a large table, and of the posterior samples.
    power
        Power of the label warp (`Warp`); searched for if None.
    passing
        Whether to see modules without their identity layers. If None, as the space declares; where it declares nothing,
        if some layers have such a name and the labels support it.
    like
        A process of more rows of the same table, whose scale is taken over: its power, or that of its single changes.
    noise
        Known variance of the noise of each label, in its unit squared, (architectures,); 0 where nothing is known. It adds to
        the common noise, which is found. Tables of single changes don't use it.
    sign
        1 if high labels are better, -1 if low ones are, 0 if unknown. Single changes that improve on a reference which others
        make worse then have a small loss (`believed_labels`).
    proxy
        Architectures and labels of a cheap metric, for a table of single changes: its effects say how large those of the labels
        are to be expected (`proxy_sizes`). Other tables have `fit_with_proxy`.

    Examples
    --------
    >>> gp = fit_additive_gp(space, architectures, labels, recipe("default", interaction=False), power=1.0)
    >>> mean, std, far = gp.predict(architectures)
    >>> bool(np.corrcoef(mean, labels)[0, 1] > 0.9)
    True
    """
    changes = single_changes(space, architectures) if like is None or like.joint is not None else None
    if changes is not None:
        return _of_singles(space, architectures, labels, changes, recipe, seed, like, sign, proxy)
    if like is not None:
        power, passing = like.warp.power, like.passing
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(labels))[: recipe.most_rows])
    architectures, labels = [architectures[i] for i in rows], labels[rows]
    noise = None if noise is None else noise[rows]
    table, warp, passing, variances = find_variances(
        space, architectures, labels, recipe, rng, power=power, passing=passing, noise=noise
    )
    known = warp.variances(labels, noise)
    learnt = _Learnt(space, tuple(architectures), rows, labels, warp, passing, known)
    return _posterior(learnt, table, variances, recipe.samples, rng)


def find_variances(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: AdditiveRecipe,
    rng: np.random.Generator,
    *,
    power: float | None = None,
    passing: bool | None = None,
    more: Sequence[Architecture] = (),
    noise: np.ndarray | None = None,
) -> tuple[Design, Warp, bool, Variances]:
    """The scale of the labels, whether modules are seen without identity layers, and all variances.

    Arguments are as in `fit_additive_gp`.

    Parameters
    ----------
    more
        Architectures without a label, which follow in the design.

    Returns
    -------
    The design of all architectures, the warp, ``passing``, and the variances.
    """
    n = len(labels)
    some = np.arange(n) if n <= recipe.rows else np.sort(rng.permutation(n)[: recipe.rows])
    if passing is None and declared_identity(space) is not None:
        passing = has_identity_layers(space)
    ways = (False, True) if passing is None and has_identity_layers(space) else (bool(passing),)
    informative = rows_informative_of_scale(space, architectures)
    # For a reference and its single changes, effects add up on the labels' own scale: the labels reveal no other.
    apart = not informative.any()
    power = 1.0 if apart and power is None else power
    tried: dict[bool, tuple[Design, Scale, Kernels]] = {}
    for way in ways:
        table = design(space, [*architectures, *more], recipe.without, way, single=apart)
        own = term_kernels(table, some)
        scales = Scales(own, labels, some, prior_centre(table.terms), recipe, informative[some], noise=noise)
        tried[way] = table, scales.best(1.0, STEPS) if power is None else scales.attempt(power), own
    passing = min(tried, key=lambda way: tried[way][1].objective + way * _NATS_FOR_IDENTITY)
    table, found, own = tried[passing]
    beside = (
        InteractionKernels()
        if apart
        else interaction_kernels(table, np.exp(found.log[: len(table.terms)]), own, recipe)
    )
    kernels = all_kernels(own, some, beside)
    centre = prior_centre(table.terms, more=len(beside))
    if len(beside):
        first = np.log([_FIRST_GUESS] * len(beside))
        found = replace(found, log=np.concatenate([found.log[:-1], first, found.log[-1:]]))
    if searched := len(beside) > 0 and power is None:
        # Without interactions, the warp stands in for them. Now that they are modelled, it is refined.
        scales = Scales(kernels, labels, some, centre, recipe, informative[some], noise=noise)
        found = scales.best(found.warp.power, FINE_STEPS, found.log)
    log, known = found.log, found.warp.variances(labels, noise)
    kernels = kernels.with_known(None if known is None else known[some])
    if n > recipe.rows or (len(beside) and not searched):
        z = found.warp.forward(labels)
        parts = [(kernels, z)]
        if n > recipe.rows:
            split = _parts(n, recipe, rng)
            parts = [
                (
                    all_kernels(term_kernels(table, part), part, beside).with_known(
                        None if known is None else known[part]
                    ),
                    z[part],
                )
                for part in split
            ]
        log, _ = maximise_evidence(
            parts,
            centre=centre,
            start=log,
            width=recipe.prior_width,
            iterations=recipe.iterations,
        )
    variances = beside.variances(log, len(table.terms))
    if apart:
        variances = replace(variances, noise=0.0)  # labels count as exact
    elif recipe.interaction and recipe.radial:
        z = found.warp.forward(labels)[some]
        variances = blended(variances, log, table, kernels, z, recipe)
    return table, found.warp, passing, variances


def _of_singles(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    changes: ReferenceChanges,
    recipe: AdditiveRecipe,
    seed: int,
    like: AdditiveGP | None,
    sign: int,
    proxy: tuple[Sequence[Architecture], np.ndarray] | None,
) -> AdditiveGP:
    """The process of a table of single changes and joint rows."""
    assert changes.row is not None
    rng = np.random.default_rng(seed)
    passing = declared_identity(space) is not None and has_identity_layers(space)
    single, ruined = changes.counts <= 1, ruined_rows(space, architectures, labels, changes)
    improving = improving_changes(labels, changes, ruined, sign)
    labels = np.where(improving, labels[changes.row], labels)
    own = own_scale(labels, changes.row, single, ruined) if like is None else like.warp
    beside = (
        []
        if proxy is None or passing
        else proxy_sizes(space, architectures, labels, changes, ruined, proxy, own)
    )
    sizes = (
        None
        if passing
        else expected_sizes(space, architectures, own.forward(labels), changes, ruined, beside)
    )
    expected = None if sizes is None else sizes.sizes
    labels = believed_labels(space, architectures, labels, changes, improving, own, expected, sign)
    # Single changes come first. Joint rows that are ruined, or have a change that ruins the network alone, tell nothing.
    told = ~single & ~ruined & ~rows_with_ruinous_change(space, architectures, changes, ruined)
    joint = rng.permutation(np.flatnonzero(told))
    rows = np.sort(np.concatenate([np.flatnonzero(single), joint])[: recipe.most_rows])
    architectures, labels = [architectures[i] for i in rows], labels[rows]
    changes = changes.among(rows)
    table, found = fit_singles(
        space,
        architectures,
        labels,
        changes,
        recipe,
        passing,
        own=replace(own, low=float(labels.min()), high=float(labels.max())),
        sizes=expected,
        ruined=ruined[rows],
        seed=seed,
        warp=None if like is None else like.warp,
    )
    measured = tuple(one.architecture for one in beside)
    learnt = _Learnt(space, tuple(architectures), rows, labels, found.warp, passing, measured=measured)
    nothing = Interaction(np.zeros(len(found.theta)), (), (), 0.0)
    variances = Variances(found.theta, nothing, 0.0, found.noise)
    deviations = None if sizes is None else sizes.deviations
    return _posterior(learnt, table, variances, recipe.samples, rng, found, deviations)


def _parts(n: int, recipe: AdditiveRecipe, rng: np.random.Generator) -> list[np.ndarray]:
    """Disjoint parts of the rows, on which variances are found."""
    count = min(recipe.parts, -(-n // recipe.part_rows))
    order, size = rng.permutation(n), min(recipe.part_rows, n // count)
    return [np.sort(order[k * size : (k + 1) * size]) for k in range(count)]


@dataclass(frozen=True)
class _Learnt:
    """The data that is learnt from; `AdditiveGP` describes the fields."""

    space: Space
    architectures: tuple[Architecture, ...]
    rows: np.ndarray
    labels: np.ndarray
    warp: Warp
    passing: bool = False
    known: np.ndarray | None = None
    measured: tuple[Architecture, ...] = ()


def _posterior(
    learnt: _Learnt,
    table: Design,
    variances: Variances,
    samples: int,
    rng: np.random.Generator,
    single: SinglesFit | None = None,
    deviations: tuple[np.ndarray, ...] | None = None,
) -> AdditiveGP:
    """The process with the posterior mean of its weights, and posterior samples of them.

    A sample is a draw from the prior, corrected by the labels (Wilson et al., ICML 2020, eq. 13):
    w + theta X^T C^-1 (z - X w - e) with w, e drawn from the prior and C = X theta X^T + cov(e).
    Its distribution is exactly the posterior.
    """
    theta, interaction = variances.terms, variances.interaction
    noise = variances.noise if learnt.known is None else variances.noise + learnt.known
    # Terms that the interactions use are kept, so that the interactions can be rebuilt from the process alone.
    needed = interaction.theta > 0 if variances.of_interaction else np.zeros(len(theta), dtype=bool)
    for radial in variances.radials:
        needed |= radial.theta > 0
    kept = [t for t, v in enumerate(theta) if v > NO_VARIANCE or needed[t]]
    table = table.select(kept)
    theta, interaction_theta = theta[kept], interaction.theta[kept]
    radials = tuple(replace(r, theta=r.theta[kept]) for r in variances.radials)
    n, z = len(learnt.labels), learnt.warp.forward(learnt.labels)
    additive, *distances = covariances(table, (theta, *(r.theta for r in radials)), n)
    rest = (
        residual_covariance(interaction, variances.of_interaction, radials, distances, noise, n)
        if single is None
        else joint_covariance(single.kernel, single.features, variances.noise)
    )
    factor = cholesky(additive + rest, lower=True, check_finite=False)
    of_term = [table.rows(t) for t in range(len(kept))]
    means = [table.mean(t) for t in range(len(kept))]
    prior_draws = [
        np.sqrt(v) * rng.normal(size=(len(term.keys), samples))
        for v, term in zip(theta, table.terms, strict=True)
    ]
    wrong = z[:, None] - cholesky(rest, lower=True, check_finite=False) @ rng.normal(size=(n, samples))
    for row, mean, draw in zip(of_term, means, prior_draws, strict=True):
        wrong -= row @ draw - mean @ draw
    solved = cho_solve((factor, True), np.column_stack([z, wrong]), check_finite=False)
    weights = []
    for v, row, mean, draw in zip(theta, of_term, means, prior_draws, strict=True):
        moved = v * (row.T @ solved - np.outer(mean, solved.sum(axis=0)))
        moved[:, 1:] += draw
        weights.append(moved)
    sums = np.zeros(n)
    for row, mean, weight in zip(of_term, means, weights, strict=True):
        sums += row @ weight[:, 0] - mean @ weight[:, 0]
    slope, level = label_slope(sums, learnt.labels), float(learnt.labels.mean())
    if single is not None:
        # The straight line at the reference: shares of single changes are their effects, as far as these are small.
        slope, level = single.warp.std * single.warp.spread, single.warp.mean
    process = AdditiveGP(
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
        variances.noise,
        solved[:, 0],
        slope if slope is not None else learnt.warp.std,
        level,
        radials,
        passing=learnt.passing,
        joint=None if single is None else single.kernel,
        sizes=None if single is None else single.sizes,
        deviations=deviations,
        known=learnt.known,
        measured=learnt.measured,
    )
    return process.of_rows(table, factor)


def label_slope(sums: np.ndarray, labels: np.ndarray) -> float | None:
    """Least-squares slope of labels over sums; None where it is not positive or the sums do not vary."""
    centred = sums - sums.mean()
    square = float(centred @ centred)
    slope = float(centred @ labels) / square if square > len(sums) * 1e-12 else 0.0
    return slope if slope > 0 else None
