"""Neighbours are exactly the modules one step away, and mutations stay in the space."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from nasbuild.space import (
    ABSENT,
    Architecture,
    Feature,
    Space,
    Stage,
    choice_key,
    contains,
    count_architectures,
    count_modules,
    mutate_layer,
    mutate_module,
    neighbour_codes,
)
from strategies import all_modules, modules, relaxed, spaces, spaces_and_architectures

A, B = Feature("a", (0, 1, 2), "numeric"), Feature("b", ("x", "y"))


def keys(module):
    """A module whose choices compare by their keys: True and 1 are two choices, though Python has them equal."""
    return tuple(tuple(c if c is ABSENT else choice_key(c) for c in layer) for layer in module)


def one_step(stage, one, other):
    """The definition: one choice (a shared one everywhere), one layer, or the next depth if it is far off."""
    one, other = keys(one), keys(other)
    if one == other:
        return False
    if len(one) == len(other):
        places = [
            (layer, p)
            for layer in range(len(one))
            for p in range(len(stage.features))
            if one[layer][p] != other[layer][p]
        ]
        # Features that begin or stop to exist follow the one that changed; shared ones change everywhere.
        changed = [(layer, p) for layer, p in places if ABSENT not in (one[layer][p], other[layer][p])]
        feature = stage.features[changed[0][1]].name
        appeared = {
            p: {other[layer][p] for layer, q in places if p == q and (layer, q) not in changed}
            for _, p in places
        }
        return (
            len({p for _, p in changed}) == 1
            and (len(changed) == 1 or feature in stage.shared)
            and all(len(own) <= 1 for own in appeared.values())
        )
    if abs(len(one) - len(other)) == 1:
        shorter, longer = sorted((one, other), key=len)
        return any(longer[:layer] + longer[layer + 1 :] == shorter for layer in range(len(longer)))
    if any(min(len(one), len(other)) < depth < max(len(one), len(other)) for depth in stage.depths):
        return False
    if not one:
        return len(set(other)) == 1
    return other == (one + one[-1:] * len(other))[: len(other)]


def neighbours(stage, module):
    return [stage.decode(code) for code in neighbour_codes(stage, stage.encode(module))]


@given(spaces(rich=True, most_stages=2), st.data())
@relaxed
def test_neighbours_are_all_modules_one_step_away_once_each(space, data):
    for stage in space.stages:
        module = data.draw(modules(stage))
        found = list(map(keys, neighbours(stage, module)))
        assert len(found) == len(set(found))
        assert set(found) == {keys(other) for other in all_modules(stage) if one_step(stage, module, other)}


def test_neighbours_of_a_small_example():
    stage = Stage("s", (1, 2), (A, B), frozenset("b"))
    assert set(neighbours(stage, ((0, "x"),))) == {
        ((1, "x"),),
        ((2, "x"),),
        ((0, "y"),),
        *(((0, "x"), (a, "x")) for a in (0, 1, 2)),
        *(((a, "x"), (0, "x")) for a in (1, 2)),
    }
    assert set(neighbours(stage, ((0, "x"), (2, "x")))) == {
        *(((a, "x"), (2, "x")) for a in (1, 2)),
        *(((0, "x"), (a, "x")) for a in (0, 1)),
        ((0, "y"), (2, "y")),
        ((0, "x"),),
        ((2, "x"),),
    }


def test_depths_far_apart_are_neighbours_by_cutting_or_repeating_the_end():
    stage = Stage("s", (1, 3, 6), (B,))
    assert set(neighbours(stage, (("x",), ("y",), ("y",)))) == {
        (("y",), ("y",), ("y",)),
        (("x",), ("x",), ("y",)),
        (("x",), ("y",), ("x",)),
        (("x",),),
        (("x",), ("y",), ("y",), ("y",), ("y",), ("y",)),
    }


@pytest.mark.parametrize("mutate", [mutate_module, mutate_layer])
@given(spaces_and_architectures(rich=True, most=1), st.integers(0, 2**32))
@relaxed
def test_a_mutation_changes_one_stage_and_stays_in_the_space(mutate, drawn, seed):
    space, [architecture] = drawn
    mutated = mutate(space, architecture, np.random.default_rng(seed))
    assert contains(space, mutated)
    assert mutated == mutate(space, architecture, np.random.default_rng(seed))
    changed = [u for u, (a, b) in enumerate(zip(architecture, mutated, strict=True)) if a != b]
    assert len(changed) == (1 if count_architectures(space) > 1 else 0)
    if mutate is mutate_layer and changed:
        stage, before = space.stages[changed[0]], architecture.modules[changed[0]]
        possible = neighbours(stage, before) or all_modules(stage)
        assert mutated.modules[changed[0]] in possible


@pytest.mark.parametrize("mutate", [mutate_module, mutate_layer])
def test_a_space_of_one_architecture_has_no_mutation(mutate):
    space = Space("one", (Stage("s", (2,), (Feature("a", (1,)),)), Stage("bare", (1,), ())))
    only = Architecture((((1,), (1,)), ((),)))
    assert mutate(space, only, np.random.default_rng(0)) == only


def test_module_mutations_are_uniform_over_other_modules():
    stages = (Stage("s", (1, 2), (A,)), Stage("one", (1,), ()), Stage("t", (1,), (B,)))
    space, rng = Space("s", stages), np.random.default_rng(1)
    start = Architecture((((0,), (0,)), ((),), (("x",),)))
    seen = Counter(mutate_module(space, start, rng) for _ in range(3000))
    others = [start.replace(0, m) for m in all_modules(stages[0]) if m != start.modules[0]]
    expected = {a: 3000 / 2 / len(others) for a in others} | {start.replace(2, (("y",),)): 3000 / 2}
    assert set(seen) == set(expected)
    assert chisquare([seen[a] for a in expected], list(expected.values())).pvalue > 0.001


@pytest.mark.parametrize(
    "stage",
    [
        Stage("s", (1, 2, 3), (A, B)),
        Stage("s", (1, 2, 3), (A, B), frozenset("a")),
        Stage("s", (2, 5), (B,)),
        Stage("s", (1, 2), (B,), modules=((("x",),), (("y",),), (("y",), ("x",)), (("x",), ("x",)))),
    ],
    ids=["free", "shared", "depths apart", "listed"],
)
def test_layer_mutations_reach_every_neighbour(stage):
    module, rng = stage.decode(np.zeros((2, len(stage.features)), dtype=np.int16)), np.random.default_rng(2)
    space = Space("s", (stage,))
    seen = {mutate_layer(space, Architecture((module,)), rng).modules[0] for _ in range(1000)}
    assert seen == set(neighbours(stage, module))


def test_adding_removing_and_editing_a_layer_are_equally_likely():
    space = Space("s", (Stage("s", (1, 2, 3), (A, B)),))
    start, rng = Architecture((((0, "x"), (1, "x")),)), np.random.default_rng(3)
    depths = Counter(len(mutate_layer(space, start, rng).modules[0]) for _ in range(1500))
    assert chisquare([depths[d] for d in (1, 2, 3)]).pvalue > 0.001


def test_a_listed_module_without_neighbours_becomes_any_other():
    listed = ((("x",), ("x",)), (("y",), ("y",)))
    stage = Stage("s", (2,), (B,), modules=listed)
    assert neighbours(stage, listed[0]) == []
    mutated = mutate_layer(Space("s", (stage,)), Architecture((listed[0],)), np.random.default_rng(4))
    assert mutated == Architecture((listed[1],))


def test_adding_one_of_billions_of_layers_is_fast():
    stage = Stage("s", (1, 2), tuple(Feature(f"f{i}", tuple(range(8)), "numeric") for i in range(16)))
    assert count_modules(stage, 1) == 8**16
    space, rng = Space("wide", (stage,)), np.random.default_rng(5)
    start = Architecture((((0,) * 16,),))
    mutated = [mutate_layer(space, start, rng) for _ in range(50)]
    assert all(one_step(stage, start.modules[0], m.modules[0]) for m in mutated)
    assert {len(m.modules[0]) for m in mutated} == {1, 2}
