"""Architectures as changes of a reference: complete, grouped, and from the right reference."""

from __future__ import annotations

import doctest
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbuild.report.data import _differences, _tied_modules
from nasbuild.report.data._differences import changes, changes_text, module_text, stage_names
from nasbuild.report.data._reference import reference_of
from nasbuild.report.data._tied_modules import shared_choices
from nasbuild.space import (
    Architecture,
    enumerate_modules,
    parse_architecture,
    sample,
    space_from_dict,
    space_from_yaml,
)
from nasbuild.table import Table, centre_row

SPACE = space_from_dict(
    {
        "name": "blocks",
        "metrics": {"acc": {"direction": "maximize"}},
        "globals": {"resolution": [128, 160]},
        "stages": [
            {"name": f"block{i}", "depth": [1], "features": {"attn": ["on", "off"], "mlp": ["on", "off"]}}
            for i in range(14)
        ]
        + [{"name": "head", "depth": [1, 2, 3], "features": {"kernel": [3, 5, 7], "se": [False, True]}}],
    }
)
ON = (("on", "on"),)
REFERENCE = Architecture((*[ON] * 14, ((3, False), (5, False)), ((128,),)))


def with_modules(**modules) -> Architecture:
    found = REFERENCE
    for name, module in modules.items():
        found = found.replace(SPACE.stage_index(name), module)
    return found


def text(architecture: Architecture) -> str:
    return changes_text(SPACE, changes(SPACE, REFERENCE, architecture), architecture)


def applied(reference: Architecture, found) -> Architecture:
    """The reference with changes, by another route: choices are put in one by one."""
    for one in found:
        names = [f.name for f in SPACE.stages[one.stage].features]
        layers = [list(layer) for layer in reference.modules[one.stage]]
        depth = one.depth if one.depth is not None else len(layers)
        layers = [layers[n] if n < len(layers) else [None] * len(names) for n in range(depth)]
        for n, feature, choice in one.layers:
            layers[n][names.index(feature)] = choice
        reference = reference.replace(one.stage, tuple(map(tuple, layers)))
    return reference


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_changes_rebuild_the_architecture(seed):
    one, other = sample(SPACE, 2, np.random.default_rng(seed))
    found = changes(SPACE, one, other)
    assert applied(one, found) == other
    differ = [u for u, (a, b) in enumerate(zip(one.modules, other.modules, strict=True)) if a != b]
    assert [change.stage for change in found] == differ


def test_equal_changes_share_their_words():
    off = (("on", "off"),)
    assert text(with_modules(block3=off, block8=(("off", "on"),), block13=(("off", "on"),))) == (
        "block 3: mlp off; blocks 8, 13: attn off"
    )
    assert text(REFERENCE) == ""
    assert text(with_modules(block0=off, block1=off, block2=off)) == "blocks 0–2: mlp off"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (((3, False),), "1 layer"),
        (((7, False), (7, False)), "kernel 7"),
        (((5, False), (3, False)), "kernel 5 in layer 1, kernel 3 in layer 2"),
        (((3, True), (5, True)), "se yes"),
        (((3, False), (5, False), (7, True)), "3 layers, kernel 7 in layer 3, se yes in layer 3"),
    ],
)
def test_layers_are_named_where_they_differ(module, words):
    assert text(with_modules(head=module)) == f"head: {words}"


def test_globals_and_names_without_numbers():
    assert text(with_modules(globals=((160,),))) == "globals: resolution 160"
    assert stage_names(["stem", "stage1", "stage3", "b007"]) == "stem, stages 1, 3, b007"


def table(architectures) -> Table:
    values = {"acc": np.arange(len(architectures), dtype=float)}
    return Table(SPACE, tuple(f"r{i}" for i in range(len(architectures))), tuple(architectures), values, ())


def test_the_centre_is_the_row_with_the_smallest_mean_distance():
    changed = [with_modules(**{f"block{i}": (("off", "on"),)}) for i in range(14)]
    pairs = [
        with_modules(**{f"block{i}": (("on", "off"),), f"block{j}": (("off", "off"),)})
        for i, j in combinations(range(6), 2)
    ]
    rows = table([*changed[:5], REFERENCE, *changed[5:], *pairs])
    distance = [
        sum(x != y for a in rows.architectures for x, y in zip(a.modules, b.modules, strict=True))
        for b in rows.architectures
    ]
    assert centre_row(SPACE, rows.architectures) == int(np.argmin(distance)) == 5


def test_a_table_without_centre_has_none():
    space = space_from_dict({"name": "s", "stages": [{"depth": [1], "features": {"k": list(range(9))}}] * 3})
    some = tuple(Architecture(tuple(((k,),) for _ in range(3))) for k in range(9))
    assert centre_row(space, some) is None


def test_the_reference_says_where_it_is_from(additive, monkeypatch):
    best = additive.targets[0].labels
    row = int(best.rows[int(np.argmin(best.values))])
    monkeypatch.setattr("nasbuild.table._reference_changes.centre_row", lambda *_: None)
    found = reference_of(additive)
    assert (found.source, found.id) == ("best", additive.table.ids[row])
    assert found.architecture == additive.table.architectures[row]
    monkeypatch.setattr("nasbuild.table._reference_changes.centre_row", lambda *_: 3)
    found = reference_of(additive)
    assert (found.source, found.id) == ("table", additive.table.ids[3])


def test_a_declared_reference_comes_first(additive):
    declared = additive.table.architectures[7]

    fit = SimpleNamespace(space=replace(additive.space, reference=declared), table=additive.table)
    found = reference_of(fit)
    assert (found.source, found.id, found.architecture) == ("space", additive.table.ids[7], declared)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_shared_choices_hold_for_all_modules_and_are_as_narrow_as_possible(data):
    stage = SPACE.stages[14]
    modules = data.draw(st.lists(st.sampled_from(list(enumerate_modules(stage))), min_size=1, max_size=8))
    common, free = shared_choices(stage, modules)
    depths = {len(m) for m in modules}
    kernels = {layer[0] for m in modules for layer in m}
    assert ("depth" in free) == (depths == {1, 2, 3})
    assert ("kernel" in free) == (kernels == {3, 5, 7})
    named = next((c for c in common if c.startswith("kernel ")), "")
    assert (
        set(map(int, named.removeprefix("kernel ").replace(" or ", ", ").split(", "))) == kernels
        if named
        else True
    )
    assert bool(named) != ("kernel" in free)


@pytest.mark.parametrize("module", [_differences, _tied_modules])
def test_examples_run(module):
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0


def test_a_feature_that_stops_to_exist_is_not_a_change_of_its_own():
    space = space_from_yaml(
        "{name: s, stages: [{depth: 1, features: {op: [conv, attn], kernel: {choices: [3, 5], when: {op: conv}}}}]}"
    )
    conv = parse_architecture(space, {"stages": [[{"op": "conv", "kernel": 3}]]})
    attn = parse_architecture(space, {"stages": [[{"op": "attn"}]]})
    assert changes_text(space, changes(space, conv, attn), attn) == "stage 1: op attn"
    assert changes_text(space, changes(space, attn, conv), conv) == "stage 1: op conv, kernel 3"
    assert module_text(space, 0, attn.modules[0]) == "op attn"
    assert shared_choices(space.stages[0], [attn.modules[0]]) == (["op attn"], [])
