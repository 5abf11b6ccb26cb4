"""Fits an additive Gaussian process on a target and its proxy: a cheap metric with labels of more architectures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky
from scipy.optimize import minimize

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.predictor.additive_gp._design_matrix import Design
from nasbuild.predictor.additive_gp._fit_gp import (
    FINE_STEPS,
    NO_VARIANCE,
    STEPS,
    find_variances,
    label_slope,
)
from nasbuild.predictor.additive_gp._interaction_kernels import Variances, prior_centre
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._proxy_link import ProxyLink
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.predictor.additive_gp._warp_power import Scale, Scales
from nasbuild.space import Architecture, Space

MOST_ROWS = 3_000
"""Maximum rows of target and proxy together; of more, a random choice of the proxy's."""
_LEAST_PROXY = 500  # rows of the proxy that are kept, however many the target has
_DIFFERENCE = 0.1  # prior variance of all kernels of the difference together
_NARROWER = 0.5
"""Deviation of the prior on logarithms of variances, relative to that of a fit without a proxy: with 50 labels and the whole
width, deviations of y' were half of what they should be on nas-bench-mr, and 0.8 of it on nas-bench-macro."""
_RHO_STD = 1.0
_STARTS = (-1.0, 1.0)  # of rho, beside the slope of the target over the proxy's posterior mean
_NOISE_PRIOR = 0.1


