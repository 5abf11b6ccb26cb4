"""Evaluators by name: user-defined functions, tables, and trainings."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.space import Space, load_space, sample
from nasbuild.table import load_builtin, write_table
from nasbuild.zoo.digits.train import Recipe, train_arch

SPACE = load_space("digits-macro")
FIRST, SECOND = sample(SPACE, 2, np.random.default_rng(0))
CODE = """
from dataclasses import dataclass

@dataclass
class Depth:
    layers: int

def good(arch):
    depth = Depth(sum(len(stage) for stage in arch["stages"]))
    return {"loss": depth.layers / 2, "acc": None, "macs": float("nan"), "extra": 1}

def nothing(arch):
    return None

def words(arch):
    return {"loss": "low"}

number = 3
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_a_function_of_a_file_gets_architectures_as_dicts(script):
    evaluator = load_evaluator(f"{script}:good", SPACE)
    assert evaluator.metrics == SPACE.metrics
    for architecture, metrics in zip((FIRST, SECOND), evaluator([FIRST, SECOND]), strict=True):
        numbers = {"loss": sum(map(len, architecture)) / 2, "extra": 1.0}
        assert metrics == {**dict.fromkeys(SPACE.metrics), **numbers}


def test_a_function_of_a_module_is_called(script, monkeypatch):
    script.rename(script.with_name("module_of_mine.py"))
    monkeypatch.syspath_prepend(script.parent)
    evaluator = load_evaluator("module_of_mine:good", SPACE)
    assert evaluator([FIRST])[0]["loss"] == sum(map(len, FIRST)) / 2


def test_a_file_does_not_replace_a_module_of_the_same_name(tmp_path):
    path = tmp_path / "json.py"
    path.write_text(CODE)
    load_evaluator(f"{path}:good", SPACE)
    import json

    assert not hasattr(json, "good")
    path.write_text(CODE.replace("/ 2", "/ 4"))
    # A changed file is loaded again.
    assert load_evaluator(f"{path}:good", SPACE)([FIRST])[0]["loss"] == sum(map(len, FIRST)) / 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{script}:none", "has no function 'none'"),
        ("{script}:number", "has no function 'number'"),
        ("gone.py:good", "no such file: gone.py"),
        ("no_such_module_here:good", "can't be loaded"),
        (
            "gone",
            "there is no evaluator 'gone'; allowed: digits, inpainting, lm, panoptic, supernet, costs:NETWORK",
        ),
    ],
)
def test_an_unknown_evaluator_is_an_error(script, name, message):
    with pytest.raises(NasbuildError, match=message):
        load_evaluator(name.format(script=script), SPACE)


def test_a_function_needs_declared_metrics(script):
    with pytest.raises(NasbuildError, match="declares no metrics"):
        load_evaluator(f"{script}:good", Space("s", SPACE.stages))


def test_a_table_returns_its_rows(tmp_path):
    table = load_builtin("digits-macro")
    whole = load_evaluator("digits-macro", SPACE)
    assert whole.metrics == table.metrics
    row = table.row_of[FIRST]
    assert whole([FIRST])[0] == {name: float(v[row]) for name, v in table.columns.items()}
    write_table(table.select([row]), tmp_path / "one.jsonl")
    part = load_evaluator(str(tmp_path / "one.jsonl"), SPACE)
    assert part([FIRST])[0]["loss"] == table.columns["loss"][row]
    assert set(part([SECOND])[0].values()) == {None}


def test_digits_trains_the_architecture(monkeypatch):
    # In four steps rounding grows to 2e-7 nats (in fifty to 0.005, and linear algebra may round a repetition
    # differently); another seed or architecture is 0.01 away.
    short = functools.partial(train_arch, recipe=Recipe(steps=4))
    monkeypatch.setattr("nasbuild.zoo.digits.evaluator.train_arch", short)
    ops = [[str(layer[0]) for layer in stage] for stage in FIRST]
    expected, other = (short(ops, seed=seed) for seed in (3, 4))
    evaluator = load_evaluator("digits", SPACE, seed=3)
    assert set(evaluator.metrics) == {"acc", "loss"}
    assert evaluator([FIRST])[0] == pytest.approx(expected, rel=1e-5)
    assert evaluator([FIRST])[0]["loss"] != pytest.approx(other["loss"], rel=1e-3)
    with pytest.raises(NasbuildError, match="has no digits networks"):
        load_evaluator("digits", load_space("mnasnet"))
