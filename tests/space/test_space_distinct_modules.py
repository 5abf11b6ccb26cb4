"""Grouping of distinct modules against the architectures themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.space import group_modules, group_stages, space_from_yaml
from strategies import architectures, modules, relaxed, spaces


@given(st.data())
@relaxed
def test_every_architecture_finds_its_module_again(data):
    space = data.draw(spaces())
    some = data.draw(st.lists(architectures(space), max_size=8))
    groups = group_stages(space, some)
    assert len(groups) == len(space.stages)
    for u, (stage, grouped) in enumerate(zip(space.stages, groups, strict=True)):
        own = [a.modules[u] for a in some]
        found = {}
        for positions, codes in grouped.groups:
            assert codes.shape == (len(positions), codes.shape[1], len(stage.features))
            found |= {int(p): stage.decode(c) for p, c in zip(positions, codes, strict=True)}
        assert sorted(found) == list(range(grouped.count))
        assert grouped.count == len(set(own)) == len(set(found.values()))
        assert [found[int(p)] for p in grouped.of_architecture] == own
        depths = [codes.shape[1] for _, codes in grouped.groups]
        assert len(depths) == len(set(depths))


@given(st.data())
@relaxed
def test_modules_of_one_stage_are_grouped_the_same_way(data):
    space = data.draw(spaces())
    u = data.draw(st.integers(0, len(space.stages) - 1))
    own = data.draw(st.lists(modules(space.stages[u]), min_size=1, max_size=8))
    grouped = group_modules(space, u, own)
    # Order of first appearance.
    assert grouped.of_architecture.tolist() == [list(dict.fromkeys(own)).index(m) for m in own]


def test_an_example_by_hand():
    space = space_from_yaml("{name: s, stages: [{depth: [1, 2], features: {k: [3, 5]}}]}")
    grouped = group_modules(space, 0, [((5,),), ((3,), (5,)), ((5,),), ((3,),)])
    assert grouped.count == 3
    assert grouped.of_architecture.tolist() == [0, 1, 0, 2]
    by_depth = {codes.shape[1]: (positions.tolist(), codes.tolist()) for positions, codes in grouped.groups}
    assert by_depth == {1: ([0, 2], [[[1]], [[0]]]), 2: ([1], [[[0], [1]]])}
    assert group_modules(space, 0, []).of_architecture.dtype == np.int64
