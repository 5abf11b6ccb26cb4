"""Pairs that interact: the posterior of their contrast written out, planted pairs found, and none where there is none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nasbuild.predictor import AdditiveGP, AdditiveRecipe, fit_additive_gp, pair_effects
from nasbuild.predictor.additive_gp._joint_kernel import NAMES, REACHES
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_problem import estimates
from nasbuild.predictor.additive_gp._pair_rows import single_problem, table_problem
from nasbuild.predictor.additive_gp._pair_selection import select_pairs
from nasbuild.space import Architecture, Space, changed_sample, space_from_dict

STAGES = 8
RECIPE = AdditiveRecipe(samples=2)


def space(reference: bool, stages: int = STAGES) -> Space:
    named = {"stages": [[{"attn": "on", "mlp": "on"}]] * stages} if reference else None
    each = [
        {"name": f"b{n}", "depth": [1], "features": {"attn": ["on", "off"], "mlp": ["on", "off"]}}
        for n in range(stages)
    ]
    return space_from_dict(
        {"name": "pairs", "stages": each} | ({"reference": named} if named is not None else {})
    )


AROUND, FREE = space(True), space(False)
PARTS = [(u, f) for u in range(STAGES) for f in (0, 1)]
SIZES = dict(zip(PARTS, np.random.default_rng(0).lognormal(-1, 1, len(PARTS)), strict=True))
PLANTED = {((1, 0), (4, 1)): 1.0, ((2, 1), (3, 0)): -0.8}


def made(changed) -> Architecture:
    return Architecture(
        tuple((tuple("off" if (u, f) in changed else "on" for f in (0, 1)),) for u in range(STAGES))
    )


def off(architecture: Architecture) -> set[tuple[int, int]]:
    return {(u, f) for u, (layer,) in enumerate(architecture.modules) for f in (0, 1) if layer[f] == "off"}


def label(architecture: Architecture, planted=PLANTED) -> float:
    parts = off(architecture)
    return 3 + sum(SIZES[p] for p in parts) + sum(e for pair, e in planted.items() if set(pair) <= parts)


def noisy(rows, planted=PLANTED, seed=1) -> np.ndarray:
    """Labels of which those of joint rows have a little noise."""
    noise = np.random.default_rng(seed).normal(size=len(rows)) * [len(off(a)) > 1 for a in rows]
    return np.array([label(a, planted) for a in rows]) + 0.02 * noise


SINGLES = [made([]), *(made([part]) for part in PARTS)]
TABLE = [*SINGLES, *changed_sample(AROUND, made([]), 90, 3, changes=(2, 6))]
RANDOM = [
    made([part for part, on in zip(PARTS, row, strict=True) if on])
    for row in np.random.default_rng(5).integers(0, 2, size=(120, len(PARTS)))
]


@pytest.fixture(scope="module")
def singles() -> tuple[AdditiveGP, np.ndarray]:
    labels = noisy(TABLE)
    return fit_additive_gp(AROUND, TABLE, labels, RECIPE), labels


def names(found) -> set:
    feature = {"attn": 0, "mlp": 1}
    return {
        tuple(sorted((c.part.stage, feature[c.part.feature]) for c in (one.first, one.second)))
        for one in found.named
    }


def dense_contrasts(gp: AdditiveGP, z: np.ndarray, selected, variance: float):
    """Posterior of y(p, q) - y(p) - y(q) + y(reference) from covariances of all rows, one entry at a time.

    Sums add nothing to the contrast, and the kernels of the whole sum are no interaction of a pair.
    """
    effects = {part: abs(gp.joint.effects[part[0]][1, part[1], 1]) for part in PARTS}

    def of_pair(pair, a, b) -> float:
        (u, f), (v, g) = pair
        if not set(pair) <= a & b:
            return 0.0
        near = [np.exp(-abs(u - v) / reach) * (f == g and u != v) for reach in REACHES]
        own = effects[pair[0]] * effects[pair[1]] * float(gp.joint.variances[:3] @ [*near, 1.0])
        return own + (variance if pair in selected else 0.0)

    changed = [off(a) for a in gp.architectures]
    pairs = list(combinations(PARTS, 2))
    n = len(changed)
    interactions = np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        interactions[i, j] = interactions[j, i] = sum(of_pair(pair, changed[i], changed[j]) for pair in pairs)
    for i in range(n):
        interactions[i, i] = sum(of_pair(pair, changed[i], changed[i]) for pair in pairs)
    of_sum = gp.joint.with_variances(_of_sum(gp)).kernel(gp._parts, gp._parts)
    additive = sum(
        theta * (rows := np.asarray(gp._design.rows(t).todense())) @ rows.T
        for t, theta in enumerate(gp.theta)
    )
    joint = np.array([len(c) > 1 for c in changed])
    whole = additive + interactions + of_sum + np.diag(gp.noise * joint + JITTER)
    inverse = np.linalg.inv(whole)
    found = {}
    for pair in pairs:
        cross = np.array([of_pair(pair, set(pair), c) for c in changed])
        prior = of_pair(pair, set(pair), set(pair))
        found[pair] = cross @ inverse @ z, prior - cross @ inverse @ cross
    return found


def _of_sum(gp: AdditiveGP) -> np.ndarray:
    """Variances of the kernels of the sum alone."""
    return np.where([name.startswith("sum") for name in NAMES], gp.joint.variances, 0.0)


def test_contrasts_are_those_of_the_dense_posterior(singles):
    gp, labels = singles
    rows = np.flatnonzero([len(off(a)) > 1 for a in TABLE])
    problem = single_problem(gp, labels, rows)
    part_of = [(c.part.stage, 0 if c.part.feature == "attn" else 1) for c in problem.columns.choices]
    pairs = [tuple(sorted((part_of[p], part_of[q]))) for p, q in problem.columns.pairs]
    selected = [pairs.index(((1, 0), (4, 1)))]
    expected = dense_contrasts(gp, gp.warp.forward(labels), {pairs[selected[0]]}, problem.prior)
    found = estimates(problem, selected)
    assert found.mean == pytest.approx([expected[pair][0] for pair in pairs], rel=1e-3, abs=1e-5)
    assert found.std == pytest.approx([np.sqrt(expected[pair][1]) for pair in pairs], rel=1e-3, abs=1e-5)
    # Without a prior: as with a variance so large that it pulls no more.
    one = pairs.index(((0, 0), (5, 0)))
    wide = dense_contrasts(gp, gp.warp.forward(labels), {pairs[selected[0]], pairs[one]}, 1e4)[pairs[one]]
    assert found.evidence[one] == pytest.approx(wide[0] / np.sqrt(wide[1]), rel=2e-3)


def test_planted_pairs_are_named_with_their_size(singles):
    gp, labels = singles
    found = pair_effects(gp, labels, RECIPE)
    assert names(found) == set(PLANTED)
    assert found.from_reference
    for one in found.named:
        true = 1.0 if one.effect > 0 else -0.8
        assert one.low < one.effect < one.high
        assert abs(one.effect - true) < 4 * one.std < 0.2
    assert found.pairs[0].named
    assert not found.pairs[-1].named


def test_in_an_ordinary_table_a_pair_is_a_difference_of_differences():
    labels = noisy(RANDOM)
    gp = fit_additive_gp(FREE, RANDOM, labels, RECIPE)
    found = pair_effects(gp, labels, RECIPE)
    assert names(found) == set(PLANTED)
    # Least squares on all parts and both products: the same interactions.
    x = np.array([[part in off(a) for part in PARTS] for a in RANDOM], dtype=float)
    products = [x[:, PARTS.index(p)] * x[:, PARTS.index(q)] for p, q in PLANTED]
    beta = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x, *products]), labels, rcond=None)[0][-2:]
    values = {one.effect > 0: one for one in found.named}
    assert values[True].effect == pytest.approx(beta[0], abs=0.05)
    assert values[False].effect == pytest.approx(beta[1], abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_without_interactions_no_pair_is_named(seed):
    for own, rows in ((AROUND, TABLE), (FREE, RANDOM)):
        labels = noisy(rows, {}, seed)
        assert not pair_effects(fit_additive_gp(own, rows, labels, RECIPE), labels, RECIPE).named


def test_pairs_that_the_rows_cannot_tell_apart_are_not_named():
    # Parts 8 and 9 are always off together: any interaction of one may be that of the other.
    joint = [a for a in TABLE[len(SINGLES) :] if ((4, 0) in off(a)) == ((4, 1) in off(a))]
    rows = [*SINGLES, *joint]
    labels = noisy(rows, {((1, 0), (4, 1)): 2.0})
    gp = fit_additive_gp(AROUND, rows, labels, RECIPE)
    assert not {pair for pair in names(pair_effects(gp, labels, RECIPE)) if {(4, 0), (4, 1)} & set(pair)}


def test_without_joint_rows_there_is_nothing_to_look_at():
    labels = noisy(SINGLES)
    found = pair_effects(fit_additive_gp(AROUND, SINGLES, labels, RECIPE), labels, RECIPE)
    assert (found.pairs, found.looked_at, found.rows) == ((), 0, 0)


def test_selection_in_columns_of_its_own_is_that_of_the_likelihood(singles):
    gp, labels = singles
    problem = single_problem(gp, labels, np.flatnonzero([len(off(a)) > 1 for a in TABLE]))
    # The first pair that is selected raises the density of the labels most, each with the same prior.
    free = problem.covariance([])
    gains = []
    for pair in range(problem.count):
        column = problem.columns.column(pair)
        sizes = problem.columns.sizes[problem.columns.pairs[pair]]
        own = problem.weights[:, pair] @ problem.variances[:-1] * sizes.prod()
        less = free - own * np.outer(column, column)
        more = less + 1e6 * np.outer(column, column)
        fits = [problem.z @ np.linalg.solve(covariance, problem.z) for covariance in (less, more)]
        gains.append(fits[0] - fits[1])
    assert select_pairs(problem).selected[0] == int(np.argmax(gains))
    assert estimates(problem, []).evidence ** 2 == pytest.approx(gains, rel=1e-2, abs=1e-3)


def test_ordinary_contrasts_are_those_of_the_kernel():
    stages = [{"name": f"s{n}", "depth": [1], "features": {"on": [0, 1]}} for n in range(6)]
    own = space_from_dict({"name": "plain", "stages": stages})
    x = np.random.default_rng(6).integers(0, 2, size=(60, 6))
    rows = [Architecture(tuple(((v,),) for v in row)) for row in x.tolist()]
    labels = x @ np.arange(1, 7) + 2.0 * x[:, 0] * x[:, 3] - x[:, 2] * x[:, 4]
    gp = fit_additive_gp(own, rows, labels, RECIPE, power=1.0)
    problem = table_problem(gp, labels, np.arange(len(rows)))
    corners = [Architecture(tuple(((v,),) for v in (a, 0, 0, b, 0, 0))) for a in (1, 0) for b in (1, 0)]
    at = gp.interaction.at(gp._rows_of(*gp._grouped(corners)).values)
    signs = np.array([1, -1, -1, 1])
    [pair] = [
        n
        for n, (p, q) in enumerate(problem.columns.pairs)
        if [problem.columns.choices[k].text(own) for k in (p, q)] == ["s0.on = 1", "s3.on = 1"]
    ]
    p, q = problem.columns.pairs[pair]
    weight, columns = problem.weights[0, pair], problem.columns
    expected = signs @ gp.interaction.kernel(at, gp.interaction.features)
    assert weight * columns.kernel[:, p] * columns.kernel[:, q] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    prior = signs @ gp.interaction.kernel(at, at) @ signs
    assert weight * columns.sizes[p] * columns.sizes[q] == pytest.approx(prior, rel=1e-6)
    assert np.abs(expected).max() > 0
