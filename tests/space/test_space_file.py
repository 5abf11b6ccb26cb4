"""``space.yaml``: what is written is read again, and every mistake gets one sentence with its place."""

from __future__ import annotations

import gzip
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

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


def refused(text: str) -> str:
    """The one sentence that the text of a ``space.yaml`` is refused with."""
    with pytest.raises(SpaceError) as caught:
        space_from_yaml(text, where="s.yaml")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("s.yaml")
    assert len(sentence) < 600
    return sentence


@given(spaces())
@relaxed
def test_what_is_written_is_read_again(space):
    assert same_types(space_from_yaml(space_to_yaml(space)), space)
    assert same_types(space_from_dict(space_to_dict(space)), space)


@given(spaces(most_stages=2))
@relaxed
def test_any_other_yaml_tool_reads_the_same(space):
    assert yaml.safe_load(space_to_yaml(space)) == space_to_dict(space)


def test_an_example_is_read_and_written_as_people_write_it():
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


def test_what_may_be_left_out():
    space = space_from_yaml(
        "name: s\nmetrics:\nglobals:\nstages:\n- {depth: 3}\n- {depth: 2, features: , shared: }"
    )
    assert space == Space("s", (Stage("stage1", (3,), ()), Stage("stage2", (2,), ())))


def test_listed_modules_tell_the_depths_and_stand_once():
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


STAGE = "name: s\nstages:\n- "
FEATURE = "name: s\nstages:\n- {depth: 1, features: {k: %s}}"
LISTED = "name: s\nstages:\n- {features: {k: [1, 2]}, modules: %s}"
METRIC = "name: s\nstages: [{depth: 1}]\nmetrics: %s"
NAME_RULE = "allowed: printable texts of 1 to 200 characters without spaces around them"
CHOICE_RULE = "allowed: finite numbers, true, false and printable texts of 1 to 200 characters"
TOP = "allowed: name, metrics, globals, globals_modules, stages"
KINDS = "allowed: categorical, ordered, numeric"
TWO = "name: s\nstages: [{name: a, depth: 1, features: {k: %s}}, {name: b, depth: 1, features: {k: %s}}]"

