"""A target learnt beside a proxy: against dense co-kriging, and against finite differences and the chain rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from nasbuild.errors import FitError
from nasbuild.predictor import (
    AdditiveGP,
    AdditiveRecipe,
    additive_gp_from_arrays,
    additive_gp_to_arrays,
    fit_with_proxy,
    srcc,
)
from nasbuild.predictor.additive_gp._fit_proxy import given_proxy, proxy_of
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.table import load_builtin

TABLE = load_builtin("digits-macro")
ROWS = np.random.default_rng(0).permutation(len(TABLE))
OWN, CHEAP, OTHERS = (
    [TABLE.architectures[i] for i in ROWS[own]] for own in (slice(25), slice(15, 65), slice(65, 105))
)
LOSS = TABLE.columns["loss"]
LABELS, VALUES = LOSS[ROWS[:25]], TABLE.columns["acc"][ROWS[15:65]]
RECIPE = AdditiveRecipe(samples=4_000, iterations=15)


@pytest.fixture(scope="module")
def process() -> AdditiveGP:
    made = fit_with_proxy(TABLE.space, OWN, LABELS, (CHEAP, VALUES), RECIPE)
    assert made.radials
    assert made.interaction_variance > 0
    return made


def kernels(gp: AdditiveGP, architectures) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """Every kernel among architectures by dense features, and its variances of target and proxy."""
    design, link = gp.design_of(architectures), gp.proxy
    whole = [design.values.dense(t) - gp.means[t].sum(axis=0) for t in range(len(gp.terms))]
    found = [x @ x.T for x in whole]
    variances = list(zip(gp.theta, link.theta, strict=True))
    distances = [sum(v * k for v, k in zip(radial.theta, found, strict=True)) for radial in gp.radials]
    stages = []
    for u in range(len(gp.space.stages)):
        used = [np.sqrt(v) * design.values.dense(t, u) for t, v in enumerate(gp.interaction_theta) if v > 0]
        features = np.hstack(used) - gp.interaction.means[u]
        stages.append(features @ features.T)
    pairs = [stages[u] * stages[v] for u in range(len(stages)) for v in range(u)]
    found.append(sum(pairs) / gp.interaction.size)
    variances.append((gp.interaction_variance, link.interaction_variance))
    for r, (radial, k) in enumerate(zip(gp.radials, distances, strict=True)):
        apart = np.maximum(np.diag(k)[:, None] + np.diag(k)[None] - 2 * k, 0)
        for width, own, proxy in zip(radial.widths, radial.variances, link.radials[r], strict=True):
            found.append(np.exp(-apart / width))
            variances.append((float(own), float(proxy)))
    return found, variances


def joint(gp: AdditiveGP, every, cheap: np.ndarray, terms: bool = False) -> np.ndarray:
    """Prior covariance of labels without noise; ``cheap`` says which are the proxy's."""
    found, variances = kernels(gp, every)
    some = len(gp.terms) if terms else len(found)
    rho, total = gp.proxy.rho, np.zeros((len(every),) * 2)
    for k, (own, proxy) in zip(found[:some], variances[:some], strict=True):
        # target = rho * proxy + difference, for every kernel
        to_proxy = np.where(cheap, 1.0, rho)
        difference = np.where(cheap, 0.0, 1.0)
        total += proxy * np.outer(to_proxy, to_proxy) * k
        total += (own - rho**2 * proxy) * np.outer(difference, difference) * k
    return total


def test_the_posterior_is_that_of_dense_co_kriging(process):
    link, n = process.proxy, len(process.architectures)
    every = [*process.architectures, *OTHERS]
    cheap = np.arange(len(every)) < link.count
    prior = joint(process, every, cheap)
    covariance = prior[:n, :n] + np.diag(np.where(cheap[:n], link.noise, process.noise) + JITTER)
    z = np.concatenate([link.warp.forward(VALUES), process.warp.forward(LABELS)])
    inverse = np.linalg.inv(covariance)
    mean, variance = process.latent(OTHERS)
    np.testing.assert_allclose(mean, prior[n:, :n] @ inverse @ z, atol=1e-6)
    known = prior[n:, :n] @ inverse @ prior[:n, n:]
    np.testing.assert_allclose(variance, np.diag(prior[n:, n:] - known) + process.noise, atol=1e-6)
    # Samples of summed shares have the posterior's moments, to four deviations of 4,000 samples.
    groups, entries = process._grouped(OTHERS)
    sums = process._additive(groups, entries)
    shares = joint(process, every, cheap, terms=True)
    np.testing.assert_allclose(sums[:, 0], shares[n:, :n] @ inverse @ z, atol=1e-6)
    expected = np.diag(shares[n:, n:] - shares[n:, :n] @ inverse @ shares[:n, n:])
    sampled = sums[:, 1:]
    assert (np.abs(sampled.mean(axis=1) - sums[:, 0]) < 4.5 * np.sqrt(expected / 4_000)).all()
    np.testing.assert_allclose(sampled.var(axis=1) / expected, 1, atol=4.5 * np.sqrt(2 / 4_000))


