"""What a proxy is worth in a table of single changes: effects that it has measured, and the target has not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.predictor import (
    LEAST_SINGLES,
    AdditiveGP,
    AdditiveRecipe,
    fit_additive_gp,
    improving_changes,
    one_thread,
    ruined_rows,
    single_changes,
    srcc,
)
from nasbuild.score._held_out import Agreement, HeldOut, log_density
from nasbuild.score._proxy import ProxyLabels, ProxyWorth, density_gain
from nasbuild.space import Architecture, Space
from nasbuild.table import k_fold

_FOLDS = 5
LEAST_TESTED = LEAST_SINGLES + 2
"""Minimum number of single changes that test a proxy: what remains of every fold is still a table of single changes."""


def held_out_singles(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    gp: AdditiveGP,
    recipe: AdditiveRecipe,
    proxy: ProxyLabels | None,
    *,
    seed: int,
    sign: int,
) -> HeldOut:
    """Predictions of single changes by fits without their label of the target, but with that of the proxy.

    Joint rows are left out of these fits, as they contain what is held out. So are changes that ruin the network or improve
    it, whose effects are not learnt from.
    """
    changes = single_changes(space, architectures)
    assert changes is not None
    assert changes.row is not None
    ruined = ruined_rows(space, architectures, labels, changes)
    single = changes.counts == 1
    usual = single & ~ruined & ~improving_changes(labels, changes, ruined, sign)
    # Of very few, all are held out: something is to be learnt from the rest of each fold.
    single = np.flatnonzero(usual if usual.sum() >= LEAST_TESTED else single)
    beside = None if proxy is None else (proxy.architectures, proxy.labels)
    tests, parts = [], []
    for train, test in k_fold(len(single), _FOLDS, np.random.default_rng(seed)):
        rows = np.append(single[train], changes.row)
        part = fit_additive_gp(
            space,
            [architectures[i] for i in rows],
            labels[rows],
            recipe,
            seed=seed,
            like=gp,
            sign=sign,
            proxy=beside,
        )
        held = single[test]
        mean, variance = part.latent([architectures[i] for i in held])
        left = part.warp.forward(labels[held]) - mean
        tests.append(held)
        density = log_density(left, np.sqrt(variance)) + part.warp.log_slopes(labels[held])
        parts.append((part.warp.back(mean), density))
    prediction, density = (np.concatenate(own) for own in zip(*parts, strict=True))
    return HeldOut(np.concatenate(tests), prediction, prediction, density=density)


def worth_of_singles(
    space: Space,
    problem: tuple[Sequence[Architecture], np.ndarray],
    proxy: ProxyLabels,
    gps: tuple[AdditiveGP, AdditiveGP],
    recipe: AdditiveRecipe,
    *,
    seed: int,
    sign: int,
) -> ProxyWorth:
    """What a proxy was worth, from single changes whose label of the target is held out; not yet used.

    Parameters
    ----------
    gps
        The fits with the proxy and without.
    """
    architectures, labels = problem
    with one_thread():
        held = [
            held_out_singles(space, architectures, labels, gp, recipe, own, seed=seed, sign=sign)
            for gp, own in zip(gps, (proxy, None), strict=True)
        ]
    with_it, without = held
    both, correlation = proxy.overlap(architectures, labels)
    agreement = [Agreement.of([srcc(one.prediction, labels[one.test])]) for one in (with_it, without)]
    nats, error = density_gain([with_it], [without])
    return ProxyWorth(
        proxy.name,
        len(proxy.labels),
        len(proxy.labels) - both,
        len(proxy.labels),
        correlation,
        agreement[0],
        agreement[1],
        agreement[0],
        agreement[1],
        nats,
        error,
        nats * len(with_it.test),
        used=False,
        single_changes=len(with_it.test),
    )