WRONG = [
    # Not even an object.
    ("", "s.yaml, the space: is missing, not an object with name, metrics, globals, globals_modules, stages"),
    (
        "# nothing\n",
        "s.yaml, the space: is missing, not an object with name, metrics, globals, globals_modules, stages",
    ),
    (
        "[1, 2]",
        "s.yaml, the space: is a list, not an object with name, metrics, globals, globals_modules, stages",
    ),
    (
        "just text",
        "s.yaml, the space: is text, not an object with name, metrics, globals, globals_modules, stages",
    ),
    # Top.
    ("name: s\nstage: []", f"s.yaml, the space: unknown key 'stage'; {TOP}"),
    ("name: s\n3: []", f"s.yaml, the space: unknown key 3; {TOP}"),
    ("stages: [{depth: 1}]", f"s.yaml, name: is missing; {NAME_RULE}"),
    ("name: 7\nstages: [{depth: 1}]", f"s.yaml, name: 7 is no name; {NAME_RULE}"),
    ("name: ''\nstages: [{depth: 1}]", f"s.yaml, name: '' is no name; {NAME_RULE}"),
    ("name: ' s'\nstages: [{depth: 1}]", f"s.yaml, name: ' s' is no name; {NAME_RULE}"),
    ('name: "a\\nb"\nstages: [{depth: 1}]', f"s.yaml, name: 'a\\nb' is no name; {NAME_RULE}"),
    ('name: "\\ud800"\nstages: [{depth: 1}]', f"s.yaml, name: '\\ud800' is no name; {NAME_RULE}"),
    (f"name: {'s' * 201}\nstages: [{{depth: 1}}]", f"s.yaml, name: '{'s' * 60}'... is no name; {NAME_RULE}"),
    ("name: s", "s.yaml, stages: must be a list of at least one stage"),
    ("name: s\nstages: []", "s.yaml, stages: must be a list of at least one stage"),
    ("name: s\nstages: {a: {depth: 1}}", "s.yaml, stages: must be a list of at least one stage"),
    # Stages.
    (
        STAGE + "early",
        "s.yaml, stages[0]: is text, not an object with name, depth, features, shared, modules",
    ),
    (
        STAGE + "null",
        "s.yaml, stages[0]: is missing, not an object with name, depth, features, shared, modules",
    ),
    (
        STAGE + "{depth: 1, feature: {}}",
        "s.yaml, stages[0]: unknown key 'feature'; allowed: name, depth, features, shared, modules",
    ),
    (
        STAGE + "{depth: 1, name: no}\n- {depth: 1, name: 1}",
        f"s.yaml, stages[1].name: 1 is no name; {NAME_RULE}",
    ),
    (STAGE + "{depth: 1, name: a}\n- {depth: 1, name: a}", "s.yaml, stages: two stages are named 'a'"),
    (STAGE + "{depth: 1, name: stage2}\n- {depth: 1}", "s.yaml, stages: two stages are named 'stage2'"),
    (
        STAGE + "{depth: 1, name: globals}",
        "s.yaml, stages: 'globals' is the name kept for the features of the whole architecture",
    ),
    # Depths.
    (STAGE + "{name: a}", "s.yaml, stages[0].depth: the allowed depths are missing; write depth: [2, 3, 4]"),
    (STAGE + "{depth: }", "s.yaml, stages[0].depth: None is no number of layers; allowed: 1 to 1000"),
    (STAGE + "{depth: 0}", "s.yaml, stages[0].depth: 0 is no number of layers; allowed: 1 to 1000"),
    (
        STAGE + "{depth: [2, 1001]}",
        "s.yaml, stages[0].depth: 1001 is no number of layers; allowed: 1 to 1000",
    ),
    (STAGE + "{depth: 2.0}", "s.yaml, stages[0].depth: 2.0 is no number of layers; allowed: 1 to 1000"),
    (STAGE + "{depth: true}", "s.yaml, stages[0].depth: True is no number of layers; allowed: 1 to 1000"),
    (STAGE + "{depth: 2-4}", "s.yaml, stages[0].depth: '2-4' is no number of layers; allowed: 1 to 1000"),
    (STAGE + "{depth: [[2]]}", "s.yaml, stages[0].depth: a list is no number of layers; allowed: 1 to 1000"),
    (STAGE + "{depth: []}", "s.yaml, stages[0].depth: must list different numbers of layers, at least one"),
    (
        STAGE + "{depth: [2, 2]}",
        "s.yaml, stages[0].depth: must list different numbers of layers, at least one",
    ),
    (
        STAGE + f"{{depth: !!int 0x{'f' * 5000}}}",
        "s.yaml, stages[0].depth: a number of many digits is no number of layers; allowed: 1 to 1000",
    ),
    # Features and choices.
    (STAGE + "{depth: 1, features: [k]}", "s.yaml, stages[0].features: must be {feature: [choices]}"),
    (STAGE + "{depth: 1, features: 0}", "s.yaml, stages[0].features: must be {feature: [choices]}"),
    (STAGE + "{depth: 1, features: {3: [1]}}", f"s.yaml, stages[0].features: 3 is no name; {NAME_RULE}"),
    (
        STAGE + "{depth: 1, features: {true: [1]}}",
        f"s.yaml, stages[0].features: True is no name; {NAME_RULE}",
    ),
    (FEATURE % "3", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "[]", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "3, 5", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "{kind: ordered}", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (
        FEATURE % "{choices: [1], order: 2}",
        "s.yaml, stages[0].features.k: unknown key 'order'; allowed: choices, kind",
    ),
    (
        FEATURE % "{choices: [1], kind: sorted}",
        f"s.yaml, stages[0].features.k.kind: 'sorted' is no kind of feature; {KINDS}",
    ),
    (
        FEATURE % "{choices: [1], kind: [ordered]}",
        f"s.yaml, stages[0].features.k.kind: a list is no kind of feature; {KINDS}",
    ),
    (
        FEATURE % "{choices: [a], kind: numeric}",
        "s.yaml, stages[0].features.k: is numeric, but its choices are no numbers",
    ),
    (
        FEATURE % "{choices: [true], kind: numeric}",
        "s.yaml, stages[0].features.k: is numeric, but its choices are no numbers",
    ),
    (FEATURE % "[1, .nan]", f"s.yaml, stages[0].features.k: nan can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[-.inf]", f"s.yaml, stages[0].features.k: -inf can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[1e999]", f"s.yaml, stages[0].features.k: inf can't be a choice; {CHOICE_RULE}"),
    (
        FEATURE % "[9007199254740993]",
        f"s.yaml, stages[0].features.k: 9007199254740993 can't be a choice; {CHOICE_RULE}",
    ),
    (FEATURE % "[null]", f"s.yaml, stages[0].features.k: None can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[[3, 5]]", f"s.yaml, stages[0].features.k: a list can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[{a: 1}]", f"s.yaml, stages[0].features.k: an object can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "['']", f"s.yaml, stages[0].features.k: '' can't be a choice; {CHOICE_RULE}"),
    (FEATURE % '["a\\tb"]', f"s.yaml, stages[0].features.k: 'a\\tb' can't be a choice; {CHOICE_RULE}"),
    (
        FEATURE % f"[{'a' * 201}]",
        f"s.yaml, stages[0].features.k: '{'a' * 60}'... can't be a choice; {CHOICE_RULE}",
    ),
    (FEATURE % "!!binary [aGk=]", "s.yaml, line 3: is no YAML (expected a scalar node, but found sequence)"),
    (FEATURE % "[!!binary aGk=]", f"s.yaml, stages[0].features.k: bytes can't be a choice; {CHOICE_RULE}"),
    (
        FEATURE % "[3, none]",
        "s.yaml, stages[0].features.k: mixes numbers, texts and truth values; put texts in quotes",
    ),
    (
        FEATURE % "[1, true]",
        "s.yaml, stages[0].features.k: mixes numbers, texts and truth values; put texts in quotes",
    ),
    (
        FEATURE % "[on, true]",
        "s.yaml, stages[0].features.k: mixes numbers, texts and truth values; put texts in quotes",
    ),
    (FEATURE % "[3, 5, 3.0]", "s.yaml, stages[0].features.k: lists a choice twice"),
    (
        TWO % ("[1, 2]", "[a, b]"),
        "s.yaml, stages: feature 'k' is categorical with texts in b and numeric with numbers in a; "
        "give one of the two another name",
    ),
    (
        TWO % ("[true]", "[a, b]"),
        "s.yaml, stages: feature 'k' is categorical with texts in b and categorical with truth values in a; "
        "give one of the two another name",
    ),
    (
        TWO % ("{choices: [a, b], kind: ordered}", "{choices: [b, a], kind: ordered}"),
        "s.yaml, stages: feature 'k' is ordered differently in two stages",
    ),
    (
        "name: s\nglobals: {k: [a]}\n" + (FEATURE % "[1]").split("\n", 1)[1],
        "s.yaml, stages: feature 'k' is categorical with texts in globals and numeric with numbers "
        "in stage1; give one of the two another name",
    ),
    # Shared features.
    (STAGE + "{depth: 1, shared: k}", "s.yaml, stages[0].shared: must be a list of features"),
    (
        STAGE + "{depth: 1, features: {k: [1]}, shared: [e]}",
        "s.yaml, stages[0].shared: 'e' is no feature of stage1; allowed: k",
    ),
    (
        STAGE + "{depth: 1, features: {k: [1]}, shared: [[k]]}",
        "s.yaml, stages[0].shared: a list is no feature of stage1; allowed: k",
    ),
    # Listed modules.
    (LISTED % "{}", "s.yaml, stages[0].modules: must be a list of at least one module"),
    (LISTED % "[]", "s.yaml, stages[0].modules: must be a list of at least one module"),
    (LISTED % "[{k: 1}]", "s.yaml, stages[0].modules[0]: is an object, not a list of layers"),
    (LISTED % "[k]", "s.yaml, stages[0].modules[0]: is text, not a list of layers"),
    (LISTED % "[[{k: 1}], []]", "s.yaml, stages[0].modules[1]: stage1 has 0 layers; allowed: 1"),
    (
        LISTED % "[[{k: 1}, {k: 3}]]",
        "s.yaml, stages[0].modules[0][1].k (stage1): k = 3 is no choice; allowed: 1, 2",
    ),
    (
        LISTED % "[[{k: 1}, {k: 2}]], shared: [k]",
        "s.yaml, stages[0].modules[0]: k is shared by the layers of stage1 but has 1, 2",
    ),
    (
        LISTED % "[[{k: 1}, {k: 2}]], depth: 1",
        "s.yaml, stages[0].modules[0]: stage1 has 2 layers; allowed: 1",
    ),
    # Globals.
    ("name: s\nglobals: [r]\nstages: [{depth: 1}]", "s.yaml, globals: must be {feature: [choices]}"),
    (
        "name: s\nglobals: {r: 1}\nstages: [{depth: 1}]",
        "s.yaml, globals.r: must be a list of 1 to 32,767 choices",
    ),
    (
        "name: s\nglobals_modules: [{r: 1}]\nstages: [{depth: 1}]",
        "s.yaml, globals_modules: stands without globals",
    ),
    (
        "name: s\nglobals: {r: [1]}\nglobals_modules: {r: 1}\nstages: [{depth: 1}]",
        "s.yaml, globals_modules: must be a list of {feature: choice}",
    ),
    (
        "name: s\nglobals: {r: [1]}\nglobals_modules: [{r: 2}]\nstages: [{depth: 1}]",
        "s.yaml, globals_modules[0].r: r = 2 is no choice; allowed: 1",
    ),
    # Metrics.
    (METRIC % "[acc]", "s.yaml, metrics: must be {metric: {direction: ..., unit: ...}}"),
    (METRIC % "{acc: maximize}", "s.yaml, metrics.acc: is text, not an object with direction, unit"),
    (METRIC % "{acc: {unit: s}}", "s.yaml, metrics.acc: direction is None; allowed: maximize, minimize"),
    (
        METRIC % "{acc: {direction: up}}",
        "s.yaml, metrics.acc: direction is 'up'; allowed: maximize, minimize",
    ),
    (
        METRIC % "{acc: {direction: [up]}}",
        "s.yaml, metrics.acc: direction is a list; allowed: maximize, minimize",
    ),
    (
        METRIC % "{acc: {direction: maximize, units: s}}",
        "s.yaml, metrics.acc: unknown key 'units'; allowed: direction, unit",
    ),
    (
        METRIC % "{acc: {direction: maximize, unit: [s]}}",
        f"s.yaml, metrics.acc.unit: a list is no name; {NAME_RULE}",
    ),
    (METRIC % "{1: {direction: maximize}}", f"s.yaml, metrics: 1 is no name; {NAME_RULE}"),
    # No YAML, and YAML that is more than data.
    ("name: s\nname: t", "s.yaml, line 2: is no YAML (key 'name' stands twice)"),
    (FEATURE % "[1], e: [1], k: [2]", "s.yaml, line 3: is no YAML (key 'k' stands twice)"),
    (
        "name: s\n\tstages: []",
        "s.yaml, line 2: is no YAML (found character '\\t' that cannot start any token)",
    ),
    ("name: [s", "s.yaml, line 1: is no YAML (expected ',' or ']', but got '<stream end>')"),
    ("name: *s", "s.yaml, line 1: is no YAML (found undefined alias 's')"),
    ("name: s\n---\nname: t", "s.yaml, line 2: is no YAML (but found another document)"),
    ("? [a, b]\n: 1", "s.yaml, line 1: is no YAML (found unhashable key)"),
    ("name: s\n\x07", "s.yaml, line 2: is no YAML (character #x0007: special characters are not allowed)"),
    (
        "name: !!python/object/apply:os.system ['touch hacked']",
        "s.yaml, line 1: is no YAML (could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system')",
    ),
    (
        "name: !!python/name:os.system",
        "s.yaml, line 1: is no YAML (could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/name:os.system')",
    ),
    ("name: !mine x", "s.yaml, line 1: is no YAML (could not determine a constructor for the tag '!mine')"),
    ("name: !!bool maybe", "s.yaml: is no YAML that can be read (KeyError)"),
    ("name: !!int ''", "s.yaml: is no YAML that can be read (IndexError)"),
    ("name: !!int many", "s.yaml: is no YAML that can be read (ValueError)"),
    ("name: !!timestamp soon", "s.yaml: is no YAML that can be read (AttributeError)"),
    (f"name: !!float 1{':0' * 200}.5", "s.yaml: is no YAML that can be read (OverflowError)"),
    ("name: 1" + "0" * 5000, "s.yaml: is no YAML that can be read (ValueError)"),
    ("name: " + "[" * 1_000, "s.yaml: is no YAML that can be read (RecursionError)"),
    ("name: " + "{a: " * 1_000, "s.yaml: is no YAML that can be read (RecursionError)"),
]


@pytest.mark.parametrize(
    ("text", "sentence"), WRONG, ids=[f"{n}: {s[8:50]}" for n, (_, s) in enumerate(WRONG)]
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(text, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(text) == sentence
    # Nothing in a file is ever run.
    assert not any(tmp_path.iterdir())


def test_more_choices_than_a_code_can_hold_are_refused():
    data = {"name": "s", "stages": [{"depth": 1, "features": {"k": list(range(32_767))}}]}
    stage = space_from_dict(data).stages[0]
    assert stage.decode(stage.encode(((32_766,),))) == ((32_766,),)
    data["stages"][0]["features"]["k"].append(32_767)
    with pytest.raises(
        SpaceError, match=r"^stages\[0\]\.features\.k: must be a list of 1 to 32,767 choices$"
    ):
        space_from_dict(data)


BOMB = "s.yaml, line 1: is no YAML (it refers to itself or stands for more than 2,000,000 values)"


def exponential(leaf: str, many: str) -> str:
    lines = [f"a0: &a0 {leaf}"]
    lines += [f"a{n}: &a{n} {many % ', '.join([f'*a{n - 1}'] * 10)}" for n in range(1, 30)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        exponential("[x, x]", "[%s]"),
        exponential("{x: 1}", "{<<: [%s]}"),
        # Not deep, but a thousand times a thousand times a thousand.
        f"a: &a [{'1, ' * 1000}]\nb: &b [{'*a, ' * 1000}]\nc: [{'*b, ' * 1000}]",
        "name: &a [*a]",
        "name: s\nstages: &s\n- *s",
        "? &a [*a]\n: 1",
    ],
    ids=["lists", "merged objects", "wide", "itself", "stages", "key"],
)
def test_a_small_file_that_stands_for_a_huge_one_is_refused_at_once(text):
    start = time.process_time()
    assert refused(text) == BOMB
    # Written out, the largest would take longer than the universe has existed.
    assert time.process_time() - start < 5


@given(st.text(max_size=60) | st.text("[]{}:,&*!|>'\"-?#% \n\tab1.~<=", max_size=60))
@relaxed
def test_any_other_text_is_refused_in_one_sentence(text):
    refused(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["name", "stages", "depth", "features", "globals", "a"]), x)
        ),
    )
)
@relaxed
def test_any_other_data_is_refused_in_one_sentence(data):
    with pytest.raises(SpaceError) as caught:
        space_from_dict(
            {"name": "s", "stages": [{"depth": data, "features": data, "modules": data}], "globals": data}
        )
    assert "\n" not in str(caught.value)


# Files.


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
    assert str(caught.value) == f"{path}, stages[0].depth: 0 is no number of layers; allowed: 1 to 1000"


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
        ("s.yaml", GOOD.encode("utf-16"), "is not UTF-8 text"),
        ("s.yaml", b"name: caf\xe9", "is not UTF-8 text"),
        ("s.yaml", squeezed(GOOD.encode()), "is not UTF-8 text"),
        ("s.yaml.gz", GOOD.encode(), "is a damaged gzip file"),
        ("s.yaml.gz", squeezed(GOOD.encode())[:-20], "is a damaged gzip file"),
        ("s.yaml.gz", squeezed(GOOD.encode())[:-8] + bytes(8), "is a damaged gzip file"),
        ("s.yaml.gz", broken(GOOD.encode()), "is a damaged gzip file"),
        ("s.yaml.gz", squeezed(b"caf\xe9"), "is not UTF-8 text"),
        ("s.yaml.gz", squeezed(b" " * 17_000_000), "is larger than 16,000,000 characters, no space.yaml is"),
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


def test_a_folder_is_no_file(tmp_path):
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
