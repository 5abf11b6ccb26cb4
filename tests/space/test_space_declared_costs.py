"""Declared costs against closed forms, and against sums over layers in plain Python."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_samples import cost_entries, plain_value
from nasbuild.errors import NasbuildError
from nasbuild.space import (
    Architecture,
    Space,
    enumerate_architectures,
    read_costs,
    sample,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
    space_to_yaml,
)
from strategies import architectures, relaxed, spaces

CNN = """
name: cnn
metrics: {acc: {direction: maximize}, params: {direction: minimize, unit: M}}
globals: {resolution: [16, 32]}
stages:
  - {name: early, depth: [1, 2], features: {width: [8, 16], kernel: [3, 5]}}
  - {name: late, depth: [1, 3], features: {width: [16, 32], kernel: [3], op: [conv, skip]}}
costs:
"""


def cost_of(text: str, name: str = "c"):
    space = space_from_yaml(CNN + text)
    return space, space.costs[name]


def taken_apart(space: Space, cost, some: list[Architecture]) -> np.ndarray:
    """Constant, inner parts and links, added up one by one."""
    found = []
    for architecture in some:
        codes = [s.encode(m)[None] for s, m in zip(space.stages, architecture.modules, strict=True)]
        own = cost.at_globals(space, codes[-1][0]) if cost.needs_globals else cost
        total = own.constant + sum(float(own.inner(space, u, c)[0]) for u, c in enumerate(codes))
        links = [own.links(space, u, c) for u, c in enumerate(codes)]
        total += sum(float(a[1][0] @ b[0][0]) for a, b in pairwise(links))
        if space.globals:
            assert not links[-1][0].any()
            assert not links[-1][1].any()
        found.append(total)
    return np.array(found)


@given(st.data())
@relaxed
def test_costs_follow_their_definition(data):
    space = data.draw(spaces(rich=True))
    entry = data.draw(cost_entries(space))
    some = data.draw(st.lists(architectures(space), min_size=1, max_size=5))
    cost = read_costs(space, {"c": entry})["c"]
    expected = [plain_value(space, entry, a) for a in some]
    assert cost.values(space, some) == pytest.approx(expected, rel=1e-9, abs=1e-6)
    if cost.is_sum(space):
        assert taken_apart(space, cost, some) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.data())
@relaxed
def test_written_data_is_read_back_equal(data):
    space = data.draw(spaces(rich=True))
    names = ["c", *list(space.metrics)[:1]]
    entries = {name: data.draw(cost_entries(space)) for name in names}
    space = replace(space, costs=read_costs(space, entries))
    assert space_from_yaml(space_to_yaml(space)) == space
    # A run folder keeps its space as JSON, whose keys are texts.
    assert space_from_dict(json.loads(json.dumps(space_to_dict(space)))) == space


def test_products_with_the_previous_layer_count_parameters():
    space, cost = cost_of(
        "  c: {sum: [{product: previous.width * width * kernel^2, first: {width: 3}}, {product: 10 * width, layer: last, stage: late}]}"
    )
    for architecture in enumerate_architectures(space):
        layers = [layer for module in architecture.modules[:-1] for layer in module]
        widths = [3, *(layer[0] for layer in layers)]
        count = sum(a * b * layer[1] ** 2 for (a, b), layer in zip(pairwise(widths), layers, strict=True))
        assert cost.values(space, [architecture])[0] == count + 10 * widths[-1]


def test_products_with_globals_and_numbers_of_texts():
    space, cost = cost_of(
        "  c: {sum: [{product: globals.resolution^2 * width * op, numbers: {op: {conv: 1, skip: 0}}}, {feature: resolution, values: {16: 1, 32: 2}}]}"
    )
    assert cost.needs_globals
    for architecture in sample(space, 40, np.random.default_rng(0)):
        ((resolution,),) = architecture.modules[2]
        count = sum(resolution**2 * width for width, _, op in architecture.modules[1] if op == "conv")
        assert cost.values(space, [architecture])[0] == count + resolution // 16


def test_a_mean_over_layers():
    space, cost = cost_of("  c: {mean: [{product: kernel}]}")
    assert not cost.is_sum(space)
    some = sample(space, 30, np.random.default_rng(1))
    means = [np.mean([layer[1] for m in a.modules[:-1] for layer in m]) for a in some]
    assert cost.values(space, some) == pytest.approx(means)
    with pytest.raises(ValueError, match="no sum"):
        cost.inner(space, 0, np.zeros((1, 1, 2), dtype=np.int16))
    # Of 287 layers that are always there, it is a sum.
    stages = [{"name": f"q{u}", "depth": 1, "features": {"bits": [3, 4]}} for u in range(287)]
    deep = space_from_dict(
        {"name": "q", "stages": stages, "costs": {"bits": {"mean": [{"product": "bits"}]}}}
    )
    bits = deep.costs["bits"]
    assert bits.is_sum(deep)
    some = sample(deep, 3, np.random.default_rng(2))
    means = [np.mean([m[0][0] for m in a.modules]) for a in some]
    assert bits.values(deep, some) == pytest.approx(means)
    assert taken_apart(deep, bits, some) == pytest.approx(means)


def test_the_most_specific_place_counts():
    space, cost = cost_of(
        """
  c:
    sum:
      - {feature: width, values: {8: 1, 16: 2, 32: 3}}
      - {feature: width, stage: late, values: {16: 10}}
      - {feature: width, stage: 1, layer: last, values: {16: 100, 32: 200}}
      - {feature: width, stage: late, layer: 0, otherwise: 1000}
      - {feature: width, layer: 1, otherwise: 7}
