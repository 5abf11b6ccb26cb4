"""Features that exist only with others, against plain enumeration of all choices."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare

from nasbuild.errors import SpaceError
from nasbuild.space import (
    ABSENT,
    architecture_id,
    contains,
    count_architectures,
    count_modules,
    encode,
    enumerate_architectures,
    fix_parts,
    is_subspace,
    merge_stages,
    mutate_layer,
    mutate_module,
    neighbour_codes,
    parse_architecture,
    random_architecture,
    sample,
    space_from_yaml,
    space_to_yaml,
    to_dict,
)

TEXT = """
name: conditions
stages:
  - name: s
    depth: [1, 2]
    features:
      bias: {choices: [true, false], when: {heads: 4}}
      kernel: {choices: [3, 5, 7], when: {op: [conv, depthwise]}}
      op: [conv, depthwise, attn, skip]
      heads: {choices: [2, 4], when: {op: attn}}
  - name: t
    depth: [0, 1, 2]
    features: {act: [relu, swish], beta: {choices: [1, 2], when: {act: swish}}, width: [8, 16]}
    shared: [act]
globals:
  optimizer: [sgd, adam]
  beta2: {choices: [0.9, 0.99], when: {optimizer: adam}}
"""
SPACE = space_from_yaml(TEXT)
# Layers by hand: bias, kernel, op, heads.
LAYERS = [(ABSENT, k, op, ABSENT) for op in ("conv", "depthwise") for k in (3, 5, 7)]
LAYERS += [(ABSENT, ABSENT, "attn", 2), (True, ABSENT, "attn", 4), (False, ABSENT, "attn", 4)]
LAYERS += [(ABSENT, ABSENT, "skip", ABSENT)]
RELU = [("relu", ABSENT, w) for w in (8, 16)]
SWISH = [("swish", beta, w) for beta in (1, 2) for w in (8, 16)]
FIRST = [(x,) for x in LAYERS] + [(x, y) for x in LAYERS for y in LAYERS]
SECOND = [(), *((x,) for x in RELU + SWISH), *((x, y) for act in (RELU, SWISH) for x in act for y in act)]
GLOBAL = [(("sgd", ABSENT),), (("adam", 0.9),), (("adam", 0.99),)]
EVERY = {(x, y, z) for x in FIRST for y in SECOND for z in GLOBAL}


@pytest.fixture(scope="module")
def listed():
    return list(enumerate_architectures(SPACE))


def test_counts_and_lists_are_those_made_by_hand(listed):
    assert [count_modules(s) for s in SPACE.stages] == [len(FIRST), len(SECOND), len(GLOBAL)] == [110, 27, 3]
    assert count_architectures(SPACE) == len(EVERY)
    assert len(listed) == len(EVERY)
    assert {a.modules for a in listed} == EVERY


def test_every_architecture_has_its_own_id_and_is_read_back(listed):
    some = sample(SPACE, 100, 3)
    assert len({architecture_id(SPACE, a) for a in listed}) == len(EVERY)
    for architecture in some:
        data = json.loads(json.dumps(to_dict(SPACE, architecture)))
        assert parse_architecture(SPACE, data) == architecture
        assert "absent" not in json.dumps(data)
        assert contains(SPACE, architecture)
    assert architecture_id(SPACE, some[0]).count("/") == 2


def test_the_space_is_written_and_read_again():
    assert space_from_yaml(space_to_yaml(SPACE)) == SPACE
    part = fix_parts(SPACE, ["s.*.kernel = 3", "t.depth = 0"])
    assert space_from_yaml(space_to_yaml(part)).stages == part.stages


def test_sampling_favours_no_module():
    rng, n = np.random.default_rng(0), 1500
    found = [random_architecture(SPACE, rng) for _ in range(n)]
    for u, modules in enumerate((FIRST, SECOND, GLOBAL)):
        counts = Counter(a.modules[u] for a in found)
        assert set(counts) == set(modules)
        assert chisquare([counts[m] for m in modules]).pvalue > 1e-3


@pytest.mark.parametrize("mutate", [mutate_layer, mutate_module])
def test_mutations_stay_in_the_space_and_reach_every_module(mutate):
    rng = np.random.default_rng(0)
    now = random_architecture(SPACE, rng)
    seen: list[set] = [set(), set(), set()]
    for _ in range(900):
        now = mutate(SPACE, now, rng)
        for u, module in enumerate(now.modules):
            seen[u].add(module)
    assert seen[1] <= set(SECOND)
    assert len(seen[0]) >= 80
    assert seen[0] <= set(FIRST)
    assert (seen[1], seen[2]) == (set(SECOND), set(GLOBAL))


def test_a_step_changes_one_choice_and_what_exists_with_it():
    stage = SPACE.stages[0]
    conv = ((ABSENT, 3, "conv", ABSENT),)
    found = {stage.decode(code) for code in neighbour_codes(stage, stage.encode(conv))}
    one = {((ABSENT, k, "conv", ABSENT),) for k in (5, 7)} | {((ABSENT, 3, "depthwise", ABSENT),)}
    one |= {(layer,) for layer in LAYERS if layer[2] in ("attn", "skip")}
    inserted = {(conv[0], layer) for layer in LAYERS} | {(layer, conv[0]) for layer in LAYERS}
    assert found == one | inserted


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (
            {"op": "skip", "kernel": 3},
            "stages[0][0].kernel (s): kernel = 3, but kernel exists only with op = conv or depthwise; "
            "leave kernel out there",
        ),
        ({"op": "conv"}, "stages[0][0] (s): feature 'kernel' is missing; allowed: 3, 5, 7"),
        ({"op": "attn", "heads": 4}, "stages[0][0] (s): feature 'bias' is missing; allowed: True, False"),
        (
            {"op": "attn", "heads": 2, "bias": True},
            "stages[0][0].bias (s): bias = True, but bias exists only",
        ),
        (
            {"op": "conv", "kernal": 3},
            "unknown feature 'kernal'; allowed: bias, kernel, op, heads; did you mean",
        ),
    ],
    ids=range(5),
)
def test_other_layers_are_refused_in_one_sentence(layer, sentence):
    with pytest.raises(SpaceError) as error:
        parse_architecture(SPACE, {"stages": [[layer], []], "globals": {"optimizer": "sgd"}})
    assert sentence in str(error.value)


def test_values_of_what_does_not_exist_are_ignored_only_where_the_space_says_so():
    lenient = space_from_yaml(
        TEXT.replace("when: {optimizer: adam}", "when: {optimizer: adam}, elsewhere: ignored")
    )
    data = {"stages": [[{"op": "skip"}], []], "globals": {"optimizer": "sgd", "beta2": 0.9}}
    assert parse_architecture(lenient, data).modules[-1] == (("sgd", ABSENT),)
    with pytest.raises(SpaceError, match=r"beta2 = 0.9, but beta2 exists only with optimizer = adam"):
        parse_architecture(SPACE, data)
    # None and an empty cell say that there is none.
    for nothing in (None, "", float("nan")):
        data["globals"]["beta2"] = nothing
        assert parse_architecture(SPACE, data).modules[-1] == (("sgd", ABSENT),)


def test_parts_are_held_where_they_exist():
    part = fix_parts(SPACE, ["s.*.kernel = 3", "t.*.beta in 2"])
    expected = {
        (x, y, z)
        for x, y, z in EVERY
        if all(layer[1] in (3, ABSENT) for layer in x) and all(layer[1] in (2, ABSENT) for layer in y)
    }
    assert {a.modules for a in enumerate_architectures(part)} == expected
    assert count_architectures(part) == len(expected)
    assert is_subspace(part, SPACE)
    with pytest.raises(SpaceError, match="leaves no choice of op in s"):
        fix_parts(SPACE, ["s.*.op = conv", "s.0.op = skip"])


def test_ties_between_features_that_may_be_absent():
    both = "features: {op: [conv, skip], k: {choices: [3, 5], when: {op: conv}}}"
    tied = space_from_yaml(
        f"name: t\ntied: [[a.0.k, b.0.k]]\nstages: [{{name: a, depth: 1, {both}}}, {{name: b, depth: 1, {both}}}]"
    )
    layers = [("skip", ABSENT), ("conv", 3), ("conv", 5)]
    expected = {((x,), (y,)) for x in layers for y in layers if x[1] == y[1]}
    assert {a.modules for a in enumerate_architectures(tied)} == expected
    assert count_architectures(tied) == len(expected) == 3
    with pytest.raises(SpaceError, match="may have no layers, so that nothing shows the tied choice"):
        space_from_yaml(
            "name: t\ntied: [[a.k]]\nstages: [{name: a, depth: [0, 2], features: {k: [3, 5]}}, {depth: 1}]"
        )


def test_an_absent_stage_adds_no_node_and_an_absent_feature_no_category():
    data = {"stages": [[{"op": "skip"}], []], "globals": {"optimizer": "sgd"}}
    graphs = encode(SPACE, [parse_architecture(SPACE, data)])
    # bias, kernel, op, heads, act, beta, width, optimizer, beta2, stage, layer.
    assert graphs.categories.tolist() == [
        [0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 1],
    ]


def test_costs_count_what_exists():
    costs = """
