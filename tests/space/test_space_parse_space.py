"""Every mistake in a ``space.yaml`` gives one sentence with its place and what is allowed."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild._yaml import plain_from_yaml
from nasbuild.errors import SpaceError
from nasbuild.space import space_from_dict, space_from_yaml
from strategies import relaxed


def refused(text: str) -> str:
    """The one sentence that the text of a ``space.yaml`` is refused with."""
    with pytest.raises(SpaceError) as caught:
        space_from_yaml(text, where="s.yaml")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("s.yaml")
    assert len(sentence) < 600
    return sentence


STAGE = "name: s\nstages:\n- "
FEATURE = "name: s\nstages:\n- {depth: 1, features: {k: %s}}"
LISTED = "name: s\nstages:\n- {features: {k: [1, 2]}, modules: %s}"
METRIC = "name: s\nstages: [{depth: 1}]\nmetrics: %s"
NAME_RULE = "allowed: printable texts of 1 to 200 characters without spaces around them"
CHOICE_RULE = (
    "allowed: finite numbers, true, false, null, printable texts of 1 to 200 characters, "
    "and lists of up to 100 of these"
)
TOP = "allowed: name, metrics, globals, globals_modules, globals_limits, stages, costs, identity, tied, columns, reference, attributes"
WHEN = """name: s
stages:
  - {depth: 2, features: {op: [conv, attn], k: {choices: [3, 5], when: %s}, h: {choices: [2], when: {k: 3}}}}
