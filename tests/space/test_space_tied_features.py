"""Ties against lists of all architectures: counting, sampling, enumeration and mutation."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Architecture,
    contains,
    count_architectures,
    enumerate_architectures,
    mutate_layer,
    mutate_module,
    parse_architecture,
    sample,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
    space_to_yaml,
    to_dict,
)

TEXT = """
name: quantised
globals: {mode: [2, 4]}
stages:
  - {name: b0.q, depth: 1, features: {bits: [2, 4, 8], way: [x, y]}}
  - {name: b0.k, depth: [1, 2], features: {bits: [2, 4, 8]}}
  - {name: b0.v, modules: [[{bits: 2}], [{bits: 4}, {bits: 2}], [{bits: 4}, {bits: 4}]], features: {bits: [2, 4]}}
  - {name: mlp, depth: [2], features: {bits: [4, 8]}}
"""
TIED = "tied: [[b0.q.bits, b0.k.bits, b0.v.0.bits], [mlp.bits]]\n"


def bits(architecture: Architecture, stage: int) -> list[object]:
    return [layer[0] for layer in architecture.modules[stage]]


def keeps(architecture: Architecture) -> bool:
    first = {*bits(architecture, 0), *bits(architecture, 1), bits(architecture, 2)[0]}
    return len(first) == 1 and len(set(bits(architecture, 3))) == 1


@pytest.fixture(scope="module")
def space():
    return space_from_yaml(TEXT + TIED)


@pytest.fixture(scope="module")
def meets():
    return [a for a in enumerate_architectures(space_from_yaml(TEXT)) if keeps(a)]


def test_architectures_that_satisfy_the_ties_are_counted_and_enumerated(space, meets):
    assert count_architectures(space) == len(meets)
    listed = list(enumerate_architectures(space))
    assert len(listed) == len(meets)
    assert set(listed) == set(meets)
    every = list(enumerate_architectures(space_from_yaml(TEXT)))
    assert all(space.ties_hold(a) == keeps(a) == contains(space, a) for a in every)
    assert space.tied_groups() == ((0, 1, 2),)


def test_tied_architectures_are_sampled_uniformly(space, meets):
    rng = np.random.default_rng(0)
    assert set(sample(space, len(meets), rng)) == set(meets)
    counts = Counter(sample(space, 4_000, rng, distinct=False))
    assert set(counts) == set(meets)
    assert max(counts.values()) < 2 * 4_000 / len(meets)
    deep = Counter(len(a.modules[1]) for a in sample(space, 2_000, rng, over="depths", distinct=False))
    assert 850 < deep[1] < 1_150


@pytest.mark.parametrize("mutate", [mutate_layer, mutate_module])
def test_mutations_keep_the_ties(space, meets, mutate):
    rng = np.random.default_rng(1)
    one, seen = meets[0], set()
    for _ in range(600):
        one = mutate(space, one, rng)
        assert keeps(one)
        seen.add(one)
    assert seen == set(meets)


def test_broken_ties_are_refused(space):
    one = next(a for a in enumerate_architectures(space_from_yaml(TEXT)) if not keeps(a))
    with pytest.raises(SpaceError, match=r"b0\.\w\S* = \d and \S+ = \d, but the space ties them|mlp"):
        parse_architecture(space, to_dict(space, one))


def test_ties_are_written_and_read_again(space):
    assert space_from_yaml(space_to_yaml(space)) == space
    assert space_from_dict(json.loads(json.dumps(space_to_dict(space)))) == space


def test_many_independent_ties():
    stages = [
        {"name": f"b{u}.{n}", "depth": 1, "features": {"bits": [2, 4, 8]}} for u in range(60) for n in "qkv"
    ]
    tied = [[f"b{u}.{n}.bits" for n in "qkv"] for u in range(60)]
    space = space_from_dict({"name": "s", "stages": stages, "tied": tied})
    assert count_architectures(space) == 3**60
    assert len(space.tied_groups()) == 60
    assert all(space.ties_hold(a) for a in sample(space, 20, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("tied", "words"),
    [
        ("[a]", "tied: must be a list of lists"),
        ("[[]]", "tied[0]: ties fewer than two places"),
        ("[[b0.q.0.bits]]", "tied[0]: ties fewer than two places"),
        ("[[b0.q.bits, 3]]", "tied[0]: 3 is not a place in the space"),
        ("[[b0.q.bits, b1.q.bits]]", "there is no stage 'b1'"),
        ("[[b0.q.bits, b0.k.width]]", "b0.k has no feature 'width'; allowed: bits"),
        ("[[b0.q.bits, b0.k.1.bits]]", "layer 1 is not in every module of b0.k; allowed: 0 to 0"),
        ("[[b0.q.bits, b0.q.way]]", "b0.q.bits and b0.q.way have no common choice"),
        (
            "[[b0.v.bits, mlp.bits], [mlp.0.bits, b0.q.bits], [b0.v.0.bits, globals.mode], [globals.mode, b0.q.way]]",
            "have no common",
        ),
    ],
)
def test_mistakes_give_one_clear_sentence(tied, words):
    with pytest.raises(SpaceError) as caught:
        space_from_yaml(TEXT + f"tied: {tied}\n", where="s.yaml")
    assert words in str(caught.value)
