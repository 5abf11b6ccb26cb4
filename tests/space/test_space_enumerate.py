"""Enumeration is in order and lazy: the first modules of a huge space come at once."""

from __future__ import annotations

from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Architecture,
    Feature,
    Space,
    Stage,
    count_architectures,
    count_modules,
    enumerate_architectures,
    enumerate_modules,
    load_space,
    module_codes,
)
from strategies import all_architectures, all_modules, meets, relaxed, spaces

HUGE = Stage("huge", (2, 30), (Feature("op", tuple("abcdefgh")), Feature("kernel", (3, 5), "numeric")))


def codes_by_counting(stage, depth):
    """All codes of a depth, by `itertools.product`: shared features slowest, then layer by layer."""
    # A stage without layers has nothing to share.
    shared = [p for p, f in enumerate(stage.features) if f.name in stage.shared and depth]
    free = [p for p in range(len(stage.features)) if p not in shared]
    codes = []
    for digits in product(
        *(range(stage.sizes[p]) for p in shared), *(range(stage.sizes[p]) for _ in range(depth) for p in free)
    ):
        code = np.zeros((depth, len(stage.features)), dtype=np.int16)
        code[:, shared] = digits[: len(shared)]
        code[:, free] = np.array(digits[len(shared) :], dtype=np.int16).reshape(depth, len(free))
        if all(meets(stage, layer) for layer in stage.decode(code)):
            codes.append(code)
    return np.array(codes, dtype=np.int16)


@given(spaces(rich=True), st.integers(1, 50))
@relaxed
def test_codes_count_like_digits_in_chunks_of_any_size(space, chunk):
    for stage in space.stages:
        for depth in stage.depths:
            total = count_modules(stage, depth)
            parts = [module_codes(stage, depth, start, start + chunk) for start in range(0, total, chunk)]
            if stage.modules is None:
                expected = codes_by_counting(stage, depth)
            else:
                expected = np.stack([stage.encode(m) for m in stage.modules if len(m) == depth])
            assert all(part.dtype == np.int16 for part in parts)
            if stage.conditional:
                # In any order, each once.
                assert len({code.tobytes() for code in expected}) == total
                found = {code.tobytes() for code in np.concatenate(parts)}
                assert found == {code.tobytes() for code in expected}
                continue
            np.testing.assert_array_equal(np.concatenate(parts), expected)
            np.testing.assert_array_equal(module_codes(stage, depth), expected)
            assert module_codes(stage, depth, total).shape == (0, depth, len(stage.features))


def test_a_shared_feature_is_one_digit_before_all_others():
    features = (Feature("op", ("x", "y")), Feature("width", (8, 16), "numeric"))
    stage = Stage("s", (2,), features, frozenset(["width"]))
    codes = module_codes(stage, 2)
    np.testing.assert_array_equal(codes, codes_by_counting(stage, 2))
    assert stage.decode(codes[1]) == (("x", 8), ("y", 8))
    assert stage.decode(codes[4]) == (("x", 16), ("x", 16))


@given(spaces(rich=True), st.integers(1, 50))
@relaxed
def test_modules_are_distinct_and_shallow_ones_come_first(space, chunk):
    for stage in space.stages:
        modules = list(enumerate_modules(stage, chunk))
        assert len(modules) == len(set(modules)) == count_modules(stage)
        assert set(modules) == set(all_modules(stage))
        assert [len(m) for m in modules] == sorted(len(m) for m in modules)


@given(spaces(rich=True, most_stages=2, most_modules=30))
@relaxed
def test_architectures_are_distinct_and_the_last_stage_runs_fastest(space):
    found = list(enumerate_architectures(space))
    assert len(found) == count_architectures(space)
    assert set(found) == set(all_architectures(space))
    assert found == [
        Architecture(m) for m in product(*(list(enumerate_modules(stage)) for stage in space.stages))
    ]


def test_the_first_modules_of_a_huge_stage_come_at_once():
    # 16^30 modules: a list of them would never end.
    assert count_modules(HUGE) == 16**2 + 16**30
    modules = list(islice(enumerate_modules(HUGE), 260))
    assert modules[:3] == [(("a", 3), ("a", 3)), (("a", 3), ("a", 5)), (("a", 3), ("b", 3))]
    assert modules[256] == (("a", 3),) * 30
    assert modules[259] == (*((("a", 3),) * 29), ("b", 5))


def test_the_first_architectures_of_a_huge_space_come_at_once():
    space = load_space("ofa-mobilenet-v3")
    first, second = islice(enumerate_architectures(space), 2)
    assert first == Architecture((((3, 3), (3, 3)),) * 5)
    assert second == first.replace(4, ((3, 3), (3, 5)))


def test_a_distant_chunk_needs_no_earlier_ones():
    number = 123_456_789_012_345_678
    code = module_codes(HUGE, 30, number, number + 1)[0]
    digits = [int(d) for d in code.ravel()]
    value = 0
    for digit, size in zip(digits, [8, 2] * 30, strict=True):
        value = value * size + digit
    assert value == number


def test_numbering_beyond_64_bits_is_refused():
    with pytest.raises(SpaceError, match=r"^huge has \d+ modules, too many to number; sample them instead$"):
        module_codes(HUGE, 30)


def test_a_stage_without_features_is_enumerated_by_its_depths():
    assert list(enumerate_modules(Stage("s", (1, 3), ()))) == [((),), ((), (), ())]
    assert len(list(enumerate_architectures(Space("s", (Stage("s", (1, 3), ()),) * 2)))) == 4


def test_a_stage_without_layers_is_one_module_whatever_is_shared():
    stage = Stage("s", (0, 1), (Feature("k", (3, 5), "numeric"),), frozenset({"k"}))
    assert [count_modules(stage, depth) for depth in (0, 1)] == [1, 2]
    assert module_codes(stage, 0).shape == (1, 0, 1)
