"""Architectures are checked; every mistake is named with its place and what is allowed."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Architecture,
    Feature,
    contains,
    load_space,
    parse_architecture,
    parse_module,
    space_from_yaml,
    to_dict,
)
from strategies import relaxed, spaces_and_architectures

SPACE = space_from_yaml(
    """
    name: example
    globals: {resolution: [192, 224]}
    stages:
      - name: early
        depth: [2, 3]
        features: {kernel: [3, 5], se: [true, false], op: [conv, "3"]}
        shared: [se]
      - name: pool
        depth: 1
      - name: late
        features: {op: [conv, "3", skip]}
        modules: [[{op: conv}], [{op: skip}, {op: conv}]]
    """
)
GOOD = {
    "stages": [
        [{"kernel": 3, "se": True, "op": "conv"}, {"kernel": 5, "se": True, "op": "3"}],
        [{}],
        [{"op": "skip"}, {"op": "conv"}],
    ],
    "globals": {"resolution": 224},
}


def changed(*steps):
    """The good architecture with another value at a path; no value takes the entry out."""
    *path, last, value = steps
    data = copy.deepcopy(GOOD)
    place = data
    for step in path:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


def test_a_good_architecture_becomes_modules_of_declared_choices():
    parsed = parse_architecture(SPACE, GOOD)
    assert parsed == Architecture(
        (((3, True, "conv"), (5, True, "3")), ((),), (("skip",), ("conv",)), ((224,),)),
    )
    assert contains(SPACE, parsed)
    assert to_dict(SPACE, parsed) == GOOD


def test_a_number_is_read_as_the_declared_one():
    parsed = parse_architecture(SPACE, changed("stages", 0, 0, "kernel", 3.0))
    assert type(parsed.modules[0][0][0]) is int
    numpy_kernel = parse_architecture(SPACE, changed("stages", 0, 0, "kernel", np.int64(3)))
    assert type(numpy_kernel.modules[0][0][0]) is int
    assert Feature("k", (3, 5)).index(np.complex64(3)) == Feature("k", (3, 5)).index(np.str_("3")) == -1
    numpy_se = changed("stages", 0, 0, "se", np.True_)
    assert parse_architecture(SPACE, numpy_se).modules[0][0][1] is True


LAYERS = [{"kernel": 3, "se": True, "op": "conv"}]
WRONG = [
    # What stands at which place, and the whole sentence about it.
    (
        changed("stages", 0, 1, "kernel", 7),
        "stages[0][1].kernel (early): kernel = 7 is not a choice; allowed: 3, 5",
    ),
    (
        changed("stages", 0, 1, "kernel", "3"),
        "stages[0][1].kernel (early): kernel = '3' is not a choice; allowed: 3, 5",
    ),
    (
        changed("stages", 0, 1, "kernel", [3]),
        "stages[0][1].kernel (early): kernel = [3] is not a choice; allowed: 3, 5",
    ),
    (
        changed("stages", 0, 0, "kernel", float("nan")),
        "stages[0][0].kernel (early): kernel = nan is not a choice; allowed: 3, 5",
    ),
    (
        changed("stages", 0, 0, "se", 1),
        "stages[0][0].se (early): se = 1 is not a choice; allowed: True, False",
    ),
    (
        changed("stages", 0, 0, "se", "True"),
        "stages[0][0].se (early): se = 'True' is not a choice; allowed: True, False",
    ),
    (
        changed("stages", 0, 0, "op", 3),
        "stages[0][0].op (early): op = 3 is not a choice; allowed: 'conv', '3'",
    ),
    (
        changed("stages", 0, 0, "op", "c" * 1000),
        f"stages[0][0].op (early): op = '{'c' * 60}'... is not a choice; allowed: conv, 3",
    ),
    (
        changed("stages", 0, 0, "width", 8),
        "stages[0][0] (early): unknown feature 'width'; allowed: kernel, se, op",
    ),
    (
        changed("stages", 0, 0, "op", None),
        "stages[0][0] (early): feature 'op' is missing; allowed: conv, 3",
    ),
    (changed("stages", 1, 0, "op", "conv"), "stages[1][0] (pool): unknown feature 'op'"),
    (changed("stages", 0, LAYERS), "stages[0]: early has 1 layers; allowed: 2, 3"),
    (changed("stages", 0, LAYERS * 4), "stages[0]: early has 4 layers; allowed: 2, 3"),
    (changed("stages", 1, []), "stages[1]: pool has 0 layers; allowed: 1"),
    (
        changed("stages", 0, 1, "se", False),
        "stages[0]: se is shared by all layers of early, but has the values False, True",
    ),
    (
        changed("stages", 2, [{"op": "conv"}, {"op": "skip"}]),
        "stages[2]: this sequence of layers is not among the 2 modules listed for late",
    ),
    (changed("stages", 2, None), "arch.stages: has 2 stages, the space has 3"),
    (changed("stages", [*GOOD["stages"], []]), "arch.stages: has 4 stages, the space has 3"),
    (changed("stages", None), "arch.stages: is missing, not a list of stages"),
    (changed("stages", "early"), "arch.stages: is text, not a list of stages"),
    (changed("stages", {"early": []}), "arch.stages: is an object, not a list of stages"),
    (changed("stages", 0, "conv"), "stages[0]: is text, not a list of layers"),
    (changed("stages", 0, {"kernel": 3}), "stages[0]: is an object, not a list of layers"),
    (changed("stages", 0, 1, 5), "stages[0][1]: a layer is an object of features, not a number"),
    (changed("stages", 0, 1, True), "stages[0][1]: a layer is an object of features, not a truth value"),
    (changed("stage", []), "arch: unknown key 'stage'; allowed: stages, globals"),
    (changed("globals", None), "globals: feature 'resolution' is missing; allowed: 192, 224"),
    (
        changed("globals", "resolution", 128),
        "globals.resolution: resolution = 128 is not a choice; allowed: 192, 224",
    ),
    (changed("globals", "width", 1), "globals: unknown feature 'width'; allowed: resolution"),
    (changed("globals", 224), "globals: a layer is an object of features, not a number"),
    (changed("globals", False), "globals: a layer is an object of features, not a truth value"),
    ([], "arch: an architecture is an object with 'stages', not a list"),
    (None, "arch: an architecture is an object with 'stages', not missing"),
    ("early", "arch: an architecture is an object with 'stages', not text"),
]


@pytest.mark.parametrize(("data", "sentence"), WRONG, ids=[sentence[:50] for _, sentence in WRONG])
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(data, sentence):
    with pytest.raises(SpaceError) as caught:
        parse_architecture(SPACE, data)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("given", [{"resolution": 224}, 0, False, [], "x"])
def test_globals_are_refused_where_the_space_has_none(given):
    space = load_space("nas-bench-macro")
    data = to_dict(space, Architecture(tuple((("identity",),) * d for d in (2, 3, 3))))
    with pytest.raises(
        SpaceError, match=r"^globals: the space has no features of the whole architecture; leave"
    ):
        parse_architecture(space, data | {"globals": given})
    assert parse_architecture(space, data | {"globals": {}}) == parse_architecture(space, data)
    assert parse_architecture(space, data | {"globals": None}) == parse_architecture(space, data)


def test_messages_on_a_single_module_name_the_given_place():
    stage = SPACE.stages[0]
    assert parse_module(stage, GOOD["stages"][0], where="row 7") == ((3, True, "conv"), (5, True, "3"))
    with pytest.raises(SpaceError, match=r"^row 7\[1\]\.kernel \(early\): kernel = 4 is not a choice"):
        parse_module(stage, [GOOD["stages"][0][0], {"kernel": 4, "se": True, "op": "conv"}], where="row 7")


@given(spaces_and_architectures(rich=True))
@relaxed
def test_written_data_is_read_back_equal(drawn):
    space, architectures = drawn
    for architecture in architectures:
        data = to_dict(space, architecture)
        assert parse_architecture(space, json.loads(json.dumps(data))) == architecture
        assert parse_architecture(space, data) == architecture
        assert contains(space, architecture)


@given(spaces_and_architectures(most=1), st.data())
@relaxed
def test_one_invalid_value_anywhere_is_refused(drawn, data):
    space, [architecture] = drawn
    modules = [list(module) for module in architecture.modules]
    u = data.draw(st.integers(0, len(modules) - 1))
    stage, layer = space.stages[u], data.draw(st.integers(0, len(modules[u]) - 1))
    variants = ["deeper", "unknown feature", "stage gone"] + (
        ["strange choice", "feature gone"] if stage.features else []
    )
    way = data.draw(st.sampled_from(variants))
    if way == "deeper":
        modules[u] = [modules[u][0]] * (max(stage.depths) + 1)
    elif way == "unknown feature":
        modules[u][layer] = (*modules[u][layer], 1)
    elif way == "feature gone":
        modules[u][layer] = modules[u][layer][:-1]
    elif way == "strange choice":
        modules[u][layer] = (object(), *modules[u][layer][1:])
    else:
        del modules[u]
    assert not contains(space, Architecture(tuple(map(tuple, modules))))
    plain = to_dict(space, architecture)
    layers = plain["stages"] + ([[plain["globals"]]] if space.globals else [])
    if way == "unknown feature":
        layers[u][layer]["\n"] = 1
    elif way == "feature gone":
        del layers[u][layer][stage.features[-1].name]
    elif way == "strange choice":
        layers[u][layer][stage.features[0].name] = {}
    elif u < len(plain["stages"]):
        plain["stages"][u : u + 1] = [] if way == "stage gone" else [layers[u][:1] * (max(stage.depths) + 1)]
    else:
        plain["globals"] = {} if way == "stage gone" else [plain["globals"]] * 2
    with pytest.raises(SpaceError):
        parse_architecture(space, plain)
