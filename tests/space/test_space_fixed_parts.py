"""Fixed parts against filtering the list of all modules."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Architecture,
    Limit,
    contains,
    count_architectures,
    enumerate_architectures,
    fix_parts,
    is_subspace,
    module_codes,
    mutate_layer,
    mutate_module,
    neighbour_codes,
    sample,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
)
from strategies import all_modules, relaxed, spaces

SPACE = space_from_yaml(
    """
    name: small
    globals: {resolution: [192, 224]}
    stages:
      - {name: one, depth: [1, 2, 3], features: {kernel: [3, 5, 7], op: ['on', 'off']}, shared: [op]}
      - {name: two.b, depth: [1], features: {kernel: [3, 5], se: [true, false]}}
      - {name: two, modules: [[{kernel: 3}], [{kernel: 5}, {kernel: 3}], [{kernel: 5}, {kernel: 5}]], features: {kernel: [3, 5]}}
    """
)


def kernels(architecture: Architecture, stage: int) -> list[object]:
    return [layer[0] for layer in architecture.modules[stage]]


PARTS = {
    "one.depth = 2": lambda a: len(a.modules[0]) == 2,
    "one.depth in 1, 3": lambda a: len(a.modules[0]) in (1, 3),
    "one.*.kernel in 3, 7": lambda a: set(kernels(a, 0)) <= {3, 7},
    "one.1.kernel = 5": lambda a: len(a.modules[0]) < 2 or kernels(a, 0)[1] == 5,
    "one.0.op = on": lambda a: a.modules[0][0][1] == "on",
    "two.b.0.se == true": lambda a: a.modules[1][0][1] is True,
    "two.depth=2": lambda a: len(a.modules[2]) == 2,
    "two.*.kernel = 5": lambda a: set(kernels(a, 2)) == {5},
    "  2.0.kernel   in 3 ": lambda a: kernels(a, 2)[0] == 3,
    "globals.resolution = 192": lambda a: a.modules[3] == ((192,),),
    "*.*.kernel in 3, 5": lambda a: all(set(kernels(a, u)) <= {3, 5} for u in range(3)),
    "one.2.op = on": lambda a: a.modules[0][0][1] == "on",
    " *.0.op = on": lambda a: a.modules[0][0][1] == "on",
    "*.depth = 1": lambda a: [len(m) for m in a.modules[:3]] == [1, 1, 1],
}


@pytest.mark.parametrize(
    "parts",
    [[p] for p in PARTS] + [list(PARTS)[1:3], ["one.1.kernel = 5", "one.*.kernel in 3, 5", "one.depth = 3"]],
)
def test_fixed_parts_leave_exactly_the_modules_that_meet_them(parts):
    small = fix_parts(SPACE, parts)
    meets = [a for a in enumerate_architectures(SPACE) if all(PARTS.get(p, _more(p))(a) for p in parts)]
    assert set(enumerate_architectures(small)) == set(meets)
    assert count_architectures(small) == len(meets) == len(list(enumerate_architectures(small)))
    assert all(contains(small, a) == (a in set(meets)) for a in sample(SPACE, 60, np.random.default_rng(0)))
    assert set(sample(small, len(meets), np.random.default_rng(1))) == set(meets)
    assert set(sample(small, 200, np.random.default_rng(2), distinct=False)) <= set(meets)
    assert is_subspace(small, SPACE)
    assert is_subspace(small, small)
    assert not is_subspace(SPACE, small)
    assert space_from_dict(json.loads(json.dumps(space_to_dict(small)))) == small


def _more(part):
    return {
        "one.1.kernel = 5": lambda a: kernels(a, 0)[1:2] in ([], [5]),
        "one.*.kernel in 3, 5": lambda a: set(kernels(a, 0)) <= {3, 5},
        "one.depth = 3": lambda a: len(a.modules[0]) == 3,
    }.get(part)


@given(st.data())
@relaxed
def test_limits_of_any_stage_by_brute_force(data):
    space = data.draw(spaces())
    stage = data.draw(st.sampled_from([s for s in space.stages if s.features] or list(space.stages)))
    if not stage.features or stage.modules is not None:
        return
    feature = data.draw(st.sampled_from(stage.features))
    chosen = data.draw(st.sets(st.sampled_from(range(len(feature.choices))), min_size=1))
    layer = data.draw(st.none() | st.sampled_from(range(max(stage.depths))))
    limit = Limit(feature.name, tuple(feature.choices[i] for i in sorted(chosen)), layer)
    small = replace(stage, limits=(limit,))
    position = stage.features.index(feature)
    meets = [
        m
        for m in all_modules(stage)
        if all(
            feature.index(row[position]) in chosen
            for n, row in enumerate(m)
            if layer in (None, n) or feature.name in stage.shared
        )
    ]
    codes = [c for d in stage.depths for c in module_codes(small, d)]
    assert {small.decode(c) for c in codes} == set(meets)
    assert len(codes) == len(meets)
    for code in codes[:5]:
        steps = {small.decode(c) for c in neighbour_codes(small, code)}
        assert steps == {stage.decode(c) for c in neighbour_codes(stage, code)} & set(meets)


@pytest.mark.parametrize("mutate", [mutate_layer, mutate_module])
def test_mutations_keep_what_is_fixed(mutate):
    small = fix_parts(SPACE, ["one.1.kernel = 5", "two.b.*.kernel = 3", "globals.resolution = 224"])
    rng = np.random.default_rng(0)
    one = sample(small, 1, rng)[0]
    seen = set()
    for _ in range(150):
        one = mutate(small, one, rng)
        assert contains(small, one)
        seen.add(one)
    assert len(seen) > 30


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("", "does not name a part of the space; allowed: STAGE.depth = N"),
        ("one", "does not name a part of the space"),
        ("one = 3", "does not name a part of the space"),
        ("one.kernel = 3", "does not name a part of the space"),
        ("one.x.kernel = 3", "does not name a part of the space"),
        ("three.depth = 1", "there is no stage 'three'; allowed: one, two.b, two, globals"),
        ("one.depth = 4", "4 is not a number of layers of one; allowed: 1, 2, 3"),
        ("one.depth in 2, 9", "9 is not a number of layers of one; allowed: 1, 2, 3"),
        ("one.depth = x", "'x' is not a number of layers; allowed: 1, 2, 3"),
        ("one.0.kernel = 4", "'4' is not a choice"),
        ("one.0.kernel = four", "'four' is not a choice of kernel; allowed: 3, 5, 7"),
        ("one.3.kernel = 3", "one has no layer 3; allowed: 0 to 2, *"),
        ("one.0.width = 3", "one has no feature 'width'; allowed: kernel, op"),
        ("globals.depth = 1", "globals has no feature 'depth'; allowed: resolution"),
        ("two.1.kernel in 3, 9", "9.0 is not a choice of kernel"),
        ("*.*.width = 3", "no stage has a feature 'width'; allowed: kernel, op, se, resolution"),
        ("*.depth = 2", "2 is not a number of layers of two.b; allowed: 1"),
        ("*.kernel", "does not name a part of the space"),
    ],
)
def test_mistakes_give_one_clear_sentence(part, words):
    with pytest.raises(SpaceError) as caught:
        fix_parts(SPACE, [part])
    assert words.replace("'4' is not a choice", "4.0 is not a choice") in str(caught.value)
    assert str(caught.value).startswith("--fix ")


def test_parts_that_leave_nothing_are_refused():
    with pytest.raises(SpaceError, match="leaves no choice of kernel in one"):
        fix_parts(SPACE, ["one.*.kernel = 3", "one.0.kernel = 5"])
    with pytest.raises(SpaceError, match="no module listed for two satisfies this"):
        fix_parts(SPACE, ["two.depth = 1", "two.0.kernel = 5"])
    with pytest.raises(SpaceError, match="does not name a part of the space"):
        fix_parts(SPACE, [" " * 50_000])