costs:
  kernels: {sum: [{feature: kernel, stage: s, values: [[3, 9], [5, 25], [7, 49]]}]}
  square: {sum: [{product: kernel^2, stage: s}]}
  mean: {mean: [{product: kernel, stage: s}]}
"""
    space = space_from_yaml(TEXT + costs)
    some = sample(space, 300, 0)
    own = [[layer[1] for layer in a.modules[0] if layer[1] is not ABSENT] for a in some]
    squares = [sum(k * k for k in kernels) for kernels in own]
    assert space.costs["kernels"].values(space, some).tolist() == squares
    assert space.costs["square"].values(space, some).tolist() == squares
    expected = [sum(kernels) / len(kernels) if kernels else 0 for kernels in own]
    assert space.costs["mean"].values(space, some) == pytest.approx(expected)
    assert space.costs["square"].is_sum(space)
    assert not space.costs["mean"].is_sum(space)


def test_the_layer_before_an_absent_stage_is_the_previous_one():
    space = space_from_yaml(
        """
name: p
stages:
  - {name: a, depth: [0, 1], features: {w: [1, 2]}}
  - {name: b, depth: [0, 2], features: {w: [3, 5]}}
  - {name: c, depth: 1, features: {w: [7, 11]}}
costs: {params: {sum: [{product: previous.w * w, first: {w: 4}}]}}
"""
    )
    every = list(enumerate_architectures(space))
    assert len(every) == 3 * 5 * 2
    expected = []
    for architecture in every:
        widths = [4, *(layer[0] for module in architecture for layer in module)]
        expected.append(sum(x * y for x, y in pairwise(widths)))
    assert space.costs["params"].values(space, every).tolist() == expected
    assert not space.costs["params"].is_sum(space)


def test_stages_with_conditions_are_merged():
    same = "features: {op: [conv, skip], k: {choices: [3, 5], when: {op: conv}}}"
    space = space_from_yaml(f"name: m\nstages: [{{depth: 1, {same}}}, {{depth: [0, 1], {same}}}]")
    assert count_architectures(merge_stages(space, 0)) == count_architectures(space) == 3 * 4
