"""Shortlists against every architecture of a small space."""

from __future__ import annotations

import numpy as np
import pytest
from builder_samples import QUICK

from nasbuild.builder import Bound, build_shortlisted
from nasbuild.score import fit
from nasbuild.space import enumerate_architectures
from nasbuild.table import load_builtin


@pytest.fixture(scope="module")
def fitted():
    some = np.sort(np.random.default_rng(0).permutation(1728)[:90])
    return fit(load_builtin("digits-macro").select(some), ["loss"], recipe=QUICK["radial"], baselines=False)


@pytest.fixture(scope="module")
def every(fitted):
    """All architectures with their summed scores, y' and numbers of layers; of those that make one network, the first."""
    scorer = fitted.of().scorer
    found = {}
    for architecture in enumerate_architectures(fitted.space):
        found.setdefault(scorer.canonical_key(architecture), architecture)
    listed = list(found.values())
    layers = np.array([sum(map(len, a)) for a in listed])
    return listed, scorer.shares(listed).sum(axis=1), scorer.predict(listed)[0], layers


@pytest.mark.parametrize(("n", "length"), [(1, 30), (10, 30), (12, 36)])
def test_the_prediction_reranks_three_times_as_many_by_score(fitted, every, n, length):
    listed, sums, prediction, _ = every
    short = np.argsort(sums, kind="stable")[:length]
    best = np.sort(prediction[short])[:n]
    found = build_shortlisted(fitted, None, n)
    assert found.length == length
    assert found.proven
    assert [one.prediction for one in found.built] == pytest.approx(best, rel=1e-9)
    allowed = {listed[i] for i in short}
    assert all(
        fitted.of().scorer.canonical_key(o.architecture)
        in {fitted.of().scorer.canonical_key(a) for a in allowed}
        for o in found.built
    )


def test_bounds_hold_on_the_shortlist(fitted, every):
    _, sums, prediction, layers = every
    most = 5
    inside = np.flatnonzero(layers <= most)
    short = inside[np.argsort(sums[inside], kind="stable")[:30]]
    found = build_shortlisted(fitted, "loss", 8, [Bound("layers", 1, float(most))])
    assert all(sum(map(len, one.architecture)) <= most for one in found.built)
    assert [one.prediction for one in found.built] == pytest.approx(np.sort(prediction[short])[:8], rel=1e-9)
