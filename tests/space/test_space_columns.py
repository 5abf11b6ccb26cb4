"""The key ``columns`` of a space: it survives files, and its mistakes are named."""

from __future__ import annotations

import re

import pytest
import yaml

from nasbuild.errors import SpaceError
from nasbuild.space import (
    fix_parts,
    load_space,
    merge_stages,
    save_space,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
)

TEXT = """
name: own
globals: {res: [1, 2]}
stages:
- {name: a, depth: [1, 2], features: {k: [3, 5], e: [1, 2]}}
- {name: b, depth: [2], features: {k: [3, 5], e: [1, 2]}}
columns:
  separator: ;
  decimal: ','
  missing: ['-']
  id: run
  globals: {res: r}
  stages:
    a: {depth: d1, k: [k1, k2], e: e}
    b: {k: [k3, k4], e: [e3, e4]}
  metrics: {acc: Top-1}
  constant: {w: 1.5, note: null}
  literals: {config: python}
  ignore: [date, tags.*]
"""


def test_columns_survive_a_file_and_parts_held_fixed(tmp_path):
    space = space_from_yaml(TEXT)
    save_space(space, tmp_path / "s.yaml")
    found = load_space(tmp_path / "s.yaml")
    assert found.columns == space.columns
    assert space_to_dict(found)["columns"] == yaml.safe_load(TEXT)["columns"]
    assert fix_parts(space, ["a.depth = 2"]).columns == space.columns
    assert found.columns.ignores("tags.user")
    assert not found.columns.ignores("tag")


def test_what_a_table_is_called_does_not_change_the_space():
    space = space_from_yaml(TEXT)
    assert space == space_from_yaml(TEXT.partition("columns:")[0])
    assert merge_stages(space, "a").columns is None


MISTAKES = {
    ("stages", "c"): ({}, "columns.stages: there is no stage 'c'; allowed: a, b"),
    ("stages", "a", "w"): ("w", "columns.stages.a: unknown key 'w'; allowed: depth, k, e"),
    ("stages", "a", "k"): (
        ["k1", "k2", 3],
        "columns.stages.a.k: 3 is not the name of a column; allowed: texts",
    ),
    ("stages", "b", "k"): (None, "columns.stages.b.k: is missing; allowed: texts"),
    ("globals",): ({}, "columns.globals.res: is missing; allowed: texts"),
    ("separator",): (";;", "columns.separator: ';;' is not a separator; allowed: one character"),
    ("decimal",): (";", "columns.decimal: ';' is not a decimal mark; allowed: ., ,"),
    ("literals", "config"): (
        "pickle",
        "columns.literals.config: 'pickle' is not a notation; allowed: python, json, digits, one to three separators such as |+",
    ),
    ("ignore",): ("date", "columns.ignore: is text, not a list"),
}


@pytest.mark.parametrize("place", MISTAKES, ids=".".join)
def test_mistakes_are_named(place):
    value, sentence = MISTAKES[place]
    data = yaml.safe_load(TEXT)
    inner = data["columns"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(SpaceError) as caught:
        space_from_dict(data)
    assert str(caught.value) == sentence


def test_too_few_columns_are_refused():
    data = yaml.safe_load(TEXT)
    data["stages"][1]["depth"] = [3]
    with pytest.raises(SpaceError, match=r"columns.stages.b.k: has 2 columns, the stage has up to 3 layers"):
        space_from_dict(data)


@pytest.mark.parametrize(
    ("own", "plain"),
    [
        ("d1 = 2", "a.depth = 2"),
        ("k2 = 3", "a.1.k = 3"),
        ("k3 in 3, 5", "b.0.k in 3, 5"),
        ("e = 2", "a.*.e = 2"),
        ("r = 1", "globals.res = 1"),
    ],
)
def test_a_column_names_the_part_held_fixed(own, plain):
    space = space_from_yaml(TEXT)
    assert fix_parts(space, [own]) == fix_parts(space, [plain])


def test_what_names_no_part_gets_an_example_that_does():
    space = space_from_yaml(TEXT)
    with pytest.raises(SpaceError) as caught:
        fix_parts(space, ["unknown = 3"])
    for example in re.findall(r'"(.*?)"', str(caught.value)):
        assert fix_parts(space, [example]) != space
    assert len(re.findall(r'"(.*?)"', str(caught.value))) == 2
