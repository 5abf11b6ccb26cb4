"""Sampling has the promised distribution and is reproducible."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Feature,
    Space,
    Stage,
    contains,
    count_architectures,
    load_space,
    sample,
    sample_codes,
    sample_module,
)
from strategies import all_architectures, all_modules, relaxed, spaces

A, B = Feature("a", (0, 1, 2), "numeric"), Feature("b", ("x", "y"))
STAGES = {
    "free": Stage("free", (1, 2), (A,)),
    "shared": Stage("shared", (1, 3), (A, B), frozenset("a")),
    "listed": Stage(
        "listed", (1, 2), (B,), modules=((("x",),), (("x",), ("y",)), (("y",), ("y",)), (("y",), ("x",)))
    ),
    "bare": Stage("bare", (1, 2, 4), ()),
}
SMALL = Space("small", (STAGES["free"], Stage("last", (1,), (B,))))


def probabilities(stage, over):
    """Exact probability of each module."""
    modules = all_modules(stage)
    if over == "architectures":
        return {m: 1 / len(modules) for m in modules}
    of_depth = Counter(map(len, modules))
    return {m: 1 / len(stage.depths) / of_depth[len(m)] for m in modules}


def agreement(drawn, expected):
    """p-value of the chi-square test of what was drawn against probabilities."""
    seen = Counter(drawn)
    assert set(seen) <= set(expected)
    return chisquare([seen[e] for e in expected], [p * len(drawn) for p in expected.values()]).pvalue


@pytest.mark.parametrize("over", ["architectures", "depths"])
@pytest.mark.parametrize("name", list(STAGES))
def test_modules_have_the_promised_distribution(name, over):
    rng = np.random.default_rng(1)
    drawn = [sample_module(STAGES[name], rng, over) for _ in range(3000)]
    assert agreement(drawn, probabilities(STAGES[name], over)) > 0.001


def test_the_two_distributions_differ():
    rng = np.random.default_rng(1)
    drawn = [sample_module(STAGES["free"], rng, "depths") for _ in range(3000)]
    assert agreement(drawn, probabilities(STAGES["free"], "architectures")) < 1e-9


@pytest.mark.parametrize("name", list(STAGES))
def test_codes_of_one_depth_are_equally_likely(name):
    stage = STAGES[name]
    for depth in stage.depths:
        codes = sample_codes(stage, depth, 2000, np.random.default_rng(2))
        assert codes.shape == (2000, depth, len(stage.features))
        assert codes.dtype == np.int16
        modules = [m for m in all_modules(stage) if len(m) == depth]
        if len(modules) > 1:
            assert (
                agreement([stage.decode(c) for c in codes], dict.fromkeys(modules, 1 / len(modules))) > 0.001
            )
        else:
            assert {stage.decode(c) for c in codes} == set(modules)


@pytest.mark.parametrize("over", ["architectures", "depths"])
def test_architectures_have_the_promised_distribution(over):
    drawn = sample(SMALL, 4000, np.random.default_rng(3), over=over, distinct=False)
    first = probabilities(SMALL.stages[0], over)
    expected = {a: first[a.modules[0]] / 2 for a in all_architectures(SMALL)}
    assert agreement(drawn, expected) > 0.001


@pytest.mark.parametrize("n", [2, 6], ids=["drawn again until different", "drawn from a list"])
@pytest.mark.parametrize("over", ["architectures", "depths"])
def test_distinct_samples_are_drawn_without_replacement(n, over):
    first = probabilities(SMALL.stages[0], over)
    p = {a: first[a.modules[0]] / 2 for a in all_architectures(SMALL)}
    rng = np.random.default_rng(4)
    pairs = [sample(SMALL, n, rng, over=over)[:2] for _ in range(600)]
    assert all(one != other for one, other in pairs)
    assert agreement([pair[0] for pair in pairs], p) > 0.001
    second = {b: sum(p[a] * p[b] / (1 - p[a]) for a in p if a != b) for b in p}
    assert agreement([pair[1] for pair in pairs], second) > 0.001


@given(
    spaces(most_modules=40), st.integers(0, 2**32), st.sampled_from(["architectures", "depths"]), st.data()
)
@relaxed
def test_samples_are_distinct_valid_and_reproducible(space, seed, over, data):
    total = count_architectures(space)
    n = data.draw(st.integers(0, min(total, 30)))
    drawn = sample(space, n, np.random.default_rng(seed), over=over)
    assert len(drawn) == len(set(drawn)) == n
    assert all(contains(space, a) for a in drawn)
    assert drawn == sample(space, n, np.random.default_rng(seed), over=over)


@pytest.mark.parametrize("over", ["architectures", "depths"])
def test_the_whole_space_can_be_sampled_but_not_one_more(over):
    assert set(sample(SMALL, 24, np.random.default_rng(5), over=over)) == set(all_architectures(SMALL))
    with pytest.raises(SpaceError, match=r"^25 different architectures were asked for, the space has 24$"):
        sample(SMALL, 25, np.random.default_rng(5), over=over)
    assert len(sample(SMALL, 25, np.random.default_rng(5), over=over, distinct=False)) == 25


def test_another_seed_samples_others():
    space = load_space("ofa-mobilenet-v3")
    drawn = [sample(space, 20, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_huge_stage_can_be_sampled():
    # 10^300 modules and more of each depth: no machine number holds their sum.
    stage = Stage("huge", (300, 301, 400), (Feature("op", tuple("abcdefghij")),))
    drawn = sample(Space("huge", (stage,)), 50, np.random.default_rng(6))
    assert {len(a.modules[0]) for a in drawn} == {400}
    depths = {
        len(a.modules[0]) for a in sample(Space("h", (stage,)), 50, np.random.default_rng(6), over="depths")
    }
    assert depths == {300, 301, 400}


def test_an_unknown_way_of_sampling_is_refused():
    with pytest.raises(SpaceError, match=r"^can't sample over 'layers'; allowed: architectures, depths$"):
        sample(SMALL, 1, np.random.default_rng(0), over="layers")