def fit_with_proxy(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    proxy: tuple[Sequence[Architecture], np.ndarray],
    recipe: AdditiveRecipe,
    *,
    seed: int = 0,
    like: AdditiveGP | None = None,
    noise: np.ndarray | None = None,
) -> AdditiveGP:
    """Fit a target on its own labels (architectures,) and those of a proxy, by auto-regressive co-kriging.

    The proxy's scale and variances come from its own labels. Given its labels, the target's have the mean rho m and the
    covariance rho² P + difference + noise, where m and P are the posterior of the proxy's process at their architectures.
    Power, rho and the variances of the difference and of the noise maximise that density, times a prior; with the density
    of the proxy's labels, it is the joint one (Kennedy & O'Hagan, Biometrika 2000; Le Gratiet, 2014). The difference has
    the kernels of the proxy's process, interactions included, each with its own variance.

    Parameters
    ----------
    proxy
        Architectures and labels of the proxy, in its own unit; its direction need not be that of the target.
    like
        A process of more rows of the same table. Its scales, and the variances of its proxy, are taken over.
    noise
        Known variance of the noise of the target's labels, as in `fit_additive_gp`.

    Examples
    --------
    >>> from nasbuild.predictor import fit_with_proxy
    >>> cheap = architectures, labels + np.random.default_rng(0).normal(size=41)
    >>> linked = fit_with_proxy(space, architectures[::3], labels[::3], cheap, recipe("default", interaction=False))
    >>> linked.proxy.count, len(linked.rows), bool(linked.proxy.rho > 0)
    (41, 14, True)
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(labels))[: recipe.most_rows])
    most = max(MOST_ROWS - len(rows), _LEAST_PROXY)
    of_proxy = np.sort(rng.permutation(len(proxy[1]))[:most])
    own, values = [architectures[i] for i in rows], labels[rows]
    cheap, cheap_values = [proxy[0][i] for i in of_proxy], proxy[1][of_proxy]
    every = (*cheap, *own)
    if like is None:
        table, warp, passing, variances = find_variances(space, cheap, cheap_values, recipe, rng, more=own)
    else:
        assert like.proxy is not None
        table, warp, passing = like.design_of(every), like.proxy.warp, like.passing
        variances = proxy_of(like, table)
    link = ProxyLink(
        of_proxy,
        cheap_values,
        1.0,
        warp,
        variances.terms,
        variances.of_interaction,
        tuple(r.variances for r in variances.radials),
        variances.noise,
    )
    known = None if noise is None else noise[rows]
    target = _Target(space, every, rows, values, passing, known)
    given = given_proxy(table, link, variances, values, recipe, rng, known)
    power = None if like is None else like.warp.power
    found = (
        given.best(given.best(1.0, STEPS).warp.power, FINE_STEPS) if power is None else given.attempt(power)
    )
    return _posterior(target, table, link, variances, given.settled(found), recipe.samples, rng)


@dataclass(frozen=True)
class _Target:
    """The rows that are learnt from; `AdditiveGP` describes the fields."""

    space: Space
    architectures: tuple[Architecture, ...]
    rows: np.ndarray
    labels: np.ndarray
    passing: bool
    noise: np.ndarray | None


@dataclass(frozen=True)
class _Difference:
    """What is found given the proxy: the target's warp, rho, variances of the difference's kernels, and noise."""

    warp: Warp
    rho: float
    variances: np.ndarray
    noise: float
    evidence: float


@dataclass(frozen=True)
class _GivenProxy(Scales):
    """A search over warps of the target's labels, given those of the proxy.

    `kernels` are those of the difference, then a constant, then P. In a `Scale`, ``log`` holds the logarithms of all
    variances but that of P, then the noise's, then rho.

    Attributes
    ----------
    mean
        Posterior mean of the proxy's process at the rows, (rows,).
    """

    mean: np.ndarray

    def attempt(self, power: float, start: np.ndarray | None = None, *, linked: bool = True) -> Scale:
        """The warp of one power, with rho and variances optimised from ``start``; with rho = 0 unless ``linked``."""
        warp = Warp.of(self.labels, power)
        z = warp.forward(self.labels)[self.rows]
        centre = np.append(self.centre, np.log(_NOISE_PRIOR))
        if start is None:
            # A proxy may go against the target by itself, and with it once a difference is known: both signs are tried.
            square = float(self.mean @ self.mean)
            slope = float(self.mean @ z) / square if square > 0 else 0.0
            starts = [np.append(centre, rho) for rho in (slope, *_STARTS)]
        else:
            starts = [start]

        bounds = [(-14.0, 5.0)] * len(self.centre) + [(-14.0, 2.0), (-3.0 * linked, 3.0 * linked)]
        tried = [
            minimize(
                self.objective(z, self.known(warp)),
                np.clip(start, *np.array(bounds).T),
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": self.recipe.iterations},
            )
            for start in starts
        ]
        best = min(tried, key=lambda one: one.fun)
        return Scale(warp, best.x, float(best.fun) - warp.log_jacobian(self.labels[self.rows]))

    def objective(
        self, z: np.ndarray, known: np.ndarray | None = None
    ) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """Negative log density of warped labels given the proxy's, less that of the prior, and its gradient.

        Its argument is ``log`` of a `Scale`.
        """
        width = self.recipe.prior_width * _NARROWER
        centre = np.append(self.centre, np.log(_NOISE_PRIOR))
        kernels = self.kernels.with_known(known)

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            log, rho = x[:-1], float(x[-1])
            away, variances = (log - centre) / width, np.exp(log)
            theta = np.append(variances[:-1], rho * rho)
            found = kernels.density(z - rho * self.mean, theta, float(variances[-1]) + JITTER)
            if found is None:
                return 1e10, np.zeros(len(x))
            value, slope, alpha = found
            of_rho = 2 * rho * slope[-2] - float(self.mean @ alpha) + rho / _RHO_STD**2
            by_log = np.delete(slope, -2) * variances + away / width
            prior = 0.5 * float(away @ away) + 0.5 * (rho / _RHO_STD) ** 2
            return value + prior, np.append(by_log, of_rho)

        return objective

    def settled(self, found: Scale) -> _Difference:
        """The scale, moved so that the constant is 0."""
        variances, rho = np.exp(found.log[:-1]), float(found.log[-1])
        theta = np.append(variances[:-1], rho * rho)
        z = found.warp.forward(self.labels)[self.rows] - rho * self.mean
        kernels = self.kernels.with_known(self.known(found.warp))
        density = kernels.density(z, theta, float(variances[-1]) + JITTER)
        constant = 0.0 if density is None else float(variances[-2] * density[2].sum())
        warp = replace(found.warp, shift=found.warp.shift + constant * found.warp.spread)
        alone = self.attempt(found.warp.power, found.log, linked=False)
        evidence = alone.objective - found.objective
        return _Difference(warp, rho, variances[:-2], float(variances[-1]), evidence)


def given_proxy(
    table: Design,
    link: ProxyLink,
    variances: Variances,
    labels: np.ndarray,
    recipe: AdditiveRecipe,
    rng: np.random.Generator,
    noise: np.ndarray | None = None,
) -> _GivenProxy:
    """The search for everything that the proxy's labels don't tell."""
    n, c, link = len(labels), link.count, replace(link, rho=1.0)
    some = np.arange(n) if n <= recipe.rows else np.sort(rng.permutation(n)[: recipe.rows])
    additive, rest = link.covariances(
        table, variances.terms, variances.interaction, variances.of_interaction, variances.radials, 0.0
    )
    whole = additive + rest
    at = c + some
    inner = cho_factor(whole[:c, :c], lower=True, check_finite=False)
    moved = cho_solve(
        inner,
        np.column_stack([link.warp.forward(link.labels), whole[:c, at]]),
        check_finite=False,
    )
    mean = whole[at][:, :c] @ moved[:, 0]
    posterior = whole[np.ix_(at, at)] - whole[at][:, :c] @ moved[:, 1:]
    kernels = Kernels.of(
        [*_kernels(table, variances, at), np.ones((len(some),) * 2), (posterior + posterior.T) / 2]
    )
    count = len(kernels) - 2
    # Without any term, `prior_centre` counts one kernel of zeros.
    centre = prior_centre(table.terms, more=count - len(table.terms))[:count] + np.log(_DIFFERENCE)
    return _GivenProxy(
        kernels,
        labels,
        some,
        np.append(centre, np.log(_DIFFERENCE)),
        recipe,
        np.ones(len(some), dtype=bool),
        mean,
        noise=noise,
    )


def _kernels(table: Design, variances: Variances, rows: np.ndarray) -> list[np.ndarray]:
    """Kernels of the difference among some rows: of the terms, of pairs of stages, radial ones; (rows, rows) each."""
    found = [table.kernel(t, rows) for t in range(len(table.terms))]
    distances = [
        sum((v * k for v, k in zip(radial.theta, found, strict=True) if v), np.zeros((len(rows),) * 2))
        for radial in variances.radials
    ]
    if variances.of_interaction:
        features = [f[rows] for f in variances.interaction.features]
        found.append(variances.interaction.kernel(features, features))
    for radial, distance in zip(variances.radials, distances, strict=True):
        found += radial.kernels(distance, np.diag(distance), np.diag(distance))
    return found


def proxy_of(like: AdditiveGP, table: Design) -> Variances:
    """Variances of the proxy of another process, with the geometry of a table's interactions."""
    link = like.proxy
    assert link is not None
    radials = tuple(replace(r, variances=v) for r, v in zip(like.radials, link.radials, strict=True))
    interaction = Interaction.of(table.terms, table.values, like.interaction_theta)
    return Variances(link.theta, interaction, link.interaction_variance, link.noise, radials)


