"""``costs.csv``, and declared costs compared with a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbuild.errors import NasbuildError
from nasbuild.space import sample, space_from_yaml
from nasbuild.table import add_costs, cost_differences, table_from_evaluations

SPACE = space_from_yaml(
    """
    name: small
    metrics: {acc: {direction: maximize}, size: {direction: minimize, unit: MB}}
    stages:
      - {name: one, depth: [1, 2], features: {kernel: [3, 5], op: [conv, skip]}}
      - {name: two, depth: [2], features: {kernel: [3, 5, 7], op: [conv]}}
    """
)
CSV = """\
stage,layer,feature,choice,cost,value
,,kernel,3,size,1
,,kernel,5,size,2

two,,kernel,7,size,4
1,last,kernel,7,size,8
,,op,skip,size,-0.5
,,op,*,size,0.25
,,,,size,10
one,0,kernel,5.0,time,3
,,kernel,*,time,0
"""


OFF = np.zeros(12)
OFF[[3, 8]] = 2, -7


def sizes(some):
    """The costs of CSV, counted by hand."""
    found = []
    for one, two in (a.modules for a in some):
        layers = [*one, *two]
        size = 10 + sum({3: 1, 5: 2, 7: 4}[k] for k, _ in layers) + (4 if two[-1][0] == 7 else 0)
        found.append(size + sum(-0.5 if op == "skip" else 0.25 for _, op in layers))
    return np.array(found)


def test_costs_of_a_file_are_counted(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(CSV)
    space = add_costs(SPACE, path)
    some = sample(space, 30, np.random.default_rng(0))
    assert list(space.costs) == ["size", "time"]
    assert space.costs["size"].values(space, some) == pytest.approx(sizes(some))
    assert space.costs["time"].values(space, some).tolist() == [3.0 * (a.modules[0][0][0] == 5) for a in some]
    assert (space.costs["size"].unit, space.costs["time"].unit) == ("MB", "")
    # A cost of the space gets the file's beside its own.
    half = add_costs(
        space_from_yaml("name: s\nstages: [{depth: 1, features: {k: [1]}}]\ncosts: {c: {constant: 1}}"),
        _one(path),
    )
    assert half.costs["c"].values(half, sample(half, 1, np.random.default_rng(0))).tolist() == [6.0]


def _one(path):
    path.write_text("cost,stage,layer,feature,choice,value\nc,,,k,1,2\nc,,,,,3\n")
    return path


def table_of(space, sizes_of):
    some = sample(space, 12, np.random.default_rng(1))
    return table_from_evaluations(
        space, {a: {"size": float(v), "acc": 1.0} for a, v in zip(some, sizes_of(some), strict=True)}
    )


def test_differences_from_a_table_are_reported(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(CSV)
    space = add_costs(SPACE, path)
    (same,) = cost_differences(table_of(space, lambda some: sizes(some) * (1 + 1e-9)))
    assert (same.cost, same.n_compared, same.n_different, same.largest, same.first) == (
        "size",
        12,
        0,
        0.0,
        None,
    )
    wrong = table_of(space, lambda some: sizes(some) + OFF)
    (found,) = cost_differences(wrong)
    value = float(sizes(wrong.architectures)[3])
    assert (found.n_compared, found.n_different, found.largest) == (12, 2, 7.0)
    assert found.first == (wrong.ids[3], value, value + 2)
    lacking = replace(wrong, columns={"acc": wrong.columns["acc"]})
    assert cost_differences(lacking) == []


def test_costs_that_are_not_metrics_have_a_direction():
    space = replace(SPACE, metrics={"acc": SPACE.metrics["acc"]})
    space = replace(
        space,
        costs=space_from_yaml("name: s\nstages: [{depth: 1}]\ncosts: {size: {constant: 1, unit: kB}}").costs,
    )
    table = table_of(space, sizes)
    assert (table.metrics["size"].direction, table.metrics["size"].unit) == ("minimize", "kB")
    assert not [note for note in table.notes if note.kind == "undeclared"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no row with a cost; allowed: stage, layer, feature, choice, cost, value"),
        (
            "stage,feature,choice,cost,value\n",
            "line 1: has the wrong columns: stage, feature, choice, cost, value; allowed",
        ),
        ("stage,layer,feature,choice,cost,value\n,,kernel,3\n", "line 2: has 4 fields, the header has 6"),
        ("stage,layer,feature,choice,cost,value\n,,kernel,3,,1\n", "line 2: names no cost"),
        (
            "stage,layer,feature,choice,cost,value\n,,kernel,3,c,x\n",
            "line 2, value: 'x' is not a finite number",
        ),
        ("stage,layer,feature,choice,cost,value\n,,kernel,3,c,inf\n", "'inf' is not a finite number"),
        (
            "stage,layer,feature,choice,cost,value\n,,kernel,4,c,1\n",
            "line 2, choice: '4' is not a choice of kernel; allowed: 3, 5, 7",
        ),
        (
            "stage,layer,feature,choice,cost,value\n,,kern,4,c,1\n",
            "line 2, feature: there is no feature 'kern'",
        ),
        ("stage,layer,feature,choice,cost,value\none,,,,c,1\n", "line 2: has no feature"),
        ("stage,layer,feature,choice,cost,value\n,,kernel,3,c,1\n,,kernel,3.0,c,1\n", "has 3.0 twice"),
        (
            "stage,layer,feature,choice,cost,value\n,,kernel,3,c,1\n",
            "kernel = 5 has no value at layer 0 of one",
        ),
        ("stage,layer,feature,choice,cost,value\nthree,,kernel,*,c,1\n", "there is no stage 'three'"),
        ('stage,layer,feature,choice,cost,value\n,,"kernel,*,c,1\n', "is not valid CSV"),
    ],
)
def test_mistakes_give_one_clear_sentence(tmp_path, text, words):
    path = tmp_path / "costs.csv"
    path.write_text(text)
    with pytest.raises(NasbuildError) as caught:
        add_costs(SPACE, path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))