def test_interactions_of_pairs_are_part_of_the_posterior_mean(process):
    plain = replace(process, radials=(), proxy=replace(process.proxy, radials=()))
    codes = [[stage.encode(a.modules[u]) for a in OTHERS[:4]] for u, stage in enumerate(TABLE.space.stages)]
    pairs = plain.pairs(codes).all_combinations().reshape((4,) * len(codes))
    for k, one in enumerate(OTHERS[:4]):
        mean, _ = plain.latent([one])
        total = float((plain.sums([one]) - plain.level)[0])
        assert mean[0] * plain.slope == pytest.approx(total + pairs[(k,) * len(codes)], abs=1e-6)


def test_the_density_given_the_proxy_is_the_joint_one_over_that_of_the_proxy(process):
    link, n, c = process.proxy, len(process.architectures), process.proxy.count
    cheap = np.arange(n) < c
    prior = joint(process, process.architectures, cheap)
    covariance = prior + np.diag(np.where(cheap, link.noise, process.noise) + JITTER)
    z_proxy, z = link.warp.forward(VALUES), process.warp.forward(LABELS)
    expected = multivariate_normal(cov=covariance).logpdf(np.concatenate([z_proxy, z]))
    expected -= multivariate_normal(cov=covariance[:c, :c]).logpdf(z_proxy)
    table = process.design_of(process.architectures)
    given = given_proxy(table, link, proxy_of(process, table), LABELS, RECIPE, np.random.default_rng(0))
    _, variances = kernels(process, process.architectures)
    difference = [own - link.rho**2 * proxy for own, proxy in variances]
    found = given.kernels.density(
        z - link.rho * given.mean, np.array([*difference, 0.0, link.rho**2]), process.noise + JITTER
    )
    assert -found[0] - len(z) / 2 * np.log(2 * np.pi) == pytest.approx(expected, abs=1e-4)
    objective = given.objective(z)
    x = np.append(np.log(np.array([*difference, 0.1, 0.05]) + 1e-3), 0.7)
    error = check_grad(lambda v: objective(v)[0], lambda v: objective(v)[1], x)
    assert error < 1e-4 * np.abs(objective(x)[1]).max()


def test_a_negated_proxy_says_the_same():
    quick = replace(RECIPE, samples=2)
    one = fit_with_proxy(TABLE.space, OWN, LABELS, (CHEAP, VALUES), quick)
    other = fit_with_proxy(TABLE.space, OWN, LABELS, (CHEAP, -VALUES), quick)
    assert one.proxy.rho < 0 < other.proxy.rho  # a loss falls where the accuracy rises
    a, b = one.predict(OTHERS)[0], other.predict(OTHERS)[0]
    assert np.abs(a - b).max() < 0.02 * np.ptp(LABELS)
    truth = LOSS[ROWS[65:105]]
    assert min(srcc(a, truth), srcc(b, truth)) > 0.8


def test_links_are_read_back_to_the_bit_or_refused(process):
    arrays = additive_gp_to_arrays(process)
    again = additive_gp_from_arrays(arrays, TABLE.space, OWN, "fit", (CHEAP, VALUES))
    assert again.architectures == process.architectures
    for a, b in zip(again.predict(OTHERS), process.predict(OTHERS), strict=True):
        assert a.tobytes() == b.tobytes()
    for name in (n for n in arrays if n.startswith("proxy.")):
        for wrong in (arrays[name][:-1], np.full_like(arrays[name], -1), arrays[name].astype(np.float32)):
            if name == "proxy.warp" and wrong.dtype == np.float64 and len(wrong) == 7:
                continue
            with pytest.raises(FitError, match="is damaged"):
                additive_gp_from_arrays({**arrays, name: wrong}, TABLE.space, OWN, "fit", (CHEAP, VALUES))
    with pytest.raises(FitError, match="is damaged"):
        additive_gp_from_arrays(arrays, TABLE.space, OWN, "fit")


def test_of_very_many_labels_of_the_proxy_some_are_drawn(monkeypatch):
    monkeypatch.setattr("nasbuild.predictor.additive_gp._fit_proxy.MOST_ROWS", 45)
    monkeypatch.setattr("nasbuild.predictor.additive_gp._fit_proxy._LEAST_PROXY", 10)
    made = fit_with_proxy(
        TABLE.space, OWN, LABELS, (CHEAP, VALUES), replace(RECIPE, samples=2, interaction=False)
    )
    assert made.proxy.count == 20
    assert made.architectures == (*(CHEAP[i] for i in made.proxy.rows), *OWN)
    assert isinstance(made.interaction, Interaction)
