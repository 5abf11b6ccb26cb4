"""``space.yaml`` is written and read back, plain or gzipped, by people and by other tools."""

from __future__ import annotations

import gzip

import pytest
import yaml
from hypothesis import given

from nasbuild.errors import OutputError, SpaceError
from nasbuild.space import (
    Feature,
    Space,
    Stage,
    load_space,
    save_space,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
    space_to_yaml,
)
from strategies import relaxed, spaces

GOOD = """\
# A comment.
name: example
metrics:
  acc: {direction: maximize, unit: '%'}
  macs: {direction: minimize, unit: ''}
globals:
  resolution: [192, 224]
  mode: [fast, slow]
globals_modules: [{resolution: 192, mode: slow}, {resolution: 224, mode: fast}]
stages:
- name: early
  depth: [2, 3]
  features:
    kernel: [7, 3, 5]
    se: [true, false]
    size:
      choices: [small, large]
      kind: ordered
  shared: [kernel, se]
- name: late
  depth: [1, 2]
  features:
    drop: [0.001, 0.5, 1]
  modules:
  - [{drop: 0.5}]
  - [{drop: 1}, {drop: 0.001}]
- name: pool
  depth: [1]
  features: {}
"""


def same_types(one: Space, other: Space) -> bool:
    """Equal, and no choice has become another kind of number or a truth value."""
    types = [
        [[[type(c) for c in f.choices] for f in s.features] for s in space.stages] for space in (one, other)
    ]
    return one == other and types[0] == types[1]


@given(spaces(ranges=True))
@relaxed
def test_written_data_is_read_back_equal(space):
    assert same_types(space_from_yaml(space_to_yaml(space)), space)
    assert same_types(space_from_dict(space_to_dict(space)), space)


@given(spaces(rich=True, most_stages=2))
@relaxed
def test_any_other_yaml_tool_reads_the_same(space):
    assert yaml.safe_load(space_to_yaml(space)) == space_to_dict(space)


def test_a_handwritten_example_is_read_and_written_alike():
    space = space_from_yaml(GOOD)
    assert [s.name for s in space.stages] == ["early", "late", "pool", "globals"]
    assert space.stages[0].features == (
        Feature("kernel", (7, 3, 5), "numeric"),
        Feature("se", (True, False), "categorical"),
        Feature("size", ("small", "large"), "ordered"),
    )
    assert space.stages[0].shared == {"kernel", "se"}
    assert space.stages[1].modules == (((0.5,),), ((1,), (0.001,)))
    assert space.globals is not None
    assert space.globals.modules == (((192, "slow"),), ((224, "fast"),))
    assert (space.metrics["acc"].sign, space.metrics["macs"].sign) == (1, -1)
    assert space_to_yaml(space) == GOOD.split("\n", 1)[1]


def test_optional_keys_may_be_omitted():
    space = space_from_yaml(
        "name: s\nmetrics:\nglobals:\nstages:\n- {depth: 3}\n- {depth: 2, features: , shared: }"
    )
    assert space == Space("s", (Stage("stage1", (3,), ()), Stage("stage2", (2,), ())))


def test_listed_modules_define_the_depths_and_repeats_are_dropped():
    modules = "modules: [[{a: 1}], [{a: 0}, {a: 1}], [{a: 1.0}]]"
    text = f"name: s\nstages: [{{depth: [1, 2, 3], features: {{a: [0, 1]}}, {modules}}}]"
    stage = space_from_yaml(text).stages[0]
    assert stage.depths == (1, 2)
    assert stage.modules == (((1,),), ((0,), (1,)))
    without = space_from_yaml(text.replace("depth: [1, 2, 3], ", ""))
    assert without.stages == (stage,)


def test_plain_words_are_read_without_surprises():
    words = "[no, off, y, 16:9, 010, 1_000, 0x1f, 2024-01-01, =]"
    text = f"name: s\nstages: [{{depth: 1, features: {{words: {words}, numbers: [1e-3, +2, .5, 1.]}}}}]"
    words, numbers = space_from_yaml(text).stages[0].features
    assert words.choices == ("no", "off", "y", "16:9", "010", "1_000", "0x1f", "2024-01-01", "=")
    assert numbers.choices == (0.001, 2, 0.5, 1.0)
    assert numbers.kind == "numeric"


