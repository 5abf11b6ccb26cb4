"""The built-in spaces, and the real tables that belong to them."""

from __future__ import annotations

import gzip
import json

import pytest

from nasbuild.errors import SpaceError
from nasbuild.space import (
    architecture_id,
    builtin_spaces,
    count_architectures,
    count_modules,
    load_space,
    parse_architecture,
    space_from_yaml,
    space_to_yaml,
    to_dict,
)

COUNTS = {
    "digits-macro": 12**3,
    "mnasnet": 36**6 * 48,
    "nas-bench-macro": 3**8,
    "ofa-mobilenet-v3": 7371**5,
    "ofa-proxylessnas": 7371**5 * 9,
}
# Table: the built-in space that has the same stages, if any; rows.
TABLES = {
    "accel-nasbench": ("mnasnet", 5125),
    "nas-bench-macro": ("nas-bench-macro", 6561),
    "nas-bench-mr": (None, 2507),
    "ofa-mbv3-imagenet": ("ofa-mobilenet-v3", 2162),
    "ofa-mbv3-surrogate": ("ofa-mobilenet-v3", 3000),
    "ofa-pn-surrogate": ("ofa-proxylessnas", 3000),
}


@pytest.mark.parametrize("name", builtin_spaces())
def test_a_built_in_space_loads_and_is_written_as_it_was_read(name):
    space = load_space(name)
    assert space.name == name
    assert all(count_modules(stage) > 1 for stage in space.stages)
    assert {m.direction for m in space.metrics.values()} == {"maximize", "minimize"}
    assert space_from_yaml(space_to_yaml(space)) == space


@pytest.mark.parametrize("name", COUNTS)
def test_a_built_in_space_has_the_published_number_of_architectures(name):
    assert name in builtin_spaces()
    assert count_architectures(load_space(name)) == COUNTS[name]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SpaceError) as caught:
        load_space("mobilenet")
    known = ", ".join(builtin_spaces())
    assert str(caught.value) == f"there is no file and no built-in space 'mobilenet'; allowed: {known}"


@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_has_the_stages_of_its_built_in_space(name, data_dir):
    builtin, _ = TABLES[name]
    space = load_space(data_dir(name) / "space.yaml")
    assert space.name == name
    assert space_from_yaml(space_to_yaml(space)) == space
    if builtin is not None:
        assert load_space(builtin).stages == space.stages


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_real_table_is_of_its_space(name, data_dir):
    space = load_space(data_dir(name) / "space.yaml")
    with gzip.open(data_dir(name) / "archs.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line)["arch"] for line in stream]
    assert len(rows) == TABLES[name][1]
    parsed = [parse_architecture(space, row) for row in rows]
    assert [to_dict(space, architecture) for architecture in parsed] == rows
    assert len({architecture_id(space, a) for a in parsed}) == len(set(parsed))
