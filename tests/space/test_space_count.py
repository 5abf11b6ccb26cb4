"""How many modules and architectures there are, exactly and at any size."""

from __future__ import annotations

from hypothesis import given

from nasbuild.space import Feature, Space, Stage, count_architectures, count_modules, load_space
from strategies import all_modules, relaxed, spaces


@given(spaces())
@relaxed
def test_counts_are_those_of_writing_everything_out(space):
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


def test_a_count_beyond_every_machine_number_is_exact():
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
