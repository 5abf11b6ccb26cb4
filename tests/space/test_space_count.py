"""Exact counts of modules and architectures, of any size."""

from __future__ import annotations

import pytest
from hypothesis import given

from nasbuild.space import (
    Feature,
    Space,
    Stage,
    count_architectures,
    count_log10,
    count_modules,
    format_count,
    json_count,
    load_space,
    space_from_dict,
)
from strategies import all_modules, relaxed, spaces


@given(spaces(rich=True))
@relaxed
def test_counts_equal_full_enumeration(space):
    product = 1
    for stage in space.stages:
        modules = all_modules(stage)
        product *= len(modules)
        assert count_modules(stage) == len(modules)
        for depth in stage.depths:
            assert count_modules(stage, depth) == sum(len(m) == depth for m in modules)
    assert count_architectures(space) == product


def test_once_for_all_mobilenet_has_ten_to_the_nineteen():
    # Nine layers to choose from: 9^2 + 9^3 + 9^4 modules a stage.
    assert count_architectures(load_space("ofa-mobilenet-v3")) == 7371**5 == 21_758_655_492_572_485_851


def test_counts_beyond_64_bits_are_exact():
    wide = Stage("wide", tuple(range(1, 101)), (Feature("op", tuple("abcdefghij")),))
    assert count_modules(wide) == int("1" * 100 + "0")
    assert count_architectures(Space("huge", (wide,) * 3)) == int("1" * 100 + "0") ** 3


def test_a_shared_feature_counts_once_and_a_list_counts_its_modules():
    features = (Feature("a", (0, 1, 2)), Feature("b", (0, 1)))
    assert count_modules(Stage("s", (1, 3), features, frozenset("a"))) == 3 * 2 + 3 * 2**3
    assert count_modules(Stage("s", (1, 3), features, frozenset("ab"))) == 6 + 6
    listed = (((0, 0),), ((0, 1),), ((0, 1), (2, 1), (0, 0)))
    assert count_modules(Stage("s", (1, 3), features, modules=listed)) == 3
    assert count_modules(Stage("s", (1, 3), features, modules=listed), 1) == 2


def test_a_stage_without_features_has_one_module_a_depth():
    assert count_modules(Stage("s", (1, 2, 5), ())) == 3


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (1728, "1,728"),
        (10**21 - 1, "999,999,999,999,999,999,999"),
        (10**21, "about 1.0e21"),
        (2**1100, "about 1.4e331"),
        (10**309, "about 1.0e309"),
        (10**400 - 1, "about 1.0e400"),
        (15 * 10**8000, "about 1.5e8001"),
    ],
    ids=range(8),
)
def test_counts_of_any_size_are_formatted(count, shown):
    assert format_count(count) == shown
    found = json_count(count)
    assert found == (count if count < 10**300 else None)
    if count:
        # By digits, as Python writes them where it may.
        digits = len(f"{count:x}") * 1.2041199826559248
        assert digits - 2 < count_log10(count) + 1 < digits + 2


def test_spaces_beyond_any_float_are_counted():
    space = space_from_dict({"name": "x", "stages": [_stage(i, [0, 1]) for i in range(1100)]})
    assert count_architectures(space) == 2**1100
    deep = space_from_dict({"name": "x", "stages": [{**_stage(0, list(range(32767))), "depth": [1000]}]})
    assert count_architectures(deep) == 32767**1000
    assert format_count(count_modules(deep.stages[0])) == "about 2.7e4515"


def _stage(number, choices):
    return {"name": f"s{number}", "depth": [1], "features": {"a": choices}}
