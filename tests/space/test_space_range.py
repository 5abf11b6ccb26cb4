"""Features with a range: any value is kept, and a grid of round numbers stands for all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Range,
    architecture_id,
    contains,
    count_architectures,
    encode,
    fix_parts,
    mutate_layer,
    parse_architecture,
    sample,
    space_from_yaml,
    space_to_yaml,
    to_dict,
)

SPACE = space_from_yaml(
    "{name: r, globals: {lr: {range: [1e-5, 1e-1], scale: log}, batch: {range: [16, 512], step: 16}}, "
    "stages: [{depth: 1, features: {k: [3, 5]}}]}"
)


def arch(lr, batch=32):
    return {"stages": [[{"k": 3}]], "globals": {"lr": lr, "batch": batch}}


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.booleans())
def test_a_grid_is_ascending_within_the_range_and_dense_on_its_scale(low, width, log):
    low = abs(low) + 1e-6 if log else low
    span = Range(low, low + width, "log" if log else "linear")
    grid = np.array(span.grid)
    assert (grid[0], grid[-1]) == (span.low, span.high)
    assert 30 <= len(grid) <= 220 or (log and width / low < 1e-3)
    steps = np.diff(span.scaled(grid))
    assert (steps > 0).all()
    assert steps.max() <= 0.05 or (log and width / low < 1e-3)


def test_round_numbers_of_each_decade_and_every_step_are_on_the_grid():
    lr, batch = (f.range.grid for f in SPACE.globals.features)
    assert {1e-4, 2e-4, 5e-4, 1e-3, 0.003, 0.01} <= set(lr)
    assert batch == tuple(range(16, 513, 16))
    assert Range(0, 0.3, step=0.1).grid == (0.0, 0.1, 0.2, 0.3)
    assert all(isinstance(v, int) for v in Range(1, 10**6, "log", 1).grid)


@given(st.floats(1e-5, 1e-1))
def test_a_value_is_kept_exactly_and_encoded_as_the_nearest_of_the_grid(lr):
    architecture = parse_architecture(SPACE, arch(lr))
    assert to_dict(SPACE, architecture) == arch(lr)
    assert contains(SPACE, architecture)
    assert architecture_id(SPACE, architecture).endswith(f"l{lr!r},b32")
    code = SPACE.globals.encode(architecture.modules[-1])
    grid = SPACE.globals.features[0].choices
    assert abs(math.log(grid[code[0, 0]] / lr)) == pytest.approx(min(abs(math.log(v / lr)) for v in grid))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (arch(0.2), "globals.lr: lr = 0.2 is not a choice; allowed: 1e-05 to 0.1"),
        (arch("a"), "globals.lr: lr = 'a' is not a choice; allowed: 1e-05 to 0.1"),
        (arch(True), "globals.lr: lr = True is not a choice; allowed: 1e-05 to 0.1"),
        (arch(0.1, 40), "globals.batch: batch = 40 is not a choice; allowed: 16 to 512 in steps of 16"),
    ],
    ids=range(4),
)
def test_other_values_are_refused(data, sentence):
    with pytest.raises(SpaceError) as error:
        parse_architecture(SPACE, data)
    assert str(error.value) == sentence


def test_the_space_is_written_sampled_mutated_and_encoded():
    assert space_from_yaml(space_to_yaml(SPACE)) == SPACE
    grid = SPACE.globals.features[0].choices
    assert count_architectures(SPACE) == 2 * len(grid) * 32
    rng = np.random.default_rng(0)
    some = sample(SPACE, 200, rng)
    changed = [mutate_layer(SPACE, a, rng) for a in some]
    assert all(contains(SPACE, a) for a in (*some, *changed))
    # Half of all are below the middle of the scale.
    assert 70 < sum(a.modules[-1][0][0] < 1e-3 for a in some) < 130
    graphs = encode(SPACE, [parse_architecture(SPACE, arch(lr)) for lr in (1e-5, 1e-3, 1e-1)])
    assert graphs.numbers[1::2, 0].tolist() == pytest.approx([-(3**0.5), 0, 3**0.5], abs=1e-6)
    assert not graphs.numbers[::2].any()


def test_parts_hold_values_of_the_grid_or_all_within_ends():
    kept = fix_parts(SPACE, ["globals.lr in 1e-4..2e-4", "globals.batch = 64"])
    values = {a.modules[-1][0] for a in sample(kept, count_architectures(kept), 0)}
    grid = [v for v in SPACE.globals.features[0].choices if 1e-4 <= v <= 2e-4]
    assert values == {(v, 64) for v in grid}
    assert len(grid) > 4
    with pytest.raises(SpaceError, match=r"not on the grid of lr, .* nearest value 0.00125, or LOW..HIGH"):
        fix_parts(SPACE, ["globals.lr = 0.00123"])


def test_what_a_range_can_not_do_yet_is_refused():
    text = space_to_yaml(SPACE)
    with pytest.raises(SpaceError, match=r"lr is a range, so that a cost .* declare a function"):
        space_from_yaml(text + "costs: {c: {sum: [{product: globals.lr}]}}\n")
    with pytest.raises(SpaceError, match=r"lr is a range, which can't be tied"):
        space_from_yaml(text + "tied: [[globals.lr, globals.batch]]\n")
