"""Attributes of choices: read, written, shared by features with the same choices, and refused where they say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild.errors import SpaceError
from nasbuild.space import (
    Attribute,
    choice_attributes,
    fix_parts,
    merge_stages,
    space_from_yaml,
    space_to_yaml,
)

STAGES = """
name: s
stages:
- {name: a, depth: [1, 2], features: {type: [full, q4, q8], rank: [1, 2], op: [conv, lora]}}
- {name: b, depth: 1, features: {type: [q4, q8, q2], mlp: [q8, q2], size: {choices: [x, y], when: {mlp: q2}}}}
"""
BITS = "{full: 16, q4: 4.5, q8: 8.5, q2: 2.625}"
SPACE = STAGES + f"attributes: {{type: {{bits: {BITS}}}, rank: {{log: {{1: 0, 2: 1}}}}, size: {{n: {{x: 3, y: 4}}}}}}"


def test_attributes_come_back_as_they_were_written():
    space = space_from_yaml(SPACE)
    assert space.attributes["rank"] == (Attribute("log", ((1, 0.0), (2, 1.0))),)
    assert space_from_yaml(space_to_yaml(space)).attributes == space.attributes
    assert "attributes" not in space_to_yaml(space_from_yaml(STAGES))
    assert space_from_yaml(STAGES) == space  # they do not change what can be built


def test_values_stand_in_the_order_of_the_choices_of_all_stages():
    space = space_from_yaml(SPACE)
    assert choice_attributes(space, "type")["bits"].tolist() == [16, 4.5, 8.5, 2.625]
    assert choice_attributes(space, "mlp")["bits"].tolist() == [8.5, 2.625]  # texts that `type` declares
    assert choice_attributes(space, "op") == {}
    size = choice_attributes(space, "size")["n"]  # absent where its condition does not hold
    assert size[:2].tolist() == [3, 4]
    assert np.isnan(size[2])


def test_a_part_of_the_space_writes_what_it_still_has():
    space = space_from_yaml(SPACE.replace("depth: [1, 2]", "depth: 1"))
    fixed = fix_parts(space, ["a.*.type = q4", "b.*.type = q8"])
    assert space_from_yaml(space_to_yaml(fixed)).attributes == space.attributes
    less = space_from_yaml(space_to_yaml(space).replace("[full, q4, q8]", "[q4, q8]").replace("full: 16, ", ""))
    assert choice_attributes(less, "type")["bits"].tolist() == [4.5, 8.5, 2.625]
    two = space_from_yaml(
        "{name: t, stages: [{name: a, depth: 1, features: {type: [q4, q8]}},"
        " {name: b, depth: [1, 2], features: {type: [q4, q8]}}], attributes: {type: {bits: {q4: 4, q8: 8}}}}"
    )
    assert merge_stages(two, "a").attributes == two.attributes


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[bits]", "attributes: is a list"),
        ("{typo: {bits: {q4: 1}}}", "'typo' is not a feature; allowed: type, rank"),
        ("{type: 4}", "attributes.type: is a number; allowed: 1 to 8"),
        ("{type: {}}", "attributes.type: has 0 attributes; allowed: 1 to 8"),
        ("{type: {bits: {q4: 4, q9: 9}}}", "'q9' is not a choice of type; allowed: 'full', 'q4', 'q8', 'q2'"),
        ("{type: {bits: {q4: 4, q8: 8}}}", "has no number for 'full', 'q2'; give every choice of type one"),
        ("{type: {bits: {q4: four}}}", "'four' is not a number"),
        ("{type: {bits: {q4: .nan}}}", "nan is not a number"),
        ("{type: {bits: {q4: true}}}", "is not a number"),
        ("{type: {bits: 4}}", "attributes.type.bits: is a number, not {choice: number}"),
    ],
)
def test_mistakes_are_named(data, said):
    with pytest.raises(SpaceError) as error:
        space_from_yaml(STAGES + f"attributes: {data}")
    assert said in str(error.value)


def test_features_with_the_same_texts_agree():
    features = "{name: t, stages: [{depth: 1, features: {q: [q4, q8], k: [q8, q4]}}], attributes: %s}"
    with pytest.raises(SpaceError, match="differs from q, which has the same choices"):
        space_from_yaml(features % "{q: {bits: {q4: 4, q8: 8}}, k: {bits: {q4: 5, q8: 8}}}")
    agreed = space_from_yaml(features % "{q: {bits: {q4: 4, q8: 8}}, k: {bits: {q8: 8, q4: 4}}}")
    assert choice_attributes(agreed, "k")["bits"].tolist() == [8, 4]


def test_a_range_has_no_attributes():
    with pytest.raises(SpaceError, match="is a range"):
        space_from_yaml(
            "{name: t, globals: {lr: {range: [0, 1]}}, stages: [{depth: 1, features: {k: [1, 2]}}],"
            " attributes: {lr: {log: {0: 1}}}}"
        )
