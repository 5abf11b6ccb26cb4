"""Interactions of the changes of a reference: the kernel term by term, and what joint rows say through it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp, single_changes
from nasbuild.predictor.additive_gp._joint_kernel import NAMES, REACHES, WIDTHS, JointKernel
from nasbuild.space import Architecture, changed_sample, group_stages, space_from_yaml

BLOCKS = 8
SPACE = space_from_yaml(
    "name: s\nstages:\n"
    + "\n".join(
        f"- {{name: b{i}, depth: 1, features: {{attn: [on, off], mlp: [on, off]}}}}" for i in range(BLOCKS)
    )
    + "\nreference: {attn: on, mlp: on}\n"
)
SIZES = np.random.default_rng(0).lognormal(-1, 1, size=(BLOCKS, 2))


def made(changed) -> Architecture:
    """The reference with some (block, feature) off."""
    return Architecture(
        tuple((tuple("off" if (u, f) in changed else "on" for f in (0, 1)),) for u in range(BLOCKS))
    )


def off(architecture: Architecture) -> list[tuple[int, int]]:
    return [(u, f) for u, (layer,) in enumerate(architecture.modules) for f in (0, 1) if layer[f] == "off"]


PARTS = [(u, f) for u in range(BLOCKS) for f in (0, 1)]
SINGLES = [made([]), *(made([part]) for part in PARTS)]
JOINT = changed_sample(SPACE, made([]), 60, 3, changes=(2, 5))


def kernel() -> JointKernel:
    effects = np.zeros((BLOCKS, 2, 2, 2))
    effects[:, 1, :, 1] = SIZES  # the layer's row, each feature, choice off
    return JointKernel(SPACE, tuple(effects), np.random.default_rng(1).uniform(0.1, 1, len(NAMES)))


def by_definition(own: JointKernel, a: Architecture, b: Architecture) -> float:
    """Sums over pairs of parts, written out."""
    found = 0.0
    for (u, f), (v, g) in combinations(PARTS, 2):
        if not {(u, f), (v, g)} <= set(off(a)) & set(off(b)):
            continue
        size = SIZES[u, f] * SIZES[v, g]
        near = [np.exp(-abs(u - v) / reach) * (f == g) for reach in REACHES]
        found += size * float(own.variances[:3] @ [*near, 1.0])
    t, s = (np.array([SIZES[part] for part in off(one)]) for one in (a, b))
    if min(len(t), len(s)) > 1:
        rest = [x.sum() - (x * x).sum() / x.sum() for x in (t, s)]
        apart = np.log(t.sum() / s.sum()) ** 2
        found += float(own.variances[3:] @ [rest[0] * rest[1] * np.exp(-apart / w**2) for w in WIDTHS])
    return found


def test_the_kernel_is_that_of_its_definition():
    own, rows = kernel(), [*SINGLES[:4], *JOINT[:12]]
    features = own.features(group_stages(SPACE, rows))
    found = own.kernel(features, features)
    expected = np.array([[by_definition(own, a, b) for b in rows] for a in rows])
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert own.diagonal(features) == pytest.approx(np.diag(expected), rel=1e-10, abs=1e-12)
    assert not found[:4].any()


def test_pairs_of_stages_add_what_the_kernel_says():
    own = kernel().with_variances(np.array([0.3, 0.2, 0.1, 0.0, 0.0]))
    table = own.features(group_stages(SPACE, JOINT))
    weights = np.random.default_rng(2).normal(size=len(JOINT))
    one = [
        part for u in range(BLOCKS) for part in [(u, u % 2)]
    ]  # one part a stage: no pair lies within a stage
    codes = [[np.array([[0, 0]]), np.array([[int(f == 0), int(f == 1)]])] for _, f in one]
    picks = np.random.default_rng(3).integers(2, size=(20, BLOCKS))
    rows = [made([part for part, pick in zip(one, row, strict=True) if pick]) for row in picks]
    expected = own.kernel(own.features(group_stages(SPACE, rows)), table) @ weights
    assert own.pairs(codes, table, weights).values(picks) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def label(architecture: Architecture, *, bend: float = np.inf, pair: float = 0.0) -> float:
    parts = off(architecture)
    total = sum(SIZES[part] for part in parts) + pair * ({(2, 1), (3, 1)} <= set(parts))
    return 3.0 + (total if bend == np.inf else bend * np.expm1(total / bend))


@pytest.mark.parametrize(("bend", "powers"), [(np.inf, (1.0,)), (0.8, (0.0,))])
def test_joint_rows_tell_the_scale_and_single_changes_stay_exact(bend, powers):
    # Effects that add up on a logarithm: the excess is bend (exp(sum / bend) - 1).
    rows = [*SINGLES, *JOINT[:30]]
    labels = np.array([label(a, bend=bend) for a in rows])
    process = fit_additive_gp(SPACE, rows, labels, AdditiveRecipe(samples=2))
    assert process.warp.power in powers
    singles, std, _ = process.predict(SINGLES)
    assert singles == pytest.approx(labels[: len(SINGLES)], abs=2e-3 * np.ptp(labels[: len(SINGLES)]))
    assert std.max() < 0.01 * np.ptp(labels[: len(SINGLES)])
    others, true = JOINT[30:], np.array([label(a, bend=bend) for a in JOINT[30:]])
    assert np.median(np.abs(process.predict(others)[0] / true - 1)) < 0.02


def test_a_strong_pair_is_learnt_from_joint_rows():
    rows = [*SINGLES, *JOINT]
    process = fit_additive_gp(
        SPACE, rows, np.array([label(a, pair=2.0) for a in rows]), AdditiveRecipe(samples=2)
    )
    both, apart = process.predict([made([(2, 1), (3, 1)]), made([(2, 1), (6, 0)])])[0]
    assert both - label(made([(2, 1), (3, 1)])) == pytest.approx(2.0, abs=0.5)
    assert apart == pytest.approx(label(made([(2, 1), (6, 0)])), abs=0.5)


def test_only_tables_of_single_changes_are_taken_for_such():
    found = single_changes(SPACE, [*SINGLES, *JOINT])
    assert found is not None
    assert (found.counts[: len(SINGLES)] <= 1).all()
    assert single_changes(SPACE, SINGLES[1:]) is None  # the reference was not measured
    assert single_changes(SPACE, [*SINGLES[:5], *JOINT]) is None
    undeclared = space_from_yaml(
        "{name: s, stages: [{name: a, depth: 1, features: {k: [1, 2, 3, 4, 5, 6, 7, 8]}}]}"
    )
    every = [Architecture((((k,),),)) for k in range(1, 9)]
    assert single_changes(undeclared, every) is None


def test_what_is_left_out_of_the_mean_is_in_the_deviation():
    rows = [*SINGLES, *JOINT]
    labels = np.array([label(a, bend=1.0, pair=1.0) for a in rows])
    gp = fit_additive_gp(SPACE, rows, labels, AdditiveRecipe(samples=2))
    half, some = replace(gp, interaction_share=0.4), JOINT[-8:]
    sums, full, part = gp.sum_latent(some)[0], gp.latent(some), half.latent(some)
    np.testing.assert_allclose(part[0], sums + 0.4 * (full[0] - sums))
    np.testing.assert_allclose(part[1], full[1] + (0.6 * (full[0] - sums)) ** 2)
    # Joint samples vary as much.
    samples = half.posterior_samples(some, 40_000)
    known = part[1] - half._noise_of(half._grouped(some)[0])
    np.testing.assert_allclose(
        samples.var(axis=0), known * half.spread**2, rtol=0.05, atol=2e-6
    )  # the jitter
