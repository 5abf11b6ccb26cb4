"""The page of file formats: its examples are read and used, and it names every key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nasbuild as nb
from nasbuild.space import (
    contains,
    count_architectures,
    sample,
    space_from_yaml,
    space_to_yaml,
)
from nasbuild.space._parse_space import FEATURE_KEYS, METRIC_KEYS, SPACE_KEYS, STAGE_KEYS
from nasbuild.table import read_table, table_from_evaluations, write_architectures

PAGE = (Path(__file__).parent.parent / "docs" / "formats.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
SPACES = {space.name: space for form, text in BLOCKS if form == "yaml" for space in [space_from_yaml(text)]}


def test_every_key_of_a_space_is_named():
    keys = {*SPACE_KEYS, *STAGE_KEYS, *FEATURE_KEYS, *METRIC_KEYS}
    assert len(keys) > 20
    assert [key for key in sorted(keys) if f"`{key}`" not in PAGE] == []


# Counts by hand: layers of each depth, times the other stages and the globals.
COUNTS = {
    "metrics": 2 + 4,
    "stages": 2 * (1 + 2 * 2 + 2 * 2 * 2) * 2,
    "choices": 3 * 2 * 5 * 3,
    "conditions": (9 + 9**2 + 9**3) * 3,
    "pruning": 4 * (1 + 4 + 16),
    "training": 6 * 81 * 32 * 101,
}


@pytest.mark.parametrize("name", COUNTS)
def test_spaces_are_read_written_and_sampled(name):
    space = SPACES[name]
    assert count_architectures(space) == COUNTS[name]
    assert space_from_yaml(space_to_yaml(space)) == space
    assert all(contains(space, a) for a in sample(space, 5, 0))


def test_tables_are_read(tmp_path):
    space = SPACES["conditions"]
    read = {}
    for form in ("jsonl", "csv"):
        path = tmp_path / f"t.{form}"
        path.write_text(next(text for name, text in BLOCKS if name == form))
        read[form] = read_table(path, space)
    assert read["jsonl"].architectures == read["csv"].architectures
    assert read["csv"].ids == ("a1", "a2")
    assert read["jsonl"].columns["acc"][0] == read["csv"].columns["acc"][0] == 71.2


def test_fit_folders_and_built_files_have_the_named_fields(tmp_path):
    space = SPACES["metrics"]
    some = sample(space, 6, 0)
    table = table_from_evaluations(space, {a: {"acc": 70.0 + n} for n, a in enumerate(some)})
    fit = nb.fit(table, "acc", recipe="marginal")
    fit.save(tmp_path / "fit")
    files = {path.name for path in (tmp_path / "fit").iterdir()}
    keys = set(json.loads((tmp_path / "fit" / "fit.json").read_text()))
    rows = list(fit.build(2))
    write_architectures(space, rows, tmp_path / "built.jsonl")
    fields = {key for row in rows for key in row}
    for name in (*files, *keys, *fields):
        assert f"`{name}`" in PAGE, name
    assert len(read_table(tmp_path / "built.jsonl", space)) == 2
