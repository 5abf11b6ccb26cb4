"""Ids are readable, safe in files and tables, and unique."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.space import (
    GLOBALS,
    Architecture,
    Feature,
    Space,
    Stage,
    architecture_id,
    load_space,
    module_id,
)
from strategies import all_architectures, all_modules, relaxed, spaces, texts

KERNEL, EXPAND = Feature("kernel", (3, 5, 7), "numeric"), Feature("expand", (3, 6), "numeric")
SE, OP = Feature("se", (False, True)), Feature("op", ("conv", "a-b/c,d", "é 3"))
MIXUP, DROP = Feature("mixup", (-1, 0.5, 1e-05), "numeric"), Feature("kind", ("a", "b"))


def stage(*features, shared=""):
    return Stage("s", (1, 2), features, frozenset(shared.split()))


@pytest.mark.parametrize(
    ("stage", "module", "name"),
    [
        (stage(EXPAND, KERNEL), ((3, 7), (6, 5)), "e3k7-e6k5"),
        (stage(EXPAND, KERNEL, SE), ((3, 7, True),), "e3k7s1"),
        (stage(EXPAND, KERNEL, shared="kernel"), ((3, 7), (6, 7)), "e3k7-e6k7"),
        (stage(EXPAND, KERNEL, shared="kernel expand"), ((3, 7), (3, 7)), "2xe3k7"),
        (stage(OP), (("conv",), ("a-b/c,d",)), "conv-a%2Db%2Fc%2Cd"),
        (stage(OP, KERNEL), (("é 3", 3),), "o%C3%A9%203,k3"),
        (stage(MIXUP, EXPAND), ((-1, 3), (1e-05, 6)), "m-1,e3-m1e-05,e6"),
        (stage(Feature("shift", (-1, 2), "numeric"), EXPAND), ((-1, 3),), "s-1,e3"),
        # Two names with the same first letter are written out.
        (stage(KERNEL, DROP), ((3, "b"),), "kernel=3,kind=b"),
        (stage(), ((), ()), "2xo"),
        (Stage(GLOBALS, (1,), (Feature("resolution", (192, 224), "numeric"),)), ((224,),), "r224"),
    ],
)
def test_a_module_has_a_short_name(stage, module, name):
    assert module_id(stage, module) == name


def test_an_architecture_is_named_by_its_modules():
    space = load_space("nas-bench-macro")
    ops = ("identity", "mb_e3_k3", "mb_e6_k5")
    modules = [tuple((ops[n % 3],) for n in range(depth)) for depth in (2, 3, 3)]
    expected = "identity-mb_e3_k3/identity-mb_e3_k3-mb_e6_k5/identity-mb_e3_k3-mb_e6_k5"
    assert architecture_id(space, Architecture(tuple(modules))) == expected


@given(spaces(rich=True, most_modules=300))
@relaxed
def test_different_modules_have_different_names_in_every_space(space):
    for stage in space.stages:
        modules = all_modules(stage)
        found = {module_id(stage, m) for m in modules}
        assert len(found) == len(modules)
        # One word of plain ASCII: safe in a file name, a table, a log line.
        assert all(re.fullmatch(r"[\w.,=%~+-]+", name, re.ASCII) for name in found)


@given(spaces(rich=True, most_stages=3, most_modules=12))
@relaxed
def test_different_architectures_have_different_ids_in_every_space(space):
    architectures = all_architectures(space)
    ids = [architecture_id(space, a) for a in architectures]
    assert len(set(ids)) == len(architectures)
    assert all(name.count("/") == len(space.stages) - 1 for name in ids)


@given(st.lists(texts(), min_size=2, max_size=4, unique=True), st.booleans(), st.booleans())
@relaxed
def test_no_text_choice_gives_the_id_of_another_module(words, second, shared):
    features = [Feature("op", tuple(words))] + ([Feature("arm", tuple(reversed(words)))] if second else [])
    names = frozenset(f.name for f in features) if shared else frozenset()
    modules = all_modules(stage := Stage("s", (1, 2, 3), tuple(features[:2]), names))[:2000]
    assert len({module_id(stage, m) for m in modules}) == len(modules)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=4, unique=True),
    st.booleans(),
)
@relaxed
def test_no_number_choice_gives_the_id_of_another_module(numbers, second):
    features = [Feature("width", tuple(numbers), "numeric")]
    features += [Feature("1e", tuple(numbers), "numeric")] if second else []
    modules = all_modules(stage := Stage("s", (1, 2), tuple(features), frozenset()))
    assert len({module_id(stage, m) for m in modules}) == len(modules)


def test_ids_of_a_space_with_globals_end_in_them():
    features = Stage(GLOBALS, (1,), (Feature("resolution", (192, 224), "numeric"),))
    space = Space("s", (stage(KERNEL), features))
    assert architecture_id(space, Architecture((((3,), (5,)), ((192,),)))) == "k3-k5/r192"
