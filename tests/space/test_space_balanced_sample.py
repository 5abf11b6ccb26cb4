"""Designs: every choice and depth as evenly as possible, and more pairs than random samples have."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from nasbuild.errors import SpaceError
from nasbuild.space import (
    balanced_sample,
    changed_sample,
    contains,
    fix_parts,
    load_space,
    pair_coverage,
    sample,
    space_from_yaml,
)

SPACES = ("nas-bench-macro", "ofa-mobilenet-v3", "mnasnet")
ROWS = 20


def levels(space, architecture):
    """Depths and choices with their places, written down here anew."""
    found = []
    for stage, module in zip(space.stages, architecture.modules, strict=True):
        found.append((stage.name, "depth", len(module)))
        for number, layer in enumerate(module):
            for feature, choice in zip(stage.features, layer, strict=True):
                place = "all" if feature.name in stage.shared else number
                found.append((stage.name, place, feature.name, choice))
    return set(found)


@pytest.mark.parametrize("name", SPACES)
def test_more_pairs_occur_than_in_any_of_five_random_samples(name):
    space = load_space(name)
    design = balanced_sample(space, ROWS, 0)
    assert len(set(design)) == ROWS
    assert all(contains(space, one) for one in design)
    pairs = {pair for one in design for pair in combinations(sorted(levels(space, one), key=str), 2)}
    assert pair_coverage(space, design) == len(pairs)
    others = [pair_coverage(space, sample(space, ROWS, seed, over="depths")) for seed in range(5)]
    assert len(pairs) > max(others)


@pytest.mark.parametrize("name", SPACES)
def test_depths_and_choices_of_first_layers_are_even(name):
    space = load_space(name)
    counts = Counter(level for one in balanced_sample(space, ROWS, 1) for level in levels(space, one))
    for stage in space.stages:
        even = ROWS / len(stage.depths)
        assert all(abs(counts[stage.name, "depth", d] - even) <= 2 for d in stage.depths)
        for feature in stage.features:
            place = "all" if feature.name in stage.shared else 0
            even = ROWS / len(feature.choices)
            assert all(abs(counts[stage.name, place, feature.name, c] - even) <= 2 for c in feature.choices)


def test_designs_follow_the_seed_and_begin_alike():
    space = load_space("mnasnet")
    assert balanced_sample(space, 8, 3) == balanced_sample(space, 12, 3)[:8]
    assert balanced_sample(space, 8, 3) != balanced_sample(space, 8, 4)


def test_small_spaces_ties_lists_and_limits():
    tiny = space_from_yaml("{name: t, stages: [{depth: [1, 2], features: {k: [3, 5]}}]}")
    assert len(set(balanced_sample(tiny, 6))) == 6
    with pytest.raises(SpaceError, match="7 different architectures were asked for, the space has 6"):
        balanced_sample(tiny, 7)
    tied = space_from_yaml(
        "{name: t, stages: [{name: a, depth: [2], features: {k: [3, 5, 7], e: [1, 2]}}, "
        "{name: b, depth: [1], features: {k: [3, 5, 7]}}], tied: [[a.0.k, b.0.k]]}"
    )
    listed = space_from_yaml(
        "{name: t, stages: [{depth: [2], features: {k: [3, 5]}, modules: [[{k: 3}, {k: 5}], [{k: 5}, {k: 5}]]}, "
        "{depth: [1, 2], features: {k: [3, 5]}}]}"
    )
    fixed = fix_parts(load_space("ofa-mobilenet-v3"), ["stage1.depth = 2", "stage2.*.kernel in 3, 5"])
    for space in (tied, listed, fixed):
        design = balanced_sample(space, 10)
        assert len(set(design)) == 10
        assert all(contains(space, one) for one in design)


def test_only_architectures_inside_are_taken():
    space = load_space("nas-bench-macro")

    def shallow(some):
        return np.array([one.modules[0][0] == ("identity",) for one in some])

    design = balanced_sample(space, 10, inside=shallow)
    assert len(design) == 10
    assert shallow(design).all()


def changes(reference, other):
    """Number of changed choices and depths."""
    count = 0
    for before, after in zip(reference.modules, other.modules, strict=True):
        count += len(before) != len(after)
        pairs = zip(before, after, strict=False)
        count += sum(a != b for one, two in pairs for a, b in zip(one, two, strict=True))
    return count


def test_changes_of_a_reference_are_as_many_as_asked_for_and_spread():
    space = load_space("ofa-mobilenet-v3")
    reference = sample(space, 1, 0)[0]
    found = changed_sample(space, reference, 33, 0, changes=(2, 12))
    assert Counter(changes(reference, one) for one in found) == dict.fromkeys(range(2, 13), 3)
    assert all(contains(space, one) for one in found)
    assert found == changed_sample(space, reference, 33, 0, changes=(2, 12))
    # Single changes: each occurs once before one occurs twice.
    singles = changed_sample(space, reference, 30, 0, changes=(1, 1))
    assert {changes(reference, one) for one in singles} == {1}
    assert len(set(singles)) == 30


def test_changes_that_are_impossible_are_refused():
    space = space_from_yaml("{name: t, stages: [{depth: [2], features: {k: [3, 5]}}]}")
    reference = sample(space, 1, 0)[0]
    with pytest.raises(SpaceError, match=r"changes: 2..3 is no number of changes; allowed: 1 to 2"):
        changed_sample(space, reference, 1, changes=(2, 3))
    with pytest.raises(SpaceError, match="only 2 architectures with 1 to 1 changes were found"):
        changed_sample(space, reference, 5, changes=(1, 1))