def test_anchors_and_merges_save_writing():
    text = """
    name: s
    stages:
    - {name: a, depth: &deep [1, 2], features: &own {k: [3, 5], e: [1, 2]}}
    - {name: b, depth: *deep, features: {<<: *own, k: [7]}}
    - {name: c, depth: *deep, features: *own}
    """
    space = space_from_yaml(text)
    assert space.stages[2].features == space.stages[0].features
    assert {f.name: f.choices for f in space.stages[1].features} == {"k": (7,), "e": (1, 2)}
    assert space_from_yaml(space_to_yaml(space)) == space


def test_a_file_is_saved_and_loaded_plain_or_gzipped(tmp_path):
    space = space_from_yaml(GOOD)
    for name in ("space.yaml", "space.yaml.gz", "any name"):
        save_space(space, tmp_path / name)
        assert same_types(load_space(tmp_path / name), space)
        assert same_types(load_space(str(tmp_path / name)), space)
    assert (
        gzip.decompress((tmp_path / "space.yaml.gz").read_bytes()) == (tmp_path / "space.yaml").read_bytes()
    )


def test_a_file_written_by_windows_is_read(tmp_path):
    (tmp_path / "s.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_space(tmp_path / "s.yaml") == space_from_yaml(GOOD)


def test_a_mistake_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nstages: [{depth: 0}]")
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    assert (
        str(caught.value)
        == f"{path}, stages: every stage may be absent, so that a network may have no layers; give one stage at least one layer"
    )


def squeezed(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def broken(text: bytes) -> bytes:
    data = bytearray(squeezed(text))
    data[20:40] = bytes(20)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("s.yaml", None, "no such file"),
        ("s.yaml", GOOD.encode("utf-16")[:-1], "is not UTF-8 text"),
        ("s.yaml", b"name: caf\xe9", "is not UTF-8 text"),
        ("s.yaml", squeezed(GOOD.encode()), "is not UTF-8 text"),
        ("s.yaml.gz", GOOD.encode(), "is a damaged gzip file"),
        ("s.yaml.gz", squeezed(GOOD.encode())[:-20], "is a damaged gzip file"),
        ("s.yaml.gz", squeezed(GOOD.encode())[:-8] + bytes(8), "is a damaged gzip file"),
        ("s.yaml.gz", broken(GOOD.encode()), "is a damaged gzip file"),
        ("s.yaml.gz", squeezed(b"caf\xe9"), "is not UTF-8 text"),
        (
            "s.yaml.gz",
            squeezed(b" \n" * 8_500_000),
            "is larger than 16,000,000 characters, too long for a space.yaml",
        ),
        ("s" * 300, None, "can't be read (File name too long)"),
        ("s" * 300 + ".yaml", None, "can't be read (File name too long)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, name, content, reason):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(SpaceError) as caught:
        load_space(tmp_path)
    assert str(caught.value) == f"{tmp_path}: can't be read (Is a directory)"


def test_a_file_named_like_a_built_in_space_is_read_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_space(space_from_yaml(GOOD), "mnasnet")
    assert load_space("mnasnet").name == "mnasnet"
    assert load_space("./mnasnet").name == "example"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError) as caught:
        save_space(space_from_yaml(GOOD), tmp_path / "absent" / "s.yaml")
    assert str(caught.value) == f"{tmp_path}/absent/s.yaml: can't be written (No such file or directory)"


def test_ranges_of_metrics_and_identities_are_kept():
    text = "name: s\nmetrics: {acc: {direction: maximize, minimum: 0, maximum: 100}}\n"
    text += "stages: [{depth: 2, features: {op: [conv, skip]}}]\n"
    space = space_from_yaml(text)
    assert space.identity is None
    assert (space.metrics["acc"].minimum, space.metrics["acc"].maximum) == (0.0, 100.0)
    assert space.metrics["acc"].outside(100.5) == "at most 100"
    assert space.metrics["acc"].outside(-1) == "at least 0"
    assert space.metrics["acc"].outside(100) is None
    assert space_from_yaml(space_to_yaml(space)) == space
    for declared, meant in (("[skip]", ("skip",)), ("none", ())):
        named = space_from_yaml(text + f"identity: {declared}\n")
        assert named.identity == meant
        assert space_from_yaml(space_to_yaml(named)) == named
