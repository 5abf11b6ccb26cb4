"""Choices of several types: texts, ids and data tell them apart."""

from __future__ import annotations

import json

import pytest

from nasbuild.space import (
    architecture_id,
    choice_of_text,
    choice_text,
    enumerate_architectures,
    fix_parts,
    parse_architecture,
    space_from_dict,
    space_from_yaml,
    space_to_yaml,
    to_dict,
)

CHOICES = [
    True,
    "True",
    "true",
    1,
    "1",
    1.5,
    None,
    "null",
    "None",
    [3, 5],
    "[3, 5]",
    "3-5",
    [3],
    [],
    [[1], "a"],
    "a",
]


def space_of(choices):
    return space_from_dict({"name": "c", "stages": [{"depth": 1, "features": {"op": choices}}]})


def test_each_choice_has_its_own_text_id_and_data():
    space = space_of(CHOICES)
    feature = space.stages[0].features[0]
    every = list(enumerate_architectures(space))
    assert len({architecture_id(space, a) for a in every}) == len(every) == len(CHOICES)
    assert space_from_yaml(space_to_yaml(space)) == space
    for architecture, choice in zip(every, CHOICES, strict=True):
        ((layer,),) = architecture.modules
        assert choice_of_text(feature, choice_text(feature, layer[0])) == layer[0]
        data = json.loads(json.dumps(to_dict(space, architecture)))
        assert data == {"stages": [[{"op": choice}]]}
        read = parse_architecture(space, data)
        # True and 1 are equal in Python.
        assert (read, repr(read)) == (architecture, repr(architecture))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("None", None),
        ("NULL", None),
        ("(3, 5)", (3, 5)),
        ("[3,5]", (3, 5)),
        ("1.0", 1),
        ("TRUE", True),
        ("b", "b"),
    ],
)
def test_texts_of_other_programs_are_understood(text, choice):
    feature = space_of([True, 1, None, [3, 5], "a"]).stages[0].features[0]
    assert choice_of_text(feature, text) == choice


def test_ids_of_choices_of_one_type_are_as_before():
    space = space_from_yaml(
        "{name: c, stages: [{depth: 1, features: {se: [true, false], kernel: [3, 5]}}, "
        "{depth: 1, features: {op: ['1', a-b]}}]}"
    )
    assert [architecture_id(space, a) for a in enumerate_architectures(space)][:2] == ["s1k3/1", "s1k3/a%2Db"]


def test_parts_name_lists_null_and_texts():
    space = space_of([None, "null", [3, 5], 3, "a,b"])
    kept = fix_parts(space, ['stage1.*.op in null, [3, 5], "a,b"'])
    assert [a.modules[0][0][0] for a in enumerate_architectures(kept)] == [None, (3, 5), "a,b"]
    kept = fix_parts(space, ['stage1.*.op in "null", 3'])
    assert [a.modules[0][0][0] for a in enumerate_architectures(kept)] == ["null", 3]