"""
    )
    early, late = (8, 3), (16, 3, "conv")
    one = Architecture(((early, (16, 3)), ((32, 3, "conv"), late, late), ((16,),)))
    # 8 -> 1, layer 1 -> 7; layer 0 of late -> 1000, its second 16 -> 10, its last -> 100.
    assert cost.values(space, [one])[0] == 1 + 7 + 1000 + 10 + 100
    assert cost.values(space, [Architecture(((early,), (late,), ((16,),)))])[0] == 1 + 1000


def test_functions_are_called_only_when_a_value_is_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space, cost = cost_of("  c: {function: costs_of_mine.py:layers, unit: layers}")
    assert space_from_yaml(space_to_yaml(space)) == space
    some = sample(space, 3, np.random.default_rng(0))
    with pytest.raises(NasbuildError, match=r"costs\.c, costs_of_mine\.py:layers: can't be loaded"):
        cost.values(space, some)
    source = "def layers(arch):\n    return sum(map(len, arch['stages'])) + arch['globals']['resolution']\n"
    (tmp_path / "costs_of_mine.py").write_text(source)
    expected = [sum(map(len, a.modules[:-1])) + a.modules[-1][0][0] for a in some]
    assert cost.values(space, some).tolist() == expected
    assert not cost.is_sum(space)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return float('nan')", "returns nan"),
        ("return 'x'", "ValueError"),
        ("raise KeyError('k')", "KeyError"),
    ],
)
def test_failing_functions_are_reported(tmp_path, monkeypatch, body, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.py").write_text(f"def f(arch):\n    {body}\n")
    space, cost = cost_of("  c: {function: f.py:f}")
    with pytest.raises(NasbuildError, match=words):
        cost.values(space, sample(space, 1, np.random.default_rng(0)))


def test_a_metric_of_that_name_gives_direction_and_unit():
    _, cost = cost_of("  params: {sum: [{product: width}]}", "params")
    assert (cost.direction, cost.unit, cost.sign) == ("minimize", "M", -1)
    assert cost_of("  c: {constant: 1, direction: maximize, unit: ms}")[1].sign == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("  - 1", "costs: must be {cost: {sum: ...}}"),
        ("  c: 1", "costs.c: is a number, not an object with direction, unit, constant, sum, mean, function"),
        ("  c: {}", "costs.c: is empty; allowed: constant, sum, mean, function"),
        ("  c: {constant: x}", "costs.c.constant: 'x' is not a number"),
        ("  c: {constant: .inf}", "costs.c.constant: inf is not a number"),
        (
            "  c: {function: f}",
            "costs.c.function: 'f' is not a function; allowed: FILE.py:FUNCTION, MODULE:FUNCTION",
        ),
        (
            "  c: {function: 'a:b', sum: []}",
            "costs.c: has both a function and terms; keep one of the two",
        ),
        (
            "  params: {constant: 1, unit: G}",
            "costs.params: differs in direction or unit from the metric 'params'",
        ),
        ("  c: {sum: 1}", "costs.c.sum: must be a list of"),
        (
            "  c: {sum: [{feature: widht, otherwise: 1}]}",
            "costs.c.sum[0].feature: there is no feature 'widht'",
        ),
        (
            "  c: {sum: [{feature: width, values: {8: 1, 16: 2}}]}",
            "width = 32 has no value at layer 0 of late; add it",
        ),
        ("  c: {sum: [{feature: width, values: {9: 1}, otherwise: 0}]}", "9 is not a choice of width there"),
        (
            "  c: {sum: [{feature: op, stage: early, otherwise: 0}]}",
            "stage early has no feature 'op'; allowed: late",
        ),
        ("  c: {sum: [{feature: op, stage: lte, otherwise: 0}]}", "there is no stage 'lte'"),
        ("  c: {sum: [{feature: op, layer: 3, otherwise: 0}]}", "there is no layer 3; allowed: 0 to 2, last"),
        (
            "  c: {sum: [{feature: op, layer: x, otherwise: 0}]}",
            "'x' is not a layer; allowed: numbers from 0, last",
        ),
        (
            "  c: {sum: [{feature: op, values: {conv: 1}, otherwise: 0}, {feature: op, otherwise: 1}]}",
            "gives op two values",
        ),
        (
            "  c: {sum: [{product: width * op}]}",
            "op = 'conv' of late is not a number; write numbers: {op: {conv: NUMBER}}",
        ),
        ("  c: {sum: [{product: widht}]}", "no stage has the feature widht"),
        ("  c: {sum: [{product: width + 1}]}", "'width + 1' is not a factor"),
        ("  c: {sum: [{product: before.width}]}", "'before.width' is not a factor"),
        ("  c: {sum: [{product: width^x}]}", "'width^x' is not a factor"),
        ("  c: {sum: [{product: ''}]}", "'' is not a factor"),
        ("  c: {sum: [{product: width^999}]}", "width = 8 to the power 999 is not a number"),
        (
            "  c: {sum: [{product: previous.width * width}]}",
            "previous.width has no value at the first layer of the network",
        ),
        (
            "  c: {sum: [{product: previous.op, stage: late}]}",
            "stage early lacks the feature 'op' of the product",
        ),
        ("  c: {sum: [{product: width, first: {width: 3}}]}", "'width' is not a factor of the product"),
        ("  c: {sum: [{product: globals.width}]}", "the globals have no feature 'width'"),
        ("  c: {sum: [{product: width^200 * kernel^200}]}", "grows beyond 1e300"),
        (
            "  c: {sum: [{product: width, values: {}}]}",
            "unknown key 'values'; allowed: product, first, numbers, stage",
        ),
    ],
)
def test_mistakes_give_one_clear_sentence(text, sentence):
    with pytest.raises(NasbuildError) as caught:
        space_from_yaml(CNN + text, where="s.yaml")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("s.yaml, costs")