def _posterior(
    target: _Target,
    table: Design,
    link: ProxyLink,
    proxy: Variances,
    found: _Difference,
    samples: int,
    rng: np.random.Generator,
) -> AdditiveGP:
    """The target's process with the posterior mean of its weights, and posterior samples of them.

    Samples are prior draws of both processes, corrected by all labels (Wilson et al., ICML 2020, eq. 13).
    """
    rho, c, count = found.rho, link.count, len(table.terms)
    total = rho**2 * np.concatenate(
        [
            proxy.terms,
            [proxy.of_interaction] * bool(proxy.of_interaction),
            *(r.variances for r in proxy.radials),
        ]
    )
    total += found.variances
    theta, rest = total[:count], total[count:]
    of_interaction = float(rest[0]) if proxy.of_interaction else 0.0
    rest = rest[bool(proxy.of_interaction) :]
    radials = []
    for radial in proxy.radials:
        radials.append(replace(radial, variances=rest[: len(radial.widths)]))
        rest = rest[len(radial.widths) :]
    needed = proxy.interaction.theta > 0 if of_interaction else np.zeros(count, dtype=bool)
    for radial in radials:
        needed |= radial.theta > 0
    kept = [t for t in range(count) if max(theta[t], proxy.terms[t]) > NO_VARIANCE or needed[t]]
    table = table.select(kept)
    theta, differing, interaction_theta = (
        own[kept] for own in (theta, found.variances[:count], proxy.interaction.theta)
    )
    radials = tuple(replace(r, theta=r.theta[kept]) for r in radials)
    link = replace(link, rho=rho, theta=link.theta[kept], evidence=found.evidence)
    interaction = replace(proxy.interaction, theta=interaction_theta)
    known = found.warp.variances(target.labels, target.noise)
    noise = found.noise if known is None else found.noise + known
    additive, rest = link.covariances(table, theta, interaction, of_interaction, radials, noise)
    factor = cholesky(additive + rest, lower=True, check_finite=False)
    n = table.values.count
    z = np.concatenate([link.warp.forward(link.labels), found.warp.forward(target.labels)])
    wrong = z[:, None] - cholesky(rest, lower=True, check_finite=False) @ rng.normal(size=(n, samples))
    draws = []
    for t, term in enumerate(table.terms):
        shared, own = rng.normal(size=(2, len(term.keys), samples))
        of_proxy = np.sqrt(link.theta[t]) * shared
        draws.append(rho * of_proxy + np.sqrt(differing[t]) * own)
        rows, mean = table.rows(t), table.mean(t)
        wrong[:c] -= (rows @ of_proxy - mean @ of_proxy)[:c]
        wrong[c:] -= (rows @ draws[-1] - mean @ draws[-1])[c:]
    solved = cho_solve((factor, True), np.column_stack([z, wrong]), check_finite=False)
    weights, sums = [], np.zeros(n)
    for t, draw in enumerate(draws):
        weighed = link.cross(float(theta[t]), float(link.theta[t]), n)[:, None] * solved
        moved = table.rows(t).T @ weighed - np.outer(table.mean(t), weighed.sum(axis=0))
        moved[:, 1:] += draw
        weights.append(moved)
        sums += table.rows(t) @ moved[:, 0] - table.mean(t) @ moved[:, 0]
    own_sums = sums[c:]
    slope = label_slope(own_sums, target.labels)
    slope = found.warp.std if slope is None else slope
    process = AdditiveGP(
        target.space,
        target.architectures,
        target.rows,
        found.warp,
        table.terms,
        theta,
        table.means,
        tuple(weights),
        interaction_theta,
        of_interaction,
        found.noise,
        solved[:, 0],
        slope,
        float(target.labels.mean() - slope * own_sums.mean()),
        radials,
        passing=target.passing,
        proxy=link,
        known=known,
    )
    return process.of_rows(table, factor)