"""
GLOBAL = "name: s\nglobals: {lr: %s}\nstages: [{depth: 1}]"
KINDS = "allowed: categorical, ordered, numeric"
TWO = "name: s\nstages: [{name: a, depth: 1, features: {k: %s}}, {name: b, depth: 1, features: {k: %s}}]"

WRONG = [
    # Features that exist only with others.
    (
        WHEN % "{op: [conv, att]}",
        "s.yaml, stages[0].features.k.when: 'att' is not a choice of op; allowed: 'conv', 'attn'",
    ),
    (
        WHEN % "{o: conv}",
        "s.yaml, stages[0].features.k.when: 'o' is not another feature; allowed: op, h; "
        "a condition names features of the same layer",
    ),
    (WHEN % "conv", "s.yaml, stages[0].features.k.when: is text, not {feature: choices}; allowed: op, h"),
    (WHEN % "{op: []}", "s.yaml, stages[0].features.k.when: names no choice of op; allowed: 'conv', 'attn'"),
    (
        WHEN % "{h: 2}",
        "s.yaml, stages[0].features: k exists only with h, which exists only with k; "
        "remove one of the two conditions",
    ),
    (
        (WHEN % "{op: conv}").replace("}}\n", "}, shared: [k]}\n"),
        "s.yaml, stages[0].features: k is shared by all layers, but op, with which it exists, is not; "
        "add op to shared, or remove k from it",
    ),
    (
        "name: s\nstages: [{depth: 1, features: {k: {choices: [3], elsewhere: ignored}}}]",
        "s.yaml, stages[0].features.k: says elsewhere: ignored, but the feature always exists; "
        "add when: {FEATURE: CHOICE}",
    ),
    # Ranges.
    (
        GLOBAL % "{range: [0, 1], scale: log}",
        "s.yaml, globals.lr.range: 0 has no logarithm; allowed: numbers above 0",
    ),
    (
        GLOBAL % "{range: [2, 1]}",
        "s.yaml, globals.lr.range: [2, 1] is not a range; allowed: LOW below HIGH",
    ),
    (
        GLOBAL % "{range: [1, 2], choices: [1]}",
        "s.yaml, globals.lr: has both choices and a range; keep one of the two",
    ),
    (
        GLOBAL % "{range: [1, 2], step: 3}",
        "s.yaml, globals.lr.step: 3 is not a step of the range; allowed: 0 to HIGH - LOW",
    ),
    (
        FEATURE % "{range: [1, 2]}",
        "s.yaml, stages[0].features.k: is a range, which only a feature of the whole architecture can be; "
        "list its choices, or move it to globals",
    ),
    # Ranges of metrics, and what does nothing.
    (
        METRIC % "{a: {direction: maximize, minimum: x}}",
        "s.yaml, metrics.a.minimum: 'x' is not a number; allowed: finite numbers below 1e300",
    ),
    (
        METRIC % "{a: {direction: maximize, minimum: .inf}}",
        "s.yaml, metrics.a.minimum: inf is not a number; allowed: finite numbers below 1e300",
    ),
    (
        METRIC % "{a: {direction: maximize, maximum: true}}",
        "s.yaml, metrics.a.maximum: True is not a number; allowed: finite numbers below 1e300",
    ),
    (
        METRIC % "{a: {direction: maximize, minimum: 3, maximum: 3}}",
        "s.yaml, metrics.a: minimum 3 is not below maximum 3",
    ),
    (
        FEATURE % "[a, b]" + "\nidentity: a",
        "s.yaml, identity: is text; allowed: none, or a list of choices, such as [skip]",
    ),
    (
        FEATURE % "[a, b]" + "\nidentity: [c]",
        "s.yaml, identity: 'c' is not a choice of a feature; allowed: a, b",
    ),
    (FEATURE % "[1, 2]" + "\nidentity: [1]", "s.yaml, identity: 1 is not a choice of a feature"),
    (
        FEATURE % "[a, b]" + "\nidentity: []",
        "s.yaml, identity: is a list; allowed: none, or a list of choices, such as [skip]",
    ),
    # Not even an object.
    (
        "",
        "s.yaml, the space: is missing, not an object with name, metrics, globals, globals_modules, globals_limits, stages, costs, identity, tied, columns, reference, attributes",
    ),
    (
        "# nothing\n",
        "s.yaml, the space: is missing, not an object with name, metrics, globals, globals_modules, globals_limits, stages, costs, identity, tied, columns, reference, attributes",
    ),
    (
        "[1, 2]",
        "s.yaml, the space: is a list, not an object with name, metrics, globals, globals_modules, globals_limits, stages, costs, identity, tied, columns, reference, attributes",
    ),
    (
        "just text",
        "s.yaml, the space: is text, not an object with name, metrics, globals, globals_modules, globals_limits, stages, costs, identity, tied, columns, reference, attributes",
    ),
    # Top.
    ("name: s\nstage: []", f"s.yaml, the space: unknown key 'stage'; {TOP}"),
    ("name: s\n3: []", f"s.yaml, the space: unknown key 3; {TOP}"),
    ("stages: [{depth: 1}]", f"s.yaml, name: is missing; {NAME_RULE}"),
    ("name: 7\nstages: [{depth: 1}]", f"s.yaml, name: 7 is not a valid name; {NAME_RULE}"),
    ("name: ''\nstages: [{depth: 1}]", f"s.yaml, name: '' is not a valid name; {NAME_RULE}"),
    ("name: ' s'\nstages: [{depth: 1}]", f"s.yaml, name: ' s' is not a valid name; {NAME_RULE}"),
    ('name: "a\\nb"\nstages: [{depth: 1}]', f"s.yaml, name: 'a\\nb' is not a valid name; {NAME_RULE}"),
    ('name: "\\ud800"\nstages: [{depth: 1}]', f"s.yaml, name: '\\ud800' is not a valid name; {NAME_RULE}"),
    (
        f"name: {'s' * 201}\nstages: [{{depth: 1}}]",
        f"s.yaml, name: '{'s' * 60}'... is not a valid name; {NAME_RULE}",
    ),
    ("name: s", "s.yaml, stages: must be a list of at least one stage"),
    ("name: s\nstages: []", "s.yaml, stages: must be a list of at least one stage"),
    ("name: s\nstages: {a: {depth: 1}}", "s.yaml, stages: must be a list of at least one stage"),
    # Stages.
    (
        STAGE + "early",
        "s.yaml, stages[0]: is text, not an object with name, depth, features, shared, modules, limits",
    ),
    (
        STAGE + "null",
        "s.yaml, stages[0]: is missing, not an object with name, depth, features, shared, modules, limits",
    ),
    (
        STAGE + "{depth: 1, feature: {}}",
        "s.yaml, stages[0]: unknown key 'feature'; allowed: name, depth, features, shared, modules, limits",
    ),
    (
        STAGE + "{depth: 1, name: no}\n- {depth: 1, name: 1}",
        f"s.yaml, stages[1].name: 1 is not a valid name; {NAME_RULE}",
    ),
    (STAGE + "{depth: 1, name: a}\n- {depth: 1, name: a}", "s.yaml, stages: two stages are named 'a'"),
    (STAGE + "{depth: 1, name: stage2}\n- {depth: 1}", "s.yaml, stages: two stages are named 'stage2'"),
    (
        STAGE + "{depth: 1, name: globals}",
        "s.yaml, stages: 'globals' is reserved for the features of the whole architecture",
    ),
    # Depths.
    (STAGE + "{name: a}", "s.yaml, stages[0].depth: the allowed depths are missing; write depth: [2, 3, 4]"),
    (STAGE + "{depth: }", "s.yaml, stages[0].depth: None is not a number of layers; allowed: 0 to 1000"),
    (
        STAGE + "{depth: [0, 1]}",
        "s.yaml, stages: every stage may be absent, so that a network may have no layers; "
        "give one stage at least one layer",
    ),
    (
        STAGE + "{depth: [2, 1001]}",
        "s.yaml, stages[0].depth: 1001 is not a number of layers; allowed: 0 to 1000",
    ),
    (STAGE + "{depth: 2.0}", "s.yaml, stages[0].depth: 2.0 is not a number of layers; allowed: 0 to 1000"),
    (STAGE + "{depth: true}", "s.yaml, stages[0].depth: True is not a number of layers; allowed: 0 to 1000"),
    (STAGE + "{depth: 2-4}", "s.yaml, stages[0].depth: '2-4' is not a number of layers; allowed: 0 to 1000"),
    (
        STAGE + "{depth: [[2]]}",
        "s.yaml, stages[0].depth: a list is not a number of layers; allowed: 0 to 1000",
    ),
    (STAGE + "{depth: []}", "s.yaml, stages[0].depth: must list at least one number of layers, each once"),
    (
        STAGE + "{depth: [2, 2]}",
        "s.yaml, stages[0].depth: must list at least one number of layers, each once",
    ),
    (
        STAGE + f"{{depth: !!int 0x{'f' * 5000}}}",
        "s.yaml, stages[0].depth: a number of many digits is not a number of layers; allowed: 0 to 1000",
    ),
    # Features and choices.
    (STAGE + "{depth: 1, features: [k]}", "s.yaml, stages[0].features: must be {feature: [choices]}"),
    (STAGE + "{depth: 1, features: 0}", "s.yaml, stages[0].features: must be {feature: [choices]}"),
    (
        STAGE + "{depth: 1, features: {3: [1]}}",
        f"s.yaml, stages[0].features: 3 is not a valid name; {NAME_RULE}",
    ),
    (
        STAGE + "{depth: 1, features: {true: [1]}}",
        f"s.yaml, stages[0].features: True is not a valid name; {NAME_RULE}",
    ),
    (FEATURE % "3", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "[]", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "3, 5", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (FEATURE % "{kind: ordered}", "s.yaml, stages[0].features.k: must be a list of 1 to 32,767 choices"),
    (
        FEATURE % "{choices: [1], order: 2}",
        "s.yaml, stages[0].features.k: unknown key 'order'; allowed: choices, range, scale, step, kind, when, elsewhere",
    ),
    (
        FEATURE % "{choices: [1], kind: sorted}",
        f"s.yaml, stages[0].features.k.kind: 'sorted' is not a kind of feature; {KINDS}",
    ),
    (
        FEATURE % "{choices: [1], kind: [ordered]}",
        f"s.yaml, stages[0].features.k.kind: a list is not a kind of feature; {KINDS}",
    ),
    (
        FEATURE % "{choices: [a], kind: numeric}",
        "s.yaml, stages[0].features.k: is numeric, but its choices are not numbers",
    ),
    (
        FEATURE % "{choices: [true], kind: numeric}",
        "s.yaml, stages[0].features.k: is numeric, but its choices are not numbers",
    ),
    (FEATURE % "[1, .nan]", f"s.yaml, stages[0].features.k: nan can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[-.inf]", f"s.yaml, stages[0].features.k: -inf can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[1e999]", f"s.yaml, stages[0].features.k: inf can't be a choice; {CHOICE_RULE}"),
    (
        FEATURE % "[9007199254740993]",
        f"s.yaml, stages[0].features.k: 9007199254740993 can't be a choice; {CHOICE_RULE}",
    ),
    (FEATURE % "[{a: 1}]", f"s.yaml, stages[0].features.k: an object can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "['']", f"s.yaml, stages[0].features.k: '' can't be a choice; {CHOICE_RULE}"),
    (FEATURE % '["a\\tb"]', f"s.yaml, stages[0].features.k: 'a\\tb' can't be a choice; {CHOICE_RULE}"),
    (
        FEATURE % f"[{'a' * 201}]",
        f"s.yaml, stages[0].features.k: '{'a' * 60}'... can't be a choice; {CHOICE_RULE}",
    ),
    (
        FEATURE % "!!binary [aGk=]",
        "s.yaml, line 3: is not valid YAML (expected a scalar node, but found sequence)",
    ),
    (FEATURE % "[!!binary aGk=]", f"s.yaml, stages[0].features.k: bytes can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[[3, [.inf]]]", f"s.yaml, stages[0].features.k: inf can't be a choice; {CHOICE_RULE}"),
    (FEATURE % "[[3, 5], [3, 5.0]]", "s.yaml, stages[0].features.k: lists a choice twice"),
    (FEATURE % "[3, 5, 3.0]", "s.yaml, stages[0].features.k: lists a choice twice"),
    (
        TWO % ("[1, 2]", "[a, b]"),
        "s.yaml, stages: feature 'k' is categorical with texts in b and numeric with numbers in a; "
        "rename one of the two",
    ),
    (
        TWO % ("[true]", "[a, b]"),
        "s.yaml, stages: feature 'k' is categorical with texts in b and categorical with truth values in a; "
        "rename one of the two",
    ),
    (
        TWO % ("{choices: [a, b], kind: ordered}", "{choices: [b, a], kind: ordered}"),
        "s.yaml, stages: feature 'k' is ordered differently in two stages",
    ),
    (
        "name: s\nglobals: {k: [a]}\n" + (FEATURE % "[1]").split("\n", 1)[1],
        "s.yaml, stages: feature 'k' is categorical with texts in globals and numeric with numbers "
        "in stage1; rename one of the two",
    ),
    # Shared features.
    (STAGE + "{depth: 1, shared: k}", "s.yaml, stages[0].shared: must be a list of features"),
    (
        STAGE + "{depth: 1, features: {k: [1]}, shared: [e]}",
        "s.yaml, stages[0].shared: 'e' is not a feature of stage1; allowed: k",
    ),
    (
        STAGE + "{depth: 1, features: {k: [1]}, shared: [[k]]}",
        "s.yaml, stages[0].shared: a list is not a feature of stage1; allowed: k",
    ),
    # Listed modules.
    (LISTED % "{}", "s.yaml, stages[0].modules: must be a list of at least one module"),
    (LISTED % "[]", "s.yaml, stages[0].modules: must be a list of at least one module"),
    (LISTED % "[{k: 1}]", "s.yaml, stages[0].modules[0]: is an object, not a list of layers"),
    (LISTED % "[k]", "s.yaml, stages[0].modules[0]: is text, not a list of layers"),
    (
        LISTED % "[[{k: 1}], []]",
        "s.yaml, stages: every stage may be absent, so that a network may have no layers; "
        "give one stage at least one layer",
    ),
    (
        LISTED % "[[{k: 1}, {k: 3}]]",
        "s.yaml, stages[0].modules[0][1].k (stage1): k = 3 is not a choice; allowed: 1, 2",
    ),
    (
        LISTED % "[[{k: 1}, {k: 2}]], shared: [k]",
        "s.yaml, stages[0].modules[0]: k is shared by all layers of stage1, but has the values 1, 2",
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
        "s.yaml, globals_modules: needs globals",
    ),
    (
        "name: s\nglobals: {r: [1]}\nglobals_modules: {r: 1}\nstages: [{depth: 1}]",
        "s.yaml, globals_modules: must be a list of {feature: choice}",
    ),
    (
        "name: s\nglobals: {r: [1]}\nglobals_modules: [{r: 2}]\nstages: [{depth: 1}]",
        "s.yaml, globals_modules[0].r: r = 2 is not a choice; allowed: 1",
    ),
    # Metrics.
    (METRIC % "[acc]", "s.yaml, metrics: must be {metric: {direction: ..., unit: ...}}"),
    (
        METRIC % "{acc: maximize}",
        "s.yaml, metrics.acc: is text, not an object with direction, unit, minimum, maximum",
    ),
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
        "s.yaml, metrics.acc: unknown key 'units'; allowed: direction, unit, minimum, maximum",
    ),
    (
        METRIC % "{acc: {direction: maximize, unit: [s]}}",
        f"s.yaml, metrics.acc.unit: a list is not a valid name; {NAME_RULE}",
    ),
    (METRIC % "{1: {direction: maximize}}", f"s.yaml, metrics: 1 is not a valid name; {NAME_RULE}"),
    # No YAML, and YAML that is more than data.
    ("name: s\nname: t", "s.yaml, line 2: is not valid YAML (key 'name' appears twice)"),
    (FEATURE % "[1], e: [1], k: [2]", "s.yaml, line 3: is not valid YAML (key 'k' appears twice)"),
    (
        "name: s\n\tstages: []",
        "s.yaml, line 2: is not valid YAML (found character '\\t' that cannot start any token)",
    ),
    ("name: [s", "s.yaml, line 1: is not valid YAML (expected ',' or ']', but got '<stream end>')"),
    ("name: *s", "s.yaml, line 1: is not valid YAML (found undefined alias 's')"),
    ("name: s\n---\nname: t", "s.yaml, line 2: is not valid YAML (but found another document)"),
    ("? [a, b]\n: 1", "s.yaml, line 1: is not valid YAML (found unhashable key)"),
    (
        "name: s\n\x07",
        "s.yaml, line 2: is not valid YAML (character #x0007: special characters are not allowed)",
    ),
    (
        "name: !!python/object/apply:os.system ['touch hacked']",
        "s.yaml, line 1: is not valid YAML (could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system')",
    ),
    (
        "name: !!python/name:os.system",
        "s.yaml, line 1: is not valid YAML (could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/name:os.system')",
    ),
    (
        "name: !mine x",
        "s.yaml, line 1: is not valid YAML (could not determine a constructor for the tag '!mine')",
    ),
    ("name: !!bool maybe", "s.yaml: is not readable YAML (KeyError)"),
    ("name: !!int ''", "s.yaml: is not readable YAML (IndexError)"),
    ("name: !!int many", "s.yaml: is not readable YAML (ValueError)"),
    ("name: !!timestamp soon", "s.yaml: is not readable YAML (AttributeError)"),
    (f"name: !!float 1{':0' * 200}.5", "s.yaml: is not readable YAML (OverflowError)"),
    ("name: 1" + "0" * 5000, "s.yaml: is not readable YAML (ValueError)"),
    ("name: " + "[" * 1_000, "s.yaml: is not readable YAML (RecursionError)"),
    ("name: " + "{a: " * 1_000, "s.yaml: is not readable YAML (RecursionError)"),
]


@pytest.mark.parametrize(
    ("text", "sentence"), WRONG, ids=[f"{n}: {s[8:50]}" for n, (_, s) in enumerate(WRONG)]
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(text, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "RecursionError" in sentence:
        # Finalizers of what other tests left would find no room on the stack.
        gc.collect()
    assert refused(text) == sentence
    # Nothing in a file is ever run.
    assert not any(tmp_path.iterdir())


def test_more_choices_than_codes_allow_are_refused():
    data = {"name": "s", "stages": [{"depth": 1, "features": {"k": list(range(32_767))}}]}
    stage = space_from_dict(data).stages[0]
    assert stage.decode(stage.encode(((32_766,),))) == ((32_766,),)
    data["stages"][0]["features"]["k"].append(32_767)
    with pytest.raises(
        SpaceError, match=r"^stages\[0\]\.features\.k: must be a list of 1 to 32,767 choices$"
    ):
        space_from_dict(data)


BOMB = "s.yaml, line 1: is not valid YAML (it refers to itself or stands for more than 2,000,000 values)"


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
def test_alias_bombs_are_refused_quickly(text):
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


LONG = "# " + "x" * 11_000 + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 1e-3, no, off, true, 010, 16:9, 2024-01-01, ~, .inf, 'x', \"y\", 0x1F]\nb: {c: [{d: e}, {}]}",
        "a: 1\na: 2",
        "a: {b: 1, b: 2}",
        "? [a]\n: 1",
        "a: &x [1, 2]\nb: *x\nc: {<<: {d: 1}, e: 2}",
        "a: &x [*x]",
        "&a [" + "[" * 300 + "]" * 300 + "]",
        "[" * 1_500,
        "- " * 1_500 + "x",
        "a: !!int foo",
        "a: !!python/object:os.system x",
        "a: [1, 2",
        "a: b: c",
        "a: 'b",
        "\tx",
        "%TAG",
        "a: 1\n---\nb: 2",
        "",
    ],
    ids=range(18),
)
def test_long_texts_are_read_as_strictly_as_short_ones(text):
    def outcome(text):
        try:
            return plain_from_yaml(text, where="s.yaml")
        except SpaceError as error:
            return "is no YAML" in str(error)

    assert outcome(LONG + text) == outcome(text)


def test_a_long_text_with_too_many_values_is_refused_early(monkeypatch):
    monkeypatch.setattr("nasbuild._yaml._MOST_VALUES", 60_000)
    with pytest.raises(SpaceError, match="it has more than 60,000 values"):
        plain_from_yaml("[" + "1," * 60_000 + "1]", where="s.yaml")
    assert len(plain_from_yaml("[" + "1," * 59_998 + "1]", where="s.yaml")) == 59_999
