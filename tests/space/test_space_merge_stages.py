"""Merging two neighbouring stages keeps the networks, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Feature,
    Space,
    Stage,
    contains,
    count_architectures,
    enumerate_architectures,
    load_space,
    merge_architecture,
    merge_stages,
)
from strategies import all_architectures, relaxed, spaces

A, B = Feature("a", (0, 1), "numeric"), Feature("b", ("x", "y"))


def test_merging_the_last_two_stages_of_proxylessnas():
    space = load_space("ofa-proxylessnas")
    merged = merge_stages(space, 4)
    assert [s.name for s in merged.stages] == ["stage1", "stage2", "stage3", "stage4", "stage5+stage6"]
    assert merged.stages[-1].depths == (3, 4, 5)
    assert merged.stages[:4] == space.stages[:4]
    assert count_architectures(merged) == count_architectures(space) == 7371**5 * 9
    assert merged.metrics == space.metrics
    assert merge_stages(space, "stage5") == merge_stages(space, "4") == merged


def test_merging_maps_architectures_one_to_one():
    stages = (
        Stage("s", (1,), (B,)),
        Stage("t", (1, 3), (A,)),
        Stage("u", (2,), (A,)),
        Stage("globals", (1,), (B,)),
    )
    space = Space("s", stages)
    merged = merge_stages(space, "t")
    assert merged.globals == space.globals
    images = [merge_architecture(a, 1) for a in enumerate_architectures(space)]
    assert set(images) == set(enumerate_architectures(merged))
    assert len(set(images)) == len(images)
    first = next(iter(enumerate_architectures(space)))
    assert images[0].modules == (first.modules[0], first.modules[1] + first.modules[2], first.modules[3])


def can_be_merged(space, u):
    if u + 1 >= len(space.layered):
        return False
    pair = space.stages[u : u + 2]
    return (
        pair[0].features == pair[1].features
        and all(not stage.shared and stage.modules is None for stage in pair)
        and any(len(stage.depths) == 1 for stage in pair)
        and "+".join(stage.name for stage in pair) not in {stage.name for stage in space.stages}
    )


@given(spaces(most_stages=3, most_modules=12), st.integers(0, 3))
@relaxed
def test_a_merge_keeps_every_network_or_is_refused(space, u):
    if not can_be_merged(space, u):
        with pytest.raises(SpaceError):
            merge_stages(space, u)
        return
    merged, architectures = merge_stages(space, u), all_architectures(space)
    images = {merge_architecture(a, u) for a in architectures}
    assert len(images) == len(architectures) == count_architectures(merged)
    assert all(contains(merged, image) for image in images)


@pytest.mark.parametrize(
    ("stages", "first", "sentence"),
    [
        (
            (Stage("s", (1,), (A,)), Stage("t", (1,), (B,))),
            0,
            "s and t have different features; they can't be merged",
        ),
        (
            (Stage("s", (1,), (A,)), Stage("t", (1,), (Feature("a", (0, 1, 2), "numeric"),))),
            0,
            "s and t have different features; they can't be merged",
        ),
        (
            (Stage("s", (1,), (A,)), Stage("t", (1,), (A,), frozenset("a"))),
            "s",
            "s or t has shared features or a list of modules; they can't be merged",
        ),
        (
            (Stage("s", (1,), (A,), modules=(((0,),),)), Stage("t", (1,), (A,))),
            0,
            "s or t has shared features or a list of modules; they can't be merged",
        ),
        (
            (Stage("s", (1, 2), (A,)), Stage("t", (1, 2), (A,))),
            0,
            "s and t both have several depths; they can't be merged",
        ),
        ((Stage("s", (1,), (A,)), Stage("t", (1,), (A,))), 1, "t has no stage after it to be merged with"),
        (
            (Stage("s", (1,), (A,)), Stage("globals", (1,), (A,))),
            0,
            "s has no stage after it to be merged with",
        ),
        (
            (Stage("s", (1,), (A,)), Stage("t", (1,), (A,)), Stage("s+t", (1,), (A,))),
            0,
            "the merged stage would be the second one named 's+t'; they can't be merged",
        ),
        (
            (Stage("s", (1,), (A,)), Stage("t", (1,), (A,))),
            "v",
            "there is no stage 'v' in space 'x'; allowed: s (0), t (1)",
        ),
        (
            (Stage("s", (1,), (A,)), Stage("t", (1,), (A,))),
            2,
            "there is no stage 2 in space 'x'; allowed: s (0), t (1)",
        ),
    ],
)
def test_merges_that_change_the_architectures_are_refused(stages, first, sentence):
    with pytest.raises(SpaceError) as caught:
        merge_stages(Space("x", stages), first)
    assert str(caught.value) == sentence
