"""The reference of a space: forms, mistakes, and parts of the space that do not hold it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nasbuild.errors import SpaceError
from nasbuild.space import (
    fix_parts,
    merge_stages,
    parse_architecture,
    sample,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
    space_to_yaml,
    to_dict,
)

TEXT = """
name: s
globals: {size: [128, 160]}
stages:
- {name: a, depth: [1, 2], features: {op: [conv, attn], kernel: {choices: [3, 5], when: {op: conv}}}}
- {name: b, depth: 2, features: {op: [conv, attn], kernel: {choices: [3, 5], when: {op: conv}}}}
"""
SPACE = space_from_yaml(TEXT)


def with_reference(text: str):
    return space_from_yaml(f"{TEXT}reference: {text}\n").reference


def test_compact_and_full_forms_are_the_same_architecture():
    full = {
        "stages": [
            [{"op": "conv", "kernel": 3}],
            [{"op": "conv", "kernel": 3}, {"op": "attn"}],
        ],
        "globals": {"size": 128},
    }
    expected = parse_architecture(SPACE, full)
    compact = "{size: 128, op: conv, kernel: 3, depth: 1, b.1.op: attn}"
    assert with_reference(compact) == expected
    assert space_from_dict({**space_to_dict(SPACE), "reference": full}).reference == expected
    assert SPACE.reference is None


def test_every_architecture_is_written_and_read_back():
    for architecture in sample(SPACE, 40, 0):
        text = space_to_yaml(replace(SPACE, reference=architecture))
        assert space_from_yaml(text).reference == architecture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "reference: is a number, not an architecture"),
        ("{size: 128, op: conv, kernel: 3}", "the number of layers of a is missing"),
        ("{size: 128, op: conv, kernel: 3, depth: 3}", "3 is no number of layers of a; allowed: 1, 2"),
        ("{size: 128, op: conv, depth: 1}", "feature 'kernel' is missing"),
        ("{size: 128, op: conv, kernel: 4, depth: 1}", "kernel = 4 is not a choice"),
        ("{size: 128, op: attn, depth: 1, kernal: 3}", "'kernal' names nothing of the space"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(SpaceError, match="reference") as error:
        with_reference(text)
    assert message in str(error.value)


def test_a_part_of_the_space_without_the_reference_is_written_without_it():
    space = space_from_yaml(f"{TEXT}reference: {{size: 128, op: attn, depth: 1}}\n")
    assert "reference" not in space_to_dict(fix_parts(space, ["b.0.op = conv"]))
    assert "reference" in space_to_dict(fix_parts(space, ["b.0.op = attn"]))


def test_merged_stages_merge_the_reference():
    plain = space_from_yaml(
        "{name: p, stages: [{name: a, depth: 1, features: {k: [1, 2]}}, {name: b, depth: 2, features: {k: [1, 2]}}],"
        " reference: {k: 1, b.1.k: 2}}"
    )
    merged = merge_stages(plain, "a")
    assert merged.reference is not None
    assert to_dict(merged, merged.reference)["stages"] == [[{"k": 1}, {"k": 1}, {"k": 2}]]
